"""Of a certificate bundle, certificates are copied and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from mldeploy.project.certificates import read_certificates
from mldeploy.project.errors import ProjectError

KEY = b"aws_secret_access_key = hunter2\n"


def test_only_certificates_are_copied(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = authority.cert_pem.bytes()
    file = tmp_path / "all.pem"
    file.write_bytes(KEY + pem + authority.private_key_pem.bytes() + KEY + pem)
    copied = read_certificates(file, "build.ca_bundle")
    assert copied.split() == (pem + pem).split()
    assert b"hunter2" not in copied
    assert b"PRIVATE" not in copied


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (KEY, "contains no certificate"),
        (b"", "contains no certificate"),
        (trustme.CA().private_key_pem.bytes(), "contains no certificate"),
        (b"-----BEGIN CERTIFICATE-----\n" + KEY + b"-----END CERTIFICATE-----\n", "cannot be parsed"),
        (b"-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n", "cannot be parsed"),
    ],
)
def test_what_is_no_certificate_is_refused_and_not_quoted(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(ProjectError, match=what) as caught:
        read_certificates(file, "build.ca_bundle")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self", "/nowhere.pem"])
def test_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ProjectError):
        read_certificates(Path(path), "build.ca_bundle")
