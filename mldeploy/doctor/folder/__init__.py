"""Checks of the app's folder: the image's files, and interrupted commands."""
