"""Checks of the Docker Engine."""
