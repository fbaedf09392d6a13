"""A real registry in a subprocess: `distribution`, which is also in Docker Hub's image `registry`.

It has no authentication. It listens on a Unix socket in a private folder, so that clients must use the gateway.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import requests
from docker.transport.unixconn import UnixHTTPAdapter

from mldeploy.rehearsal.gateway.proxy import Upstream, direct_session
from mldeploy.rehearsal.record import RehearsalError

PROGRAMS = ("docker-registry", "registry")
"""Program names: Debian's, and upstream's."""
_START_SECONDS = 120.0
_SOCKET = "registry.sock"
_TIED = 'exec 3<&0 0</dev/null; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec 3<&-; exec "$@"'
"""A shell script that executes its arguments, and kills them when its standard input is closed.

The kernel closes that pipe also if the parent is killed. `exec` keeps the process id, which is not reused before
`close` has waited for the process.
"""


class RegistryProgram:
    """A running registry without authentication. `upstream` connects to it.

    folder: for storage, configuration, log and socket. address: HOST:PORT to listen on instead of the socket, for tests
    of clients without a password. Raises RehearsalError if the program is not installed or does not start.
    """

    def __init__(self, folder: Path, address: str = "") -> None:
        self._storage = folder / "storage"
        self._log = folder / "registry.log"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = -1 if address else os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.upstream = Upstream(f"http://{address}") if address else _socket_upstream(self._folder)
        configuration = folder / "registry.json"
        configuration.write_text(json.dumps(_configuration(address, self._storage)), encoding="utf-8")  # JSON is YAML
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _TIED, "sh", find_program(), "serve", str(configuration)],
                stdin=subprocess.PIPE,  # its end stops the registry, also if this process is killed
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,  # Ctrl-C in a test must not reach it
            )
        self._wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def forget(self, repository: str = "") -> None:
        """Delete all images of one repository, or of all. May be repeated.

        Layers stay, so that a later push need not transfer them again.
        """
        folder = self._storage / "docker" / "registry" / "v2" / "repositories" / repository
        for manifests in list(folder.rglob("_manifests")):
            shutil.rmtree(manifests, ignore_errors=True)

    def delete(self, repository: str, digest: str) -> None:
        """Delete one image with all its tags. May be repeated."""
        self.upstream.session.delete(f"{self.upstream.url}/v2/{repository}/manifests/{digest}", timeout=60)

    def close(self) -> None:
        """Stop it and wait for its end. May be repeated."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()  # it has no state to save
        self._process.wait()
        self.upstream.session.close()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(requests.RequestException):
                if self.upstream.session.get(f"{self.upstream.url}/v2/", timeout=60).ok:
                    return
            time.sleep(0.02)
        self.close()
        end = "\n".join(self._log.read_text(errors="replace").splitlines()[-3:])
        raise RehearsalError("rehearsal", f"the registry does not start: {end}", f"Its log is {self._log}.")


def find_program() -> str:
    """Find the registry program. Raises RehearsalError with what to install."""
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    todo = "Install it: `apt-get install docker-registry` on Debian and Ubuntu, `brew install distribution` elsewhere."
    raise RehearsalError("rehearsal", "no registry program is installed on this machine", todo)


def _socket_upstream(folder: int) -> Upstream:
    """Connect through the open folder: a socket path is limited to 107 bytes (unix(7))."""
    session = direct_session()
    session.mount("http+unix://", UnixHTTPAdapter(f"http+unix:///proc/self/fd/{folder}/{_SOCKET}", timeout=300))
    return Upstream("http+unix://registry", session)


def _configuration(address: str, storage: Path) -> dict[str, object]:
    """Standard: distribution 2.8, "Configuring a registry". A relative socket is one in the current folder."""
    listener = {"addr": address} if address else {"net": "unix", "addr": _SOCKET}
    return {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {**listener, "relativeurls": True},
    }
