"""Google Kubernetes Engine: each cluster is a Kubernetes stand-in."""
