"""Checks of the network: whether registries and package indexes are reachable."""
