"""The target `cloudrun`: the app as a service of Cloud Run."""
