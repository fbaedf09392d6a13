"""Controllers: deployments, services, garbage collection and policies."""
