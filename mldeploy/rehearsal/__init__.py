"""Stand-ins for the clouds on this machine, for `--rehearse` and for tests. Independent of the providers."""

"""Stand-ins for the clouds on this machine, for `--rehearse` and for tests. Independent of the providers."""
