"""Ingress controller: one address for all Ingresses of its class.

https://kubernetes.io/docs/concepts/services-networking/ingress/, with the behaviour of ingress-nginx
(https://kubernetes.github.io/ingress-nginx/user-guide/tls/).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from functools import partial

from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.kubernetes.control.loop import NORMAL, WARNING, Recorder, is_terminating
from mldeploy.rehearsal.kubernetes.edge.proxy import CertificateError, CertificateStore, EdgeProxy, ServerCertificates
from mldeploy.rehearsal.kubernetes.edge.routing import Backend, RoutingRule, RoutingTable
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey, key_of

CLASS, CONTROLLER = "nginx", "k8s.io/ingress-nginx"
HTTP, HTTPS = 80, 443


class IngressController:
    """Listens from the first Ingress until `close`. pace: seconds; an Ingress gets its address after two of them."""

    def __init__(self, store: Store, addresses: PublicAddressPool, pace: float) -> None:
        self._store = store
        self._addresses = addresses
        self._pace = pace
        self._recorder = Recorder(store, "nginx-ingress-controller")
        self._table = RoutingTable(store)
        self._keys = CertificateStore(store)
        self._certificates = ServerCertificates()
        self._front: EdgeProxy | None = None
        self._listen_error = ""
        self._seen: dict[str, float] = {}
        self._recorded: dict[str, int] = {}

    def sync(self) -> None:
        mine = sorted(filter(self._is_mine, self._store.list(kinds.INGRESSES)), key=age)
        if mine and self._front is None and not self._listen_error:
            self._open()
        named: dict[str, ssl.SSLContext] = {}
        rules: list[RoutingRule] = []
        for each in mine:
            contexts = self._certificates_of(each)
            named = {**contexts, **named}
            rules += list_ingress_rules(each, frozenset(contexts))
        self._certificates.named = named
        self._table.rules = {HTTP: rules, HTTPS: rules}
        for each in mine:
            self._report(each)

    def close(self) -> None:
        """Stop listening, return the address and clear all state."""
        if self._front is not None:
            self._front.close()
            self._addresses.give_back(self._front.address)
        self._front, self._listen_error = None, ""
        self._seen.clear()
        self._recorded.clear()

    def _is_mine(self, ingress: Object) -> bool:
        """Whether the Ingress has this controller's class."""
        ingress_class = self._store.get(
            ObjectKey(kinds.INGRESS_CLASSES, "", ingress["spec"].get("ingressClassName", ""))
        )
        return (
            ingress_class is not None
            and ingress_class["spec"].get("controller") == CONTROLLER
            and not is_terminating(ingress)
        )

    def _open(self) -> None:
        address = self._addresses.take()
        try:
            self._front = EdgeProxy(address, {HTTP: None, HTTPS: self._certificates.context}, self._table)
        except OSError as error:
            self._addresses.give_back(address)
            self._listen_error = f"the ingress controller cannot listen on its ports: {error}"

    def _certificates_of(self, ingress: Object) -> Mapping[str, ssl.SSLContext]:
        """TLS contexts by host name. Invalid certificates cause an event; the default certificate is used instead."""
        contexts: dict[str, ssl.SSLContext] = {}
        for host, secret in _secrets(ingress):
            namespace = ingress["metadata"]["namespace"]
            try:
                contexts[host] = self._keys.context(namespace, secret, host)
            except CertificateError as error:
                text = f'Error getting SSL certificate "{namespace}/{secret}": {error}. Using default certificate'
                self._recorder.record_once(ingress, WARNING, "SSLCertificate", text)
        return contexts

    def _report(self, ingress: Object) -> None:
        uid, generation = ingress["metadata"]["uid"], ingress["metadata"]["generation"]
        if self._recorded.get(uid) != generation:
            self._recorded[uid] = generation
            self._recorder.record(ingress, NORMAL, "Sync", "Scheduled for sync")
        waited = time.monotonic() - self._seen.setdefault(uid, time.monotonic())
        if self._front is None:
            self._recorder.record_once(ingress, WARNING, "Sync", self._listen_error)
        elif waited >= 2 * self._pace:
            status = {"loadBalancer": {"ingress": [{"ip": self._front.address}]}}
            self._store.edit(key_of(kinds.INGRESSES, ingress), partial(_set_status, status))


def list_ingress_rules(ingress: Object, certified: frozenset[str]) -> Iterator[RoutingRule]:
    """List the routing rules of an Ingress. certified: hosts with a certificate; HTTP is redirected to HTTPS."""
    namespace, spec = ingress["metadata"]["namespace"], ingress["spec"]
    default = _backends(namespace, spec.get("defaultBackend"))
    for rule in spec.get("rules") or ():
        host = rule.get("host", "")
        paths = (rule.get("http") or {}).get("paths") or ()
        for path in paths:
            exact, secure = path["pathType"] == "Exact", host in certified
            yield RoutingRule(
                host, path.get("path") or "/", _backends(namespace, path["backend"]), exact, secure=secure
            )
        if default and not any(path.get("path") in ("", "/", None) for path in paths):
            yield RoutingRule(host, "/", default)
    if default:
        yield RoutingRule("", "/", default)


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
    """Sort key: the oldest object wins a conflict."""
    metadata = document["metadata"]
    return metadata["creationTimestamp"], metadata["namespace"], metadata["name"]


def _set_status(status: Object, document: Object) -> None:
    document["status"] = status
