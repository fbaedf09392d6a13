"""An ingress controller: one address for all Ingresses of its class.

https://kubernetes.io/docs/concepts/services-networking/ingress/; it does what ingress-nginx does
(https://kubernetes.github.io/ingress-nginx/user-guide/tls/).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from functools import partial

from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.kubernetes.control.events import NORMAL, WARNING, Recorder
from mldeploy.rehearsal.kubernetes.control.reading import is_leaving
from mldeploy.rehearsal.kubernetes.edge.certificates import CertificateError, Certificates, Keyring
from mldeploy.rehearsal.kubernetes.edge.door import Front
from mldeploy.rehearsal.kubernetes.edge.routing import Backend, Rule, Table
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, key_of

CLASS, CONTROLLER = "nginx", "k8s.io/ingress-nginx"
HTTP, HTTPS = 80, 443


class IngressController:
    """It answers from its first Ingress on, until `close`. pace: an Ingress learns its address after two phases."""

    def __init__(self, store: Store, addresses: Addresses, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "nginx-ingress-controller")
        self._table = Table(store)
        self._keys = Keyring(store)
        self._certificates = Certificates()
        self._front: Front | None = None
        self._why_not = ""
        self._seen: dict[str, float] = {}
        self._told: dict[str, int] = {}

    def sync(self) -> None:
        mine = sorted(filter(self._is_mine, self._store.list(kinds.INGRESSES)), key=age)
        if mine and self._front is None and not self._why_not:
            self._open()
        named: dict[str, ssl.SSLContext] = {}
        rules: list[Rule] = []
        for each in mine:
            found = self._certificates_of(each)
            named = {**found, **named}
            rules += rules_of(each, frozenset(found))
        self._certificates.named = named
        self._table.rules = {HTTP: rules, HTTPS: rules}
        for each in mine:
            self._tell(each)

    def close(self) -> None:
        """Answer nowhere any more, as if nobody had ever wanted anything."""
        if self._front is not None:
            self._front.close()
            self._addresses.give_back(self._front.address)
        self._front, self._why_not = None, ""
        self._seen.clear()
        self._told.clear()

    def _is_mine(self, ingress: Object) -> bool:
        """An Ingress of no class, or of another's, is none of its business."""
        found = self._store.get(Key(kinds.INGRESS_CLASSES, "", ingress["spec"].get("ingressClassName", "")))
        return found is not None and found["spec"].get("controller") == CONTROLLER and not is_leaving(ingress)

    def _open(self) -> None:
        address = self._addresses.take()
        try:
            self._front = Front(address, {HTTP: None, HTTPS: self._certificates.context}, self._table)
        except OSError as error:
            self._addresses.give_back(address)
            self._why_not = f"the ingress controller cannot listen on its ports: {error}"

    def _certificates_of(self, ingress: Object) -> Mapping[str, ssl.SSLContext]:
        """By host name. Those that cannot be used are told of, and the default one is shown instead."""
        found: dict[str, ssl.SSLContext] = {}
        for host, secret in _secrets(ingress):
            namespace = ingress["metadata"]["namespace"]
            try:
                found[host] = self._keys.context(namespace, secret, host)
            except CertificateError as error:
                text = f'Error getting SSL certificate "{namespace}/{secret}": {error}. Using default certificate'
                self._recorder.tell_once(ingress, WARNING, "SSLCertificate", text)
        return found

    def _tell(self, ingress: Object) -> None:
        uid, generation = ingress["metadata"]["uid"], ingress["metadata"]["generation"]
        if self._told.get(uid) != generation:
            self._told[uid] = generation
            self._recorder.tell(ingress, NORMAL, "Sync", "Scheduled for sync")
        waited = time.monotonic() - self._seen.setdefault(uid, time.monotonic())
        if self._front is None:
            self._recorder.tell_once(ingress, WARNING, "Sync", self._why_not)
        elif waited >= 2 * self._pace:
            status = {"loadBalancer": {"ingress": [{"ip": self._front.address}]}}
            self._store.edit(key_of(kinds.INGRESSES, ingress), partial(_state, status))


def rules_of(ingress: Object, certified: frozenset[str]) -> Iterator[Rule]:
    """certified: the hosts that it has certificates for: whoever asks for them over HTTP is sent to HTTPS."""
    namespace, spec = ingress["metadata"]["namespace"], ingress["spec"]
    default = _backends(namespace, spec.get("defaultBackend"))
    for rule in spec.get("rules") or ():
        host = rule.get("host", "")
        paths = (rule.get("http") or {}).get("paths") or ()
        for path in paths:
            exact, secure = path["pathType"] == "Exact", host in certified
            yield Rule(host, path.get("path") or "/", _backends(namespace, path["backend"]), exact, secure=secure)
        if default and not any(path.get("path") in ("", "/", None) for path in paths):
            yield Rule(host, "/", default)
    if default:
        yield Rule("", "/", default)


def _secrets(ingress: Object) -> Iterator[tuple[str, str]]:
    for each in ingress["spec"].get("tls") or ():
        for host in each.get("hosts") or ():
            if each.get("secretName"):
                yield host, each["secretName"]


def _backends(namespace: str, backend: Object | None) -> tuple[Backend, ...]:
    service = (backend or {}).get("service")
    if not service:
        return ()
    port = service.get("port") or {}
    return (Backend(namespace, service["name"], port.get("name") or port.get("number", 0)),)


def age(document: Object) -> tuple[str, str, str]:
    """The oldest first: it wins where two want the same."""
    metadata = document["metadata"]
    return metadata["creationTimestamp"], metadata["namespace"], metadata["name"]


def _state(status: Object, document: Object) -> None:
    document["status"] = status
