"""Where an app can be deployed to: one folder a provider, behind one interface."""
