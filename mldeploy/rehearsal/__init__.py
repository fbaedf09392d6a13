"""Stand-ins for the clouds on this machine, for `--rehearse` and for the tests. They know nothing of the providers."""
