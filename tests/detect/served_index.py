"""An index and a Git repository that a test serves from a folder."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a new folder, at this address."""
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(index: Path, name: str, version: str, needs: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> None:
    """An empty wheel in an index (PEP 503)."""
    folder, stem = index / name, name.replace("-", "_")
    folder.mkdir(parents=True)
    wheel = folder / f"{stem}-{version}-py3-none-any.whl"
    info = f"{stem}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        [*(f"Provides-Extra: {each}\n" for each in extras), *(f"Requires-Dist: {each}\n" for each in needs)]
    )
    files = {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    records = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*records, f"{info}/RECORD,,", ""]))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "index.html").write_text(
        f'<html><body><a href="{wheel.name}#sha256={digest}">{wheel.name}</a></body></html>'
    )


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


BACKEND = """from pathlib import Path


def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder) / "tools-2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tools\\nVersion: 2\\nRequires-Dist: below\\n")
    return info.name
"""
"""A build backend (PEP 517) that says what the package is, and needs nothing of an index."""


def repository(site: Path) -> str:
    """A package in a bare repository that a plain web server can serve; its commit."""
    work, bare = site.parent / "work", site / "tools.git"
    work.mkdir()
    (work / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tools"\nversion = "2"\ndependencies = ["below"]\n'
    )
    (work / "backend.py").write_text(BACKEND)
    git = partial(
        subprocess.run, check=True, capture_output=True, text=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    )
    git(["git", "init", "-q", "-b", "main", str(work)])
    git(["git", "-C", str(work), "add", "."])
    git(["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-qm", "x"])
    git(["git", "clone", "-q", "--bare", str(work), str(bare)])
    git(["git", "-C", str(bare), "update-server-info"])
    return git(["git", "-C", str(work), "rev-parse", "HEAD"]).stdout.strip()
