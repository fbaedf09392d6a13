"""Asking at an address for a host name that leads nowhere by itself, and certificates for such names."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import trustme
import urllib3
from urllib3.exceptions import MaxRetryError, SSLError


@dataclass(frozen=True)
class Issuer:
    """An authority of a test's own. folder: where its certificate is put for clients."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def of(cls, folder: Path) -> Issuer:
        made = cls(folder, trustme.CA())
        made.bundle.write_bytes(made.authority.cert_pem.bytes())
        return made

    @property
    def bundle(self) -> Path:
        return self.folder / "issuer.pem"

    def secret(self, name: str, *hosts: str) -> dict[str, Any]:
        """A Secret with a certificate for these names."""
        issued = self.authority.issue_cert(*hosts)
        chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
        parts = {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes()}
        data = {key: base64.b64encode(value).decode() for key, value in parts.items()}
        return {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data}


def asked(address: str, host: str, path: str = "/", *, port: int = 80) -> requests.Response:
    """Over HTTP; a redirect is not followed."""
    url, headers = f"http://{address}:{port}{path}", {"Host": host}
    return requests.get(url, headers=headers, timeout=10, allow_redirects=False)


def asked_safely(address: str, host: str, issuer: Issuer, path: str = "/", *, port: int = 443) -> int:
    """Over HTTPS: the status. Raises SSLError for a certificate that is not the issuer's, or for another name."""
    with urllib3.HTTPSConnectionPool(
        address,
        port=port,
        server_hostname=host,
        assert_hostname=host,
        ca_certs=str(issuer.bundle),
        timeout=10,
        retries=False,
    ) as pool:
        return int(pool.request("GET", path, headers={"Host": host}).status)


def is_trusted(address: str, host: str, issuer: Issuer) -> bool:
    """Whether the certificate for this name is the issuer's."""
    try:
        asked_safely(address, host, issuer)
    except (SSLError, MaxRetryError):
        return False
    return True
