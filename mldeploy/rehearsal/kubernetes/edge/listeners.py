"""A Gateway's listeners, and what is wrong with them. https://gateway-api.sigs.k8s.io/reference/spec/#listener"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from mldeploy.rehearsal.kubernetes.edge.certificates import CertificateError, Keyring
from mldeploy.rehearsal.kubernetes.objects.types import Object

PROTOCOLS = ("HTTP", "HTTPS")


@dataclass(frozen=True)
class Listener:
    """host: a name or a pattern, "" for all. unsupported, unresolved: a reason and a message, or nothing is wrong."""

    name: str
    port: int
    protocol: str
    host: str
    context: ssl.SSLContext | None = None
    unsupported: tuple[str, str] = ("", "")
    unresolved: tuple[str, str] = ("", "")

    @property
    def is_safe(self) -> bool:
        return self.protocol == "HTTPS"

    @property
    def is_good(self) -> bool:
        """It can listen: nobody is answered in clear, or under a name that is not proven, in place of HTTPS."""
        return not self.unsupported[0] and not self.unresolved[0]


def examined(keys: Keyring, gateway: Object) -> Sequence[Listener]:
    """All of a Gateway's."""
    return [_examined(keys, gateway, each) for each in gateway["spec"]["listeners"]]


def _examined(keys: Keyring, gateway: Object, each: Object) -> Listener:
    name, port, protocol, host = each["name"], each["port"], each["protocol"], each.get("hostname", "")
    if protocol not in PROTOCOLS:
        why = ("UnsupportedProtocol", f"{protocol} is none of {', '.join(PROTOCOLS)}")
        return Listener(name, port, protocol, host, unsupported=why)
    others = gateway["spec"]["listeners"]
    if any(other["port"] == port and other["protocol"] != protocol for other in others):
        return Listener(name, port, protocol, host, unsupported=("ProtocolConflict", f"port {port} has two protocols"))
    if protocol == "HTTP":
        return Listener(name, port, protocol, host)
    tls = each.get("tls") or {}
    if tls.get("mode", "Terminate") != "Terminate":
        return Listener(name, port, protocol, host, unsupported=("UnsupportedValue", "only Terminate is supported"))
    context, problem = _context(keys, gateway["metadata"]["namespace"], tls, host)
    return Listener(name, port, protocol, host, context, unresolved=problem)


def _context(keys: Keyring, own: str, tls: Object, host: str) -> tuple[ssl.SSLContext | None, tuple[str, str]]:
    for reference in tls.get("certificateRefs") or ():
        namespace, name = reference.get("namespace", own), reference["name"]
        if (reference.get("group", ""), reference.get("kind", "Secret")) != ("", "Secret"):
            return None, ("InvalidCertificateRef", f"{reference.get('kind')} {name} is no Secret")
        if namespace != own:
            text = f"Secret {name} is in another namespace, and no ReferenceGrant permits it"
            return None, ("RefNotPermitted", text)
        try:
            return keys.context(namespace, name, host), ("", "")
        except CertificateError as error:
            return None, ("InvalidCertificateRef", str(error))
    return None, ("InvalidCertificateRef", "certificateRefs names no certificate")
