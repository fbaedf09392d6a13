"""A cluster on paper: an API server over real sockets, whose pods live and die as a test says."""
