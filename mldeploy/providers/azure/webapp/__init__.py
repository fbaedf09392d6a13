"""The target `webapp`: the app as a Web App for Containers of Azure App Service."""
