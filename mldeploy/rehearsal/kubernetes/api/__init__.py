"""The Kubernetes API server: requests, watches, authorization, and streams into Pods."""
