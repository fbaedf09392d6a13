"""Resolved settings: complete, checked, frozen. Nothing downstream reads a file or an environment variable again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.secret import Secret


@dataclass(frozen=True)
class App:
    """What is deployed. The texts for users stand with the raw keys in `config.model`."""

    name: str
    folder: Path
    """Absolute; every other path of the project is relative to it."""
    entry: str
    """What is served: `module:attribute` or `module:function(…)`, seen from `chdir`. Not used if there is a command."""
    port: int
    """Where the server listens inside the container: the one truth that every published port leads to."""
    health: str
    """Path that answers 200 when the app can serve."""
    predict: str
    """Path that takes one JSON object and answers one prediction."""
    predict_table: str | None
    """Path that takes `{"columns": […], "data": [[…]]}` and answers many; None if the app has none."""
    models: tuple[str, ...]
    """The model files, as paths below the folder with forward slashes; they get a layer of their own."""
    memory: int
    """Bytes."""
    cpus: float
    workers: int
    """Server processes; 0 means one per CPU that the app may use."""
    threads: int
    """Threads in each of them."""
    read_only: bool
    """The container's root file system is read-only; /tmp is always writable."""
    env: tuple[tuple[str, Secret], ...]
    """Environment of the container, from `env` and `env_file`, sorted by name."""
    env_file: Path | None = None
    """Absolute path of the file that part of `env` came from: whatever copies the folder must leave it out."""
    interface: str = "wsgi"
    """What `entry` speaks: "wsgi" or "asgi"."""
    command: tuple[str, ...] = ()
    """The words that start an app with a server of its own; `config.words` says what `$` means in them."""
    chdir: str = ""
    """Where the server is started: a folder below `folder`, "" for that itself."""
    health_by: str = "app"
    """Who answers `health`: "app", or "server" for one that has no page for it."""


@dataclass(frozen=True)
class Index:
    """A package index. url: without credentials. credentials: `user:password`, percent-encoded."""

    url: str
    credentials: Secret | None = None

    def reveal(self) -> str:
        """The URL with the credentials."""
        scheme, separator, rest = self.url.partition("://")
        return f"{scheme}{separator}{self.credentials.reveal()}@{rest}" if self.credentials else self.url


@dataclass(frozen=True)
class Build:
    """How the image is made."""

    base_image: str
    platform: str
    """OCI platform, `linux/amd64`."""
    requirements: str
    """Path of the requirements file below the app's folder."""
    dockerfile: str | None
    """The user's own Dockerfile, or None for mldeploy's recipe."""
    args: tuple[tuple[str, str], ...]
    """Build arguments, sorted by name. They are visible in the image's history: never a secret."""
    ca_bundle: Path | None
    """PEM file that the build trusts in addition, on machines behind an intercepting proxy. Not left in the image."""
    builder: str = "auto"
    """`auto`, `buildkit` or `classic`: how it is built, not what."""
    requirements_text: str | None = None
    """What the requirements file would say, where there is none and the dependencies are listed elsewhere."""
    ignored: tuple[str, ...] = ()
    """What stays out of the image, as lines of a `.dockerignore`, where there is none; empty: what usually does."""
    cache_from: tuple[str, ...] = ()
    """Images in registries whose build cache is used."""
    cache_to: str | None = None
    """Where this build's is left."""
    index: Index | None = None
    """Where packages come from; None for the usual index."""
    extra_indexes: tuple[Index, ...] = ()
    """What is asked before that one. A package is taken from the first index that has it."""
    gpu: bool = False
    """The image runs where there is a GPU."""
    system_packages: tuple[str, ...] = ()
    """Debian packages of the final stage, sorted: `libgomp1`, or `libgomp1=12.2.0-14`."""


@dataclass(frozen=True)
class Check:
    """What a new version must show before it gets any traffic."""

    golden: Path | None
    """Absolute path of the golden row: a request, and the answer that it must get."""
    start_timeout: float
    """Seconds in which the app must become healthy."""
    vulnerability_database: str = "https://api.osv.dev"
    """The base URL of a service that speaks OSV's API."""


@dataclass(frozen=True)
class Project:
    """Everything of `mldeploy.toml` but the targets' own tables."""

    app: App
    build: Build
    check: Check
