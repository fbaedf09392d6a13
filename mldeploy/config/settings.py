"""Resolved settings: complete, checked, frozen. Nothing downstream reads a file or an environment variable again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from mldeploy.config.secret import Secret
from mldeploy.core.parsing import parse_json


@dataclass(frozen=True)
class AppEnvironment:
    """The environment that an app is in. app: the app's name without it. protected: changes need its name typed."""

    name: str
    app: str
    protected: bool = False


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
    image_port: int = 0
    """The port that the image was built with, if that was a guess and the app listens on `port`; 0: the same."""
    image_health: str = ""
    """The health path that the image is built with, if the app's own routes corrected `health`; "" for the same."""
    environment: AppEnvironment | None = None
    """The environment, which is part of `name`; None without one."""
    access: str = "public"
    """Who may send requests: "public", "key" or "iam"."""
    key_rate: float = 0.0
    """Requests a second for each access key; 0: no limit."""
    own_key: Secret | None = None
    """The access key of mldeploy's own requests; None: there is none, or none is needed."""

    @property
    def environment_name(self) -> str | None:
        """The name of the environment; None without one."""
        return self.environment.name if self.environment else None

    @property
    def keeps_sessions(self) -> bool:
        """Whether a visitor must reach the same instance each time, as with Streamlit, Gradio, Chainlit and Panel."""
        programs = {word.rpartition("/")[2] for word in self.command}
        is_gradio = any(word.startswith("GRADIO_SERVER") for word in self.command)
        return bool(programs & _SESSION_SERVERS) or is_gradio or self.health.endswith("/_stcore/health")


_SESSION_SERVERS = frozenset({"streamlit", "chainlit", "panel", "gradio"})


@dataclass(frozen=True)
class Index:
    """A package index. url: without credentials. credentials: `user:password`, percent-encoded."""

    url: str
    credentials: Secret | None = None

    def reveal(self) -> str:
        """The URL with the credentials."""
        scheme, separator, rest = self.url.partition("://")
        return f"{scheme}{separator}{self.credentials.reveal()}@{rest}" if self.credentials else self.url


class LockTool(StrEnum):
    """The tool that a lock belongs to."""

    UV = "uv"
    POETRY = "poetry"
    PIPENV = "pipenv"
    BACKEND = "build backend"
    """A `setup.py` or `pyproject.toml` whose dependencies only the build backend knows: uv asks it as it installs."""


@dataclass(frozen=True)
class LockExport:
    """A lock that its own tool exports in the build. Paths are below the app's folder.

    files: what the tool reads of the project: the lock, and each `pyproject.toml` or `Pipfile`. arguments: what it is
    to export, beside its options: nothing for the project at the lock's folder, `--package NAME` for a member of uv's
    workspace, `--with=GROUP` for a group of Poetry's.
    """

    lock: str
    files: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    tool: LockTool = LockTool.UV


