"""Which certificate a name is answered with: those in Secrets of type kubernetes.io/tls, else one that nobody trusts.

https://kubernetes.io/docs/concepts/services-networking/ingress/#tls
"""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping

import trustme
from cryptography import x509

from mldeploy.rehearsal.kubernetes.edge.routing import covers
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object

_NAMES = x509.SubjectAlternativeName


class CertificateError(Exception):
    """There is none in a Secret, or it cannot be used; the text says why."""


class Certificates:
    """A server's. named: by host name or pattern; `context`: what the server is given."""

    def __init__(self) -> None:
        self.named: Mapping[str, ssl.SSLContext] = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA(organization_name="an ingress controller").issue_cert("ingress.local").configure_cert(self.context)
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """RFC 6066, section 3: the client says first which name it wants."""
        fitting = [each for each in self.named if covers(each, name or "", deep=False)]
        if fitting:
            connection.context = self.named[max(fitting, key=lambda each: (not each.startswith("*"), len(each)))]


class Keyring:
    """Reads certificates out of Secrets, each version of one once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], tuple[ssl.SSLContext, x509.Certificate]] = {}

    def context(self, namespace: str, name: str, host: str) -> ssl.SSLContext:
        """For a host name or a pattern; "": for whatever it says itself. Raises CertificateError."""
        secret = self._store.get(Key(kinds.SECRETS, namespace, name))
        if secret is None:
            raise CertificateError(f"secret {namespace}/{name} was not found")
        metadata = secret["metadata"]
        version = (metadata["uid"], metadata["resourceVersion"])
        if version not in self._known:
            self._known[version] = _read(f"{namespace}/{name}", secret)
        context, certificate = self._known[version]
        if host and not any(covers(each, host, deep=False) for each in names_of(certificate)):
            said = ", ".join(names_of(certificate)) or "no name"
            raise CertificateError(f"the certificate in secret {namespace}/{name} is valid for {said}, not {host}")
        return context


def names_of(certificate: x509.Certificate) -> list[str]:
    """RFC 6125: a common name does not count."""
    try:
        found = certificate.extensions.get_extension_for_class(_NAMES).value
    except x509.ExtensionNotFound:
        return []
    return list(found.get_values_for_type(x509.DNSName))


def _read(place: str, secret: Object) -> tuple[ssl.SSLContext, x509.Certificate]:
    data = secret.get("data") or {}
    parts = []
    for name in ("tls.crt", "tls.key"):
        if not data.get(name):
            raise CertificateError(f"secret {place} has no {name}")
        try:
            parts.append(base64.b64decode(data[name], validate=True))
        except binascii.Error as error:
            raise CertificateError(f"{name} in secret {place} cannot be read: {error}") from error
    chain, key = parts
    try:
        certificate = x509.load_pem_x509_certificate(chain)
    except ValueError as error:
        raise CertificateError(f"tls.crt in secret {place} is no certificate in PEM") from error
    return _context(place, chain, key), certificate


def _context(place: str, chain: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:  # the library reads files alone; nobody else may read this one
        file.write(key + b"\n" + chain)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise CertificateError(f"tls.key in secret {place} is no key, or not that of tls.crt") from error
    return context
