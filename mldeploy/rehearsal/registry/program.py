"""A real registry, running as a program of its own: `distribution`, which Docker Hub's image `registry` holds, too."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import requests

from mldeploy.rehearsal.errors import RehearsalError

PROGRAMS = ("docker-registry", "registry")
"""Its names: Debian's, and its makers'."""
_START_SECONDS = 20.0


class RegistryProgram:
    """The program, started at once, without any authentication: nobody but the door before it may reach it.

    address: HOST:PORT to listen on. folder: takes its storage, configuration and log. Raises RehearsalError if there is
    no such program, or if it does not start.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self.url = f"http://{address}"
        self._storage = folder / "storage"
        self._log = folder / "registry.log"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "registry.json"
        configuration.write_text(json.dumps(_configuration(address, self._storage)), encoding="utf-8")  # JSON is YAML
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program(), "serve", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,  # a Ctrl-C that is meant for a test is not meant for it
            )
        self._wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def forget(self, repository: str = "") -> None:
        """Remove all images of a repository, or of all; that there are none is no error.

        Their layers stay: another push of them, in another test, need not transfer them again.
        """
        folder = self._storage / "docker" / "registry" / "v2" / "repositories" / repository
        for manifests in list(folder.rglob("_manifests")):
            shutil.rmtree(manifests, ignore_errors=True)

    def delete(self, repository: str, digest: str) -> None:
        """Remove one image with all its tags; that it is not there is no error."""
        requests.delete(f"{self.url}/v2/{repository}/manifests/{digest}", timeout=60)

    def close(self) -> None:
        """End it, and wait for that. May be repeated."""
        self._process.kill()  # it holds nothing that would be worth a farewell
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/v2/", timeout=5).ok:
                    return
            time.sleep(0.02)
        self.close()
        end = "\n".join(self._log.read_text(errors="replace").splitlines()[-3:])
        raise RehearsalError("rehearsal", f"the registry does not start: {end}", f"Its log is {self._log}.")


def program() -> str:
    """Its path. Raises RehearsalError with what to install."""
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    todo = "Install it: `apt-get install docker-registry` on Debian and Ubuntu, `brew install distribution` elsewhere."
    raise RehearsalError("rehearsal", "there is no registry on this machine to rehearse with", todo)


def _configuration(address: str, storage: Path) -> dict[str, object]:
    """Standard: distribution 2.8, "Configuring a registry"."""
    return {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": {"addr": address, "relativeurls": True},
    }
