"""The target `gke`: a cluster of Google's Kubernetes Engine, and the app in it (`mldeploy.providers.kubernetes`)."""
