"""Ingress and Gateway API controllers."""
