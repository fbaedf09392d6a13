"""The engine's two builders: one build, its progress, and its errors."""
