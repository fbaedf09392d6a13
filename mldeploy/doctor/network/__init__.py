"""The network: whether what a build has to fetch can be reached from here, and by the engine."""
