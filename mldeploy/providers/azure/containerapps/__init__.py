"""The target `containerapps`: the app as a container app of Azure Container Apps."""
