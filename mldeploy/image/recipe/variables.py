"""The variables of our own recipe, `Dockerfile.template`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.config.settings import LockExport, Project
from mldeploy.image.recipe.lock_export import export_command, exported_file
from mldeploy.image.recipe.serving import GunicornFile, server_command, server_interface, start_folder

TEMPLATE = Path(__file__).parents[1] / "Dockerfile.template"
"""A symlink in the repository, a file once installed."""

USER = 10001
"""User and group of the app in the container: not root, and unused on hosts."""

THREADS = 4
"""Default threads per worker. docs/decisions has the measurements."""

INDEXES = "indexes.txt"
"""The file with the indexes of a lock. `uv export` would write them with the credentials of the build."""

PROXY_ARGS = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})
"""Predefined build arguments, in either case. Undeclared, they are not in the image's history."""


@dataclass(frozen=True)
class Pins:
    """The versions of what we install beside the app's own requirements."""

    uv: str = "0.13.8"
    gunicorn: str = "27.0.1"
    dumb_init: str = "1.2.5.post1"
    uvicorn: str = "0.54.0"
    uvicorn_worker: str = "0.4.0"
    httptools: str = "0.9.0"
    websockets: str = "17.4"


@dataclass(frozen=True)
class Recipe:
    """The template's variables."""

    app: str
    base_image: str
    requirements: str
    """Path of the requirements file below builder/requirements/."""
    args: tuple[str, ...]
    """Names of the build arguments for the installation."""
    trusted: bool
    """The context holds builder/certificates.pem."""
    writable: bool
    """The app may write to its folder, so it owns the files."""
    interface: str
    """The interface of the server to install: "wsgi", "asgi", or "" for an app with its own server."""
    command: tuple[str, ...]
    """The container's command."""
    folder: str
    """Its working directory, an absolute path in the image."""
    port: int
    health: str
    workers: int
    threads: int
    index: str = ""
    """The package index, without credentials; empty for the default."""
    extra_indexes: tuple[str, ...] = ()
    secret: bool = False
    """The installation requires credentials."""
    export: str = ""
    """The shell command that writes the requirements that a lock names; empty: there is no lock to export."""
    exported: str = ""
    """The file that they write."""
    torch_backend: str = ""
    """uv's PyTorch backend; empty: as in the requirements and the index."""
    system_packages: tuple[str, ...] = ()
    """Debian packages of the final stage."""
    package: bool = False
    """The context holds package/, from which the project itself is installed."""
    serves_models: bool = False
    """The context holds builder/mldeploy_model/, the server for models of an app without code."""
    user: int = USER
    pins: Pins = Pins()

    @classmethod
    def of(
        cls,
        project: Project,
        own: GunicornFile | None = None,
        torch_backend: str = "",
        lock: LockExport | None = None,
    ) -> Recipe:
        """Return the recipe of a project. own: its gunicorn.conf.py. lock: the lock that the build exports."""
        app, build = project.app, project.build
        return cls(
            app=app.name,
            base_image=build.base_image,
            requirements=INDEXES if lock else build.requirements_file,
            args=tuple(name for name, _ in build.args if name.upper() not in PROXY_ARGS),
            trusted=build.ca_bundle is not None,
            writable=not app.read_only,
            interface=server_interface(app),
            command=server_command(app, own),
            folder=start_folder(app, own),
            port=app.image_port or app.port,
            health=app.image_health or app.health,
            workers=app.workers or math.ceil(app.cpus),
            threads=app.threads or THREADS,
            index=build.index.url if build.index else "",
            extra_indexes=tuple(each.url for each in build.extra_indexes),
            secret=any(each.credentials for each in (build.index, *build.extra_indexes) if each),
            export=export_command(lock, build.requirements_file) if lock else "",
            exported=exported_file(lock) if lock else "",
            torch_backend=torch_backend,
            system_packages=build.system_packages,
            package=build.package,
            serves_models=bool(project.served),
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the layers that it copies, the last first. Below are the system packages and the base."""
        return ("code", "assets", "model", *(("package",) if self.package else ()), "dependencies")

    def digest(self) -> str:
        """Return the SHA-256 of the recipe, without certificates and secrets, which do not change the image."""
        text = f"{TEMPLATE.read_text(encoding='utf-8')}\0{replace(self, trusted=False, secret=False)!r}"
        return hashlib.sha256(text.encode()).hexdigest()
