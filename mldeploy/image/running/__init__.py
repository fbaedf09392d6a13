"""The app in a container on an engine: what the container is made of, how it is examined, why it is not let in."""
