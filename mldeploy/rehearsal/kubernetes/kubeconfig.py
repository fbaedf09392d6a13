"""How kubectl finds the cluster. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/"""

from __future__ import annotations

import base64
import json
from pathlib import Path

FILE, NAME = "kubeconfig", "rehearsal"


def write(folder: Path, url: str, authority: bytes, token: str) -> Path:
    """A file for `kubectl --kubeconfig`, for nobody else to read. Where it is."""
    path = folder / FILE
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": {"server": url, "certificate-authority-data": _coded(authority)}}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    return path


def _coded(content: bytes) -> str:
    return base64.b64encode(content).decode()
