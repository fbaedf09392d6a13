"""The local target: the app runs in a container on the Docker Engine of this machine."""

from mldeploy.providers.local.provider import LocalProvider

provider = LocalProvider()
