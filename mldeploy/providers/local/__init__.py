"""The local target: the app runs in a container on the Docker Engine of this machine."""

from mldeploy.image.cloud import EngineCloud
from mldeploy.providers.base import Provider
from mldeploy.providers.local.provider import LocalProvider
from mldeploy.providers.local.settings import LocalSettings

provider: Provider[EngineCloud, LocalSettings] = LocalProvider()
