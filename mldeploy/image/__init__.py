"""The image: its recipe, its build context, the Docker Engine, and the steps that make it."""
