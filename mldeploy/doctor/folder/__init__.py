"""The app's folder: what of it gets into the image, and what an earlier command left undone."""
