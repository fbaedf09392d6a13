"""Containers for tasks, pods and sites, each at its own address."""

"""Containers for tasks, pods and sites, each at its own address."""
