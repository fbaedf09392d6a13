"""A real registry, and the door before it that asks for a cloud's passwords and knows a cloud's repositories."""
