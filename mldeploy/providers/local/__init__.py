"""The local target: the app runs in a container on the Docker Engine of this machine."""

from mldeploy.providers.declaration import TargetDeclaration
from mldeploy.providers.local.provider import LocalProvider

TARGETS = (TargetDeclaration("local", completion="mldeploy.providers.local.completion:complete"),)
provider = LocalProvider()
