"""Our reading of a uv.lock agrees with uv's own: a real lock, over indexes and a repository that the test serves."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement

from tests.detect.package_folders import APP, lines

UV = Path(sys.executable).parent / "uv"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which it is served."""
    root = tmp_path / "site"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield root, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(index: Path, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
    """An empty wheel in an index (PEP 503)."""
    folder, stem = index / name, name.replace("-", "_")
    folder.mkdir(parents=True)
    wheel = folder / f"{stem}-{version}-py3-none-any.whl"
    info = f"{stem}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {each}\n" for each in needs
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


def repository(site: Path) -> str:
    """A package in a bare repository that a plain web server can serve; its commit."""
    work, bare = site.parent / "work", site / "tools.git"
    work.mkdir()
    (work / "pyproject.toml").write_text('[project]\nname = "tools"\nversion = "2"\ndependencies = ["below"]\n')
    git = partial(
        subprocess.run, check=True, capture_output=True, text=True, env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    )
    git(["git", "init", "-q", "-b", "main", str(work)])
    git(["git", "-C", str(work), "add", "."])
    git(["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-qm", "x"])
    git(["git", "clone", "-q", "--bare", str(work), str(bare)])
    git(["git", "-C", str(bare), "update-server-info"])
    return git(["git", "-C", str(work), "rev-parse", "HEAD"]).stdout.strip()


def uv(folder: Path, *arguments: str) -> str:
    """What uv prints, which knows nothing but this folder's own settings."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    environment = keep | {"UV_CACHE_DIR": str(folder.parent / "cache"), "UV_PYTHON_DOWNLOADS": "never"}
    ran = subprocess.run(
        [str(UV), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def reading(texts: list[str]) -> dict[str, str]:
    """What each package is taken as: its version, its repository and commit, or its folder."""
    sources: dict[str, str] = {}
    for text in texts:
        line = text.partition(" --hash")[0].strip()
        if line.startswith("./"):
            sources[line] = "folder"
        elif line and not line.startswith(("--", "#")):
            requirement = Requirement(line)
            url = requirement.url or ""
            wheel = url.partition("#")[0].rpartition("/")[2]
            sources[requirement.name] = (
                f"=={wheel.split('-')[1]}" if wheel.endswith(".whl") else url or str(requirement.specifier)
            )
    return sources


def test_every_source_is_read_as_uv_exports_it(tmp_path: Path, site: tuple[Path, str]) -> None:
    root, address = site
    for name in ("flask", "below", "lib-needs", "only-windows"):
        publish(root / "usual", name, "1.0", ("below",) if name == "flask" else ())
    publish(root / "own", "features", "1.4.0", ("below",))
    commit = repository(root)
    folder = tmp_path / "app"
    (folder / "lib").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "lib" / "pyproject.toml").write_text(
        '[project]\nname = "lib"\nversion = "1"\ndependencies = ["lib-needs"]\n'
    )
    (folder / "pyproject.toml").write_text(f"""
[project]
name = "x"
version = "1"
requires-python = ">=3.11"
dependencies = ["flask", "features", "tools", "lib", "only-windows ; sys_platform == 'win32'"]
[dependency-groups]
dev = ["only-windows"]
[[tool.uv.index]]
name = "usual"
url = "{address}/usual"
default = true
[[tool.uv.index]]
name = "own"
url = "{address}/own"
explicit = true
[tool.uv.sources]
features = {{ index = "own" }}
tools = {{ git = "{address}/tools.git", branch = "main" }}
lib = {{ path = "lib" }}
""")
    uv(folder, "lock", "-q")
    exported = uv(folder, "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", "-q")
    of_uv = reading([line for line in exported.splitlines() if "win32" not in line])
    ours = lines(folder)
    assert reading(ours) == of_uv
    assert of_uv["tools"] == f"git+{address}/tools.git@{commit}"
    assert any(line.startswith(f"features @ {address}/own/features/") and "#sha256=" in line for line in ours)
