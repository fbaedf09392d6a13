"""A real image registry, and the gateway in front of it."""

"""A real image registry, and the gateway in front of it."""
