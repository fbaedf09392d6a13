"""IAM's decision on each call: which permissions it needs, and whether the caller's policies allow them."""
