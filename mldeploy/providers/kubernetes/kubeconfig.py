"""Cluster and credentials: from a kubeconfig, a pod's service account, or a stand-in.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3.exceptions
import yaml

from mldeploy.config.endpoints import Endpoints
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.scratch import process_folder
from mldeploy.providers.kubernetes.api import KubeClient, configure_client
from mldeploy.providers.kubernetes.documents import Document, rows, table, text
from mldeploy.providers.kubernetes.errors import (
    ApiClient,
    ConfigException,
    Configuration,
    KubeConfigMerger,
    KubernetesCredentialsError,
    load_incluster_config,
    load_kube_config,
)

VARIABLE = "KUBECONFIG"
_PROBLEMS = (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError)
DEFAULT_PATH = "~/.kube/config"
IN_POD = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in every container."""


@dataclass(frozen=True)
class ClusterAccess:
    """A client, and the name of its kubeconfig context, "" without a kubeconfig."""

    kube: KubeClient
    context: str = ""


def authenticate(context: str, endpoints: Endpoints) -> ClusterAccess:
    """Return a client for a cluster. Sends no request; may run a credential plugin of the kubeconfig.

    context: "" for the current one. Raises KubernetesCredentialsError.
    """
    if endpoints.url:
        return ClusterAccess(KubeClient(_stand_in_client(endpoints)))
    where = os.environ.get(VARIABLE) or DEFAULT_PATH
    paths = [Path(each).expanduser() for each in where.split(os.pathsep) if each]
    if any(path.exists() for path in paths):
        return _load_context(where, context)
    if os.environ.get(IN_POD) and not context:
        return ClusterAccess(KubeClient(_service_account_client()))
    what = f"there is no kubeconfig: {where} does not exist"
    todo = f"Create one with your cluster's CLI, or set its path in {VARIABLE}."
    raise KubernetesCredentialsError("Kubernetes", what, todo)


def _stand_in_client(endpoints: Endpoints) -> ApiClient:
    """Return a client for a stand-in. It runs on this machine, so no proxy is used."""
    token = endpoints.credential("token")
    configuration = Configuration(
        host=endpoints.url,
        ssl_ca_cert=str(endpoints.ca_bundle) if endpoints.ca_bundle else None,
        proxy="",
        api_key={"BearerToken": f"Bearer {token.reveal()}"} if token else None,
    )
    return ApiClient(configure_client(configuration))


def _load_context(where: str, context: str) -> ClusterAccess:
    config = _read_kubeconfig(where)
    names = [text(each, "name") for each in rows(config, "contexts")]
    chosen = context or text(config, "current-context")
    if chosen not in names:
        what = f"there is no context {chosen!r} in {where}" if chosen else f"{where} has no current context"
        todo = f"Name one of these with --context: {', '.join(names) or 'there are none'}."
        raise KubernetesCredentialsError("kubeconfig", what, todo)
    configuration = Configuration()
    with _capture_root_log() as messages:
        try:
            load_kube_config(
                where,
                chosen,
                configuration,
                persist_config=False,
                temp_file_path=str(process_folder()),  # for client keys that the TLS library reads
            )
        except _PROBLEMS as error:
            raise _kubeconfig_error(where, chosen, error) from error
    if messages and not configuration.api_key and not configuration.cert_file:
        todo = "Run the plugin yourself and sign in, or install it."
        raise KubernetesCredentialsError(
            f"kubeconfig, context {chosen}", f"its plugin returns no credentials: {messages[0]}", todo
        )
    if not configuration.verify_ssl:  # the user's choice: no warning at each request
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
    configure_client(configuration)
    return ClusterAccess(KubeClient(ApiClient(configuration)), chosen)


def _read_kubeconfig(where: str) -> Document:
    """Read all files, merged as the SDK does."""
    for path in [Path(each).expanduser() for each in where.split(os.pathsep) if each]:
        try:
            read_bytes(path, limit=STATE_LIMIT)  # the SDK would block on a named pipe
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _kubeconfig_error(where, "", error) from error
    try:
        config = KubeConfigMerger(where).config
        values = {key: _unwrap(config.safe_get(key)) for key in ("contexts", "current-context")}
    except (*_PROBLEMS, yaml.YAMLError, RecursionError) as error:
        raise _kubeconfig_error(where, "", error) from error
    return table({"config": values}, "config")


def _unwrap(value: object) -> object:
    """Unwrap an entry: the SDK wraps each one with its file name."""
    if isinstance(value, list):
        return [_unwrap(each) for each in value]
    return getattr(value, "value", value)


def _kubeconfig_error(where: str, context: str, error: Exception) -> KubernetesCredentialsError:
    reason = " ".join(str(error).split()) or type(error).__name__
    suffix = f", context {context}" if context else ""
    return KubernetesCredentialsError(
        f"kubeconfig{suffix}", f"{where} cannot be used: {reason}", "Correct it: `kubectl config view`."
    )


def _service_account_client() -> ApiClient:
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        what = f"this pod has no usable service account: {error}"
        raise KubernetesCredentialsError("Kubernetes", what, f"Set a kubeconfig in {VARIABLE}.") from error
    return ApiClient(configure_client(configuration))


class _LogCapture(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(" ".join(record.getMessage().split()))


@contextmanager
def _capture_root_log() -> Iterator[list[str]]:
    """Capture what the SDK logs to the root logger: why a plugin failed."""
    root, capture = logging.getLogger(), _LogCapture()
    others, root.handlers = root.handlers, [capture]
    try:
        yield capture.messages
    finally:
        root.handlers = others
