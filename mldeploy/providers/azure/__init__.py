"""The targets on Azure."""
