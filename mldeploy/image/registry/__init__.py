"""Registries: who may push to them, what they hold, and pushing an image (OCI distribution spec 1.1)."""
