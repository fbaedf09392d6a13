"""The Docker Engine: which one it is, and whether it can do what is wanted."""
