"""A certificate authority that nobody but this rehearsal's own clients trusts."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

FILE = "ca.pem"


class Authority:
    """Its certificate is in `bundle`, for clients to trust. folder: where that file goes."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="mldeploy rehearsal")
        self.bundle = folder / FILE
        self.bundle.write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self._authority.cert_pem.bytes()

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server needs that is called so: host names, IP addresses. Nothing is asked of its clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def pair(self, *names: str) -> tuple[bytes, bytes]:
        """A private key, and the chain that belongs to it, both in PEM: for servers that take no context."""
        issued = self._authority.issue_cert(*names)
        return issued.private_key_pem.bytes(), b"".join(each.bytes() for each in issued.cert_chain_pems)
