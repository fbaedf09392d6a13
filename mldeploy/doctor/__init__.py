"""`mldeploy doctor`: check the requirements of builds and deployments, and suggest fixes."""
