"""The local target: the app runs in a container on the Docker Engine of this machine."""

from mldeploy.providers.base import Provider
from mldeploy.providers.local.cloud import LocalCloud
from mldeploy.providers.local.provider import LocalProvider
from mldeploy.providers.local.settings import LocalSettings

provider: Provider[LocalCloud, LocalSettings] = LocalProvider()
