"""What is used of the Kubernetes SDK, imported in one place.

`kubernetes` imports its dynamic client, and that the package kubernetes-validate if there is one: 1.5 s of reading
grammars for a check that nobody asks for here. So it is not there while the SDK is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNWANTED = "kubernetes_validate"


@contextmanager
def _without(module: str) -> Iterator[None]:
    if module in sys.modules:  # somebody needs it: the time is spent
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # Python's own sign that it cannot be imported
    try:
        yield
    finally:
        del sys.modules[module]


with _without(_UNWANTED):
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import load_incluster_config
    from kubernetes.config.kube_config import KubeConfigMerger, new_client_from_config
    from kubernetes.stream.ws_client import WSClient, create_websocket, get_websocket_url

__all__ = [
    "ApiClient",
    "ApiException",
    "ConfigException",
    "Configuration",
    "KubeConfigMerger",
    "WSClient",
    "create_websocket",
    "get_websocket_url",
    "load_incluster_config",
    "new_client_from_config",
]
