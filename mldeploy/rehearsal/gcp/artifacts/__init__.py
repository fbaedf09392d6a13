"""Artifact Registry: repositories, whose images are in a real registry."""
