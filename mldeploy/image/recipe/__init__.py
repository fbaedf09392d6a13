"""Our own recipe, as a Dockerfile, and what it is filled with."""
