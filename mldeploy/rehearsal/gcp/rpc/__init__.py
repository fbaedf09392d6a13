"""gRPC services: methods, fault injection, and connections that can break."""

"""gRPC services: methods, fault injection, and connections that can break."""
