"""What decides our own recipe, apart from the files: everything in `Dockerfile.template` that is not constant."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.config.settings import Project
from mldeploy.image.serving import GunicornFile, command, folder, interface

TEMPLATE = Path(__file__).with_name("Dockerfile.template")
"""A link to the one at the root of the repository; a file like any other once installed."""

USER = 10001
"""User and group of the app inside the container: not root, and nobody's number on the host."""

THREADS = 4
"""A worker's threads where the project does not say: docs/decisions has the measurements."""

PROXY_ARGS = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})
"""Arguments that the builder knows by itself, in either case. Not declared, they stay out of the image's history."""


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
    """Names of the build arguments that installing may use."""
    trusted: bool
    """The context holds builder/certificates.pem."""
    writable: bool
    """The app may write beside its code, so the files are its own."""
    interface: str
    """What the server speaks that is to be installed: "wsgi", "asgi", or "" for an app that brings its own."""
    command: tuple[str, ...]
    """What the container runs."""
    folder: str
    """Where it runs: an absolute path in the image."""
    port: int
    health: str
    workers: int
    threads: int
    index: str = ""
    """Where packages come from, without credentials; empty for the usual index."""
    extra_indexes: tuple[str, ...] = ()
    secret: bool = False
    """Installing needs credentials."""
    torch_backend: str = ""
    """Which of PyTorch's builds uv takes; empty: what the requirements and the index say."""
    system_packages: tuple[str, ...] = ()
    """Debian packages of the final stage."""
    user: int = USER
    pins: Pins = Pins()

    @classmethod
    def of(cls, project: Project, own: GunicornFile | None = None, torch_backend: str = "") -> Recipe:
        """The recipe of a project. own: its gunicorn.conf.py."""
        app, build = project.app, project.build
        return cls(
            app=app.name,
            base_image=build.base_image,
            requirements=build.requirements,
            args=tuple(name for name, _ in build.args if name.upper() not in PROXY_ARGS),
            trusted=build.ca_bundle is not None,
            writable=not app.read_only,
            interface=interface(app),
            command=command(app, own),
            folder=folder(app, own),
            port=app.port,
            health=app.health,
            workers=app.workers or math.ceil(app.cpus),
            threads=app.threads or THREADS,
            index=build.index.url if build.index else "",
            extra_indexes=tuple(each.url for each in build.extra_indexes),
            secret=any(each.credentials for each in (build.index, *build.extra_indexes) if each),
            torch_backend=torch_backend,
            system_packages=build.system_packages,
        )

    def digest(self) -> str:
        """SHA-256 of what the recipe will say, without what decides how it is built alone: certificates, secrets."""
        said = f"{TEMPLATE.read_text(encoding='utf-8')}\0{replace(self, trusted=False, secret=False)!r}"
        return hashlib.sha256(said.encode()).hexdigest()
