"""The targets that a workflow can be written for, from what their packages declare."""

from __future__ import annotations

from mldeploy.providers import registry

TARGETS = tuple(each.name for each in registry.usable_declarations() if each.sign_in)
