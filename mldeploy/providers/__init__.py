"""Where an app can be deployed to: one folder a provider, behind one interface."""

from mldeploy.providers.declaration import TargetDeclaration

TARGETS = (TargetDeclaration("local", completion="mldeploy.providers.local.completion:complete"),)
"""The target whose provider's module is the package `local` itself."""
