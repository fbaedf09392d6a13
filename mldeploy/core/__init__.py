"""The engine: steps, the walk over them, and what survives a crash. Standard library only."""
