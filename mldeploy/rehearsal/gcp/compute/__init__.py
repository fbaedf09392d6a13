"""Compute Engine: what a cluster leaves there, and the quotas that it must keep to."""
