"""What a cluster holds: types and their schemas, objects and their versions, and what makes one of another."""
