"""Azure Container Apps: environments, and apps whose revisions are containers behind an ingress."""
