"""Audiences: what a token of Entra's is good for; each is called by any of its names."""

from __future__ import annotations

MANAGEMENT = ("https://management.azure.com", "https://management.core.windows.net")
REGISTRIES = ("https://containerregistry.azure.net",)
