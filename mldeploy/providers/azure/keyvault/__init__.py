"""The key vault of an app: its secrets and access keys, and who may read them."""
