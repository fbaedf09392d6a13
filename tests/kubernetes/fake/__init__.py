"""A cluster on fake: an API server over real sockets, whose pods live and die as a test says."""
