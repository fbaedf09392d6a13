"""How a workflow signs in, one module a platform: the steps for it, and the trust that is set up once before it."""
