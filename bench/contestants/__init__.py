"""The tools that bring one model to an image, each behind the same interface."""
