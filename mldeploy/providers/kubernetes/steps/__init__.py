"""The steps of all targets in a cluster."""
