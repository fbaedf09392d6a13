"""The gateway of every stand-in: it logs API calls, injects faults and serves the control API."""

"""The gateway of every stand-in: it logs API calls, injects faults and serves the control API."""