@dataclass(frozen=True)
class Build:
    """How the image is made."""

    base_image: str
    platform: str
    """OCI platform, `linux/amd64`."""
    requirements: str
    """Path of the list of dependencies below the app's folder."""
    dockerfile: str | None
    """The user's own Dockerfile, or None for mldeploy's recipe."""
    args: tuple[tuple[str, str], ...]
    """Build arguments, sorted by name. They are visible in the image's history: never a secret."""
    ca_bundle: Path | None
    """PEM file that the build trusts in addition, on machines behind an intercepting proxy. Not left in the image."""
    builder: str = "auto"
    """`auto`, `buildkit` or `classic`: how it is built, not what."""
    requirements_text: str | None = None
    """What `requirements` lists, in pip's format, where it is in another one or generated; None: it is read itself."""
    lock: LockExport | None = None
    """The lock among the requirements that its tool exports in the build; None: `requirements_text` is installed."""
    package: bool = False
    """The project itself is installed as a package."""
    ignored: tuple[str, ...] = ()
    """What stays out of the image, as lines of a `.dockerignore`, where there is none; empty: what usually does."""
    cache_from: tuple[str, ...] = ()
    """Images in registries whose build cache is used."""
    cache_to: str | None = None
    """Where this build's is left."""
    index: Index | None = None
    """Where packages come from; None for the usual index."""
    extra_indexes: tuple[Index, ...] = ()
    """Indexes that are searched before `index`. A package comes from the first index that has it."""
    gpu: bool = False
    """The image runs where there is a GPU."""
    system_packages: tuple[str, ...] = ()
    """Debian packages of the final stage, sorted: `libgomp1`, or `libgomp1=12.2.0-14`."""

    @property
    def requirements_file(self) -> str:
        """Where the list in pip's format is in the build, relative to the folder of the requirements."""
        if self.requirements_text is None or self.requirements.endswith(".txt"):
            return self.requirements
        return f"{self.requirements.rpartition('/')[2]}.txt"  # the paths in it are from the project's folder


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
class Rollout:
    """How a new version gets its requests. The texts for users stand with the raw keys in `config.model`."""

    is_canary: bool = False
    steps: tuple[int, ...] = (10, 50, 100)
    """Percentages, rising."""
    hold: float = 300.0
    """Seconds of each step."""
    max_error_rate: float = 0.01
    max_latency_ratio: float = 1.5
    min_agreement: float = 0.99
    tolerance: float = 1e-6
    """Of numbers, relative to the serving version's."""


Scalar = str | int | float | bool


@dataclass(frozen=True)
class ServedColumn:
    """A column of a model's input, as far as it is known. None and () mean "not set"."""

    name: str
    type: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[Scalar, ...] = ()
    unit: str | None = None
    optional: bool | None = None
    example: Scalar | None = None


@dataclass(frozen=True)
class ServedModel:
    """A model that mldeploy serves itself, as far as it is known. None and () mean "not set"."""

    name: str
    path: str
    """Of a file or folder below the app's folder."""
    sample: str | None = None
    """A CSV file below the app's folder."""
    task: str | None = None
    target: str | None = None
    columns: tuple[ServedColumn, ...] = ()
    classes: tuple[Scalar, ...] = ()
    probabilities: bool | None = None
    version: str | None = None
    max_rows: int = 10_000
    log_rate: float = 0.0
    format: str = ""
    """As the server names it; "" if it is not known."""
    rows: tuple[tuple[tuple[str, Scalar | None], ...], ...] = ()
    """Some rows of the sample, by column."""
    proof: str = ""
    """JSON: how the compiled path compares with the model's own; "" if that was not tried."""
    runtime: str = "full"
    """"minimal": the image has NumPy alone, and the plan instead of the model."""
    plan: str = ""
    """Base64: the model as NumPy alone computes it; "" until it is inspected, or with the runtime "full"."""

    @property
    def is_described(self) -> bool:
        """All that the server needs is known: the model need not be inspected."""
        return bool(self.task and self.columns and all(each.type for each in self.columns))

    @property
    def proof_summary(self) -> str:
        """Which path serves the model and why, in a sentence; "" if that was not tried."""
        return str(self._proof_document.get("summary") or "")

    @property
    def runtime_summary(self) -> str:
        """What the image predicts with, and whether that could be NumPy alone; "" if that was not tried."""
        document = self._proof_document
        if self.plan:
            return "minimal: NumPy alone"
        if "minimal" not in document:
            return ""
        obstacle = document["minimal"]
        return f'full ("minimal" is not possible: {obstacle})' if obstacle else 'full ("minimal" seems possible)'

    @property
    def _proof_document(self) -> Mapping[str, object]:
        document = parse_json(self.proof) if self.proof else None
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True)
class Project:
    """Everything of `mldeploy.toml` but the targets' own tables."""

    app: App
    build: Build
    check: Check
    served: tuple[ServedModel, ...] = ()
    """The models of an app that has no code of its own."""
    rollout: Rollout = Rollout()
