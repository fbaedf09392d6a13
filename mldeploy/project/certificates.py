"""Read the certificates of a PEM file, without its other contents."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from mldeploy.core.files import UnreadableError, opened
from mldeploy.project.errors import ProjectError, printable_path

_LARGEST = 16 << 20
"""Bytes. A bundle of all public authorities has about a quarter of a MiB."""
_BLOCK = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----\s*(.+?)-----END (?:X509 )?CERTIFICATE-----", re.DOTALL)


def read_certificates(path: Path, where: str) -> bytes:
    """The certificates of a PEM file, written anew: no comment, no private key, no text between them is copied.

    where: the setting that names the file. Raises ProjectError, which quotes nothing of the file: it cannot be read,
    has no certificate, or one that cannot be parsed. Standard: RFC 7468.
    """
    try:
        with opened(path) as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise ProjectError(where, f"there is no file {printable_path(path)}", _TODO_CERTIFICATES) from error
    except UnreadableError as error:
        raise ProjectError(where, f"{printable_path(path)} {error.what}", _TODO_CERTIFICATES) from error
    blocks = [] if len(data) > _LARGEST else _BLOCK.findall(data)
    if not blocks:
        raise ProjectError(where, f"{printable_path(path)} contains no certificate", _TODO_CERTIFICATES)
    return b"".join(_parse_all(blocks, f"{printable_path(path)}: certificate", where))


_TODO_CERTIFICATES = "Set it to a PEM file of certificates, or remove the setting."


def _parse_all(blocks: list[bytes], name: str, where: str) -> Iterator[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, block in enumerate(blocks, 1):
        try:
            text = block.decode("ascii")
            der = ssl.PEM_cert_to_DER_cert(f"{ssl.PEM_HEADER}\n{text.strip()}\n{ssl.PEM_FOOTER}")
            context.load_verify_locations(cadata=der)
        except (ValueError, ssl.SSLError):  # no ASCII, no base64, no certificate
            raise ProjectError(where, f"{name} {number} cannot be parsed", _TODO_CERTIFICATES) from None
        yield ssl.DER_cert_to_PEM_cert(der).encode()
