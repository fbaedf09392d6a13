"""`mldeploy doctor`: is everything there that a build and a deployment need, and what to do about what is not."""
