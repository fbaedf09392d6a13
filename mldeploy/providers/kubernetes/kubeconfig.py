"""Which cluster, and with whose credentials: what a kubeconfig says, a pod's own account, or a stand-in's.

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
from mldeploy.providers.kubernetes.api import Kube, prepare
from mldeploy.providers.kubernetes.errors import CredentialsError
from mldeploy.providers.kubernetes.reading import Document, rows, table, text
from mldeploy.providers.kubernetes.sdk import (
    ApiClient,
    ConfigException,
    Configuration,
    KubeConfigMerger,
    load_incluster_config,
    new_client_from_config,
)

VARIABLE = "KUBECONFIG"
USUAL = "~/.kube/config"
IN_POD = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets it in every container."""


@dataclass(frozen=True)
class Access:
    """A client, and the name of the context that it comes from: "" without a kubeconfig."""

    kube: Kube
    context: str = ""


def enter(context: str, endpoints: Endpoints) -> Access:
    """Find a cluster and credentials for it. No call is made to it; a plugin of the kubeconfig may be run.

    context: "" for the current one. Raises CredentialsError.
    """
    if endpoints.url:
        return Access(Kube(_given(endpoints)))
    where = os.environ.get(VARIABLE) or USUAL
    paths = [Path(each).expanduser() for each in where.split(os.pathsep) if each]
    if any(path.exists() for path in paths):
        return _configured(where, context)
    if os.environ.get(IN_POD) and not context:
        return Access(Kube(_in_pod()))
    what = f"no kubeconfig was found: {where} does not exist"
    todo = f"Let your cluster's tool write one, or name its path in {VARIABLE}."
    raise CredentialsError("Kubernetes", what, todo)


def _given(endpoints: Endpoints) -> ApiClient:
    """With a stand-in's credentials; it is on this machine, so no proxy leads to it."""
    token = endpoints.credential("token")
    configuration = Configuration(
        host=endpoints.url,
        ssl_ca_cert=str(endpoints.ca_bundle) if endpoints.ca_bundle else None,
        proxy="",
        api_key={"BearerToken": f"Bearer {token.reveal()}"} if token else None,
    )
    return ApiClient(prepare(configuration))


def _configured(where: str, context: str) -> Access:
    config = _read(where)
    names = [text(each, "name") for each in rows(config, "contexts")]
    chosen = context or text(config, "current-context")
    if chosen not in names:
        what = f"there is no context {chosen!r} in {where}" if chosen else f"{where} has no current context"
        todo = f"Name one of these with --context: {', '.join(names) or 'there are none'}."
        raise CredentialsError("kubeconfig", what, todo)
    configuration = Configuration()
    with _heard() as said:
        try:
            client = new_client_from_config(where, chosen, persist_config=False, client_configuration=configuration)
        except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(where, chosen, error) from error
    if said and not configuration.api_key and not configuration.cert_file:
        todo = "Run that program by hand, and sign in as it asks; or install it."
        raise CredentialsError(f"kubeconfig, context {chosen}", f"its plugin gives no credentials: {said[0]}", todo)
    if not configuration.verify_ssl:  # as the user wants it: nobody needs to be told at each call
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
    prepare(configuration)
    client.close()
    return Access(Kube(ApiClient(configuration)), chosen)


def _read(where: str) -> Document:
    """All files together, as the SDK merges them."""
    try:
        config = KubeConfigMerger(where).config
        found = {key: _plain(config.safe_get(key)) for key in ("contexts", "current-context")}
    except (ConfigException, OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _broken(where, "", error) from error
    return table({"config": found}, "config")


def _plain(value: object) -> object:
    """The SDK wraps each entry, to remember its file."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return getattr(value, "value", value)


def _broken(where: str, context: str, error: Exception) -> CredentialsError:
    reason = " ".join(str(error).split()) or type(error).__name__
    of = f", context {context}" if context else ""
    return CredentialsError(
        f"kubeconfig{of}", f"{where} cannot be used: {reason}", "Correct it: `kubectl config view`."
    )


def _in_pod() -> ApiClient:
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        what = f"this pod has no service account to use: {error}"
        raise CredentialsError("Kubernetes", what, f"Name a kubeconfig in {VARIABLE}.") from error
    return ApiClient(prepare(configuration))


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(" ".join(record.getMessage().split()))


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the SDK says to the root logger rather than to its caller: why a plugin failed."""
    root, ear = logging.getLogger(), _Ear()
    others, root.handlers = root.handlers, [ear]
    try:
        yield ear.said
    finally:
        root.handlers = others
