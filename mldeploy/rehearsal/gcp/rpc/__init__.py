"""gRPC as Google's APIs speak it: the methods that are played, the door before them, a connection that can break."""
