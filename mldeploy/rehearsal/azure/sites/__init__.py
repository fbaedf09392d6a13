"""App Service: sites and slots, each with containers behind a front end."""
