"""The tables of `mldeploy.toml` as users write them. The description of each field is its text in the manual.

None means "not set". `config.resolve` fills in the missing values.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from mldeploy.config.kinds import (
    Command,
    DebianPackage,
    Duration,
    Entry,
    FieldText,
    FileAnywhere,
    FileInside,
    FileInsideOrNone,
    FolderInside,
    ImageReference,
    IndexUrl,
    Name,
    Platform,
    Port,
    Size,
    UrlPath,
    Variables,
    WebAddress,
)
from mldeploy.config.model_table import Models
from mldeploy.config.table import ConfigTable


class AppTable(ConfigTable):
    """The app and its runtime settings."""

    name: Annotated[Name | None, FieldText(unset="the folder's name, made a valid one")] = Field(
        default=None,
        description="Name of the app. Images, containers and cloud resources are named after it and identified by it: "
        "a new name creates a new app.",
        examples=["insurance"],
    )
    entry: Entry = Field(
        default="app:app",
        description="The app to serve: a module, a colon, and the app object in it, or a call of the function that "
        'returns it: `"shop:create_app()"`.',
    )
    interface: Annotated[
        Literal["wsgi", "asgi"] | None, FieldText(unset="detected in the source of `entry`, else `wsgi`")
    ] = Field(
        default=None,
        description="Server interface of the app. `wsgi`: Flask, Django, Bottle, Dash; served by gunicorn with "
        "threads. `asgi`: FastAPI, Starlette, Django's asgi.py; served by gunicorn with uvicorn workers.",
        examples=["asgi"],
    )
    command: Annotated[Command | None, FieldText(unset="the server for `interface`")] = Field(
        default=None,
        description="Start command of an app with its own server (Streamlit, Gradio). `entry` and `interface` are "
        "ignored. The server must listen on 0.0.0.0 and port `$PORT`. `$PORT` and `$WEB_CONCURRENCY` are replaced when "
        "the container starts; `$$` is a dollar sign. The command does not run in a shell.",
        examples=[["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=$PORT"]],
    )
    chdir: Annotated[FolderInside | None, FieldText(unset="the project folder")] = Field(
        default=None,
        description="Working directory of the server. Imports and relative paths in the code start there. `entry` and "
        "`command` are relative to it; all other paths are relative to the project folder.",
        examples=["deploy"],
    )
    port: Port = Field(
        default=5000,
        description="Port on which the server listens inside the container. Every published port maps to it.",
    )
    health: UrlPath = Field(
        default="/health", description="Path of the health check: responds with 200 when the app is ready."
    )
    health_by: Literal["app", "server"] = Field(
        default="app",
        description="What responds to `health`. `server`: the server of mldeploy, once the app is loaded; for apps "
        "without a health route. Requires `entry`.",
    )
    predict: UrlPath = Field(
        default="/predict_api", description="Path that accepts one JSON object by POST and returns one prediction."
    )
    predict_table: Annotated[UrlPath | None, FieldText(unset="none")] = Field(
        default=None,
        description='Path that accepts `{"columns": […], "data": [[…]]}` by POST and returns one prediction per row. '
        "Without it, `mldeploy predict` sends the rows of a CSV file to `predict` one by one.",
        examples=["/predict"],
    )
    models: Annotated[
        list[FileInside] | None,
        FieldText("a list of paths of files below the project folder", unset="the detected model files"),
    ] = Field(
        default=None,
        description="The model files. They are in a separate image layer, so a code change does not upload them again. "
        "Without this key, they are detected by their extension.",
        examples=[["model.joblib"]],
    )
    memory: Size = Field(
        default="1g",
        description="Memory limit. The app is killed when it exceeds the limit. Units as in `docker run --memory`: "
        "b, k, m, g, t (powers of 1024).",
    )
    cpus: float = Field(
        default=1,
        ge=0.1,
        le=256,
        allow_inf_nan=False,
        description="CPU limit; fractions are allowed. More CPUs serve more requests in parallel.",
    )
    workers: int = Field(default=0, ge=0, le=256, description="Number of server processes. 0: derived from `cpus`.")
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Threads per server process. 0: the number with the best measured throughput. Not used with "
        "`asgi`, where an event loop serves all connections.",
    )
    read_only: bool = Field(
        default=True,
        description="Make the file system of the container read-only, except for /tmp. Set it to false for an app that "
        "writes next to its code.",
    )
    env: Variables = Field(
        default={},
        description="Environment variables of the container. They are not part of the image. Keep secrets in "
        "`env_file`, outside of version control.",
        examples=[{"LOG_LEVEL": "info"}],
    )
    env_file: Annotated[FileAnywhere | None, FieldText(unset="none")] = Field(
        default=None,
        description="A file of environment variables in the format of `docker run --env-file`, or of python-dotenv if "
        "the app uses it. `env` takes precedence. The file is not copied into the image. Relative to the project "
        "folder; `~` is your home.",
        examples=["app.env"],
    )
    access: Literal["public", "key", "iam"] = Field(
        default="public",
        description="Who may send requests. `public`: everybody. `key`: those with an access key; `mldeploy keys` "
        "manages the keys, and the health check stays open. `iam`: those whom the platform authenticates; only on "
        "targets that offer it.",
        examples=["key"],
    )
    key_rate: Annotated[float | None, FieldText(unset="no limit")] = Field(
        default=None,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        description="Limit of requests per second for each access key, in each copy of the app. Requests beyond it get "
        '429 with `Retry-After`. Requires `access = "key"`.',
        examples=[50],
    )


class BuildTable(ConfigTable):
    """The image build."""

    base_image: ImageReference = Field(
        default="python:3.11-slim-bookworm",
        description="Base image. It must contain Python.",
    )
    platform: Annotated[Platform | None, FieldText(unset="the platform of this machine")] = Field(
        default=None,
        description="Target platform of the image. A cloud target can require another one.",
        examples=["linux/amd64"],
    )
    requirements: FileInside = Field(
        default="requirements.txt",
        description="List of the app's dependencies: a requirements file, `uv.lock`, `poetry.lock`, `Pipfile.lock`, "
        "`pylock.toml`, `pyproject.toml`, `Pipfile`, `environment.yml`, `setup.cfg`, or a script with inline metadata. "
        "Every build reads it. Unset: the list that `mldeploy init` would choose.",
        examples=["uv.lock"],
    )
    package: bool = Field(
        default=False,
        description="Install the project itself as a package, with its metadata, commands and import path, by the "
        "build backend that its `pyproject.toml` names. The code stays in the folder of the app. `mldeploy init` sets "
        "it for a project that is a package.",
    )
    dockerfile: Annotated[
        FileInsideOrNone | None, FieldText(unset="`Dockerfile` if it exists, else the Dockerfile of mldeploy")
    ] = Field(
        default=None,
        description="Your own Dockerfile, used instead of the one of mldeploy. Empty: ignore `Dockerfile`.",
        examples=["Dockerfile"],
    )
    args: Variables = Field(
        default={},
        description="Build arguments. They are visible in the image history: do not use them for secrets.",
        examples=[{"REVISION": "1"}],
    )
    ca_bundle: Annotated[FileAnywhere | None, FieldText(unset="none")] = Field(
        default=None,
        description="PEM file of additional certificates that the build trusts, for machines behind a proxy that "
        "inspects TLS. They do not stay in the image. Your own Dockerfile gets the file if it uses `certificates.pem`. "
        "Relative to the project folder; `~` is your home.",
        examples=["~/company-ca.pem"],
    )
    builder: Literal["auto", "buildkit", "classic"] = Field(
        default="auto",
        description="The builder. BuildKit (`docker buildx`) caches downloads; the classic builder is part of every "
        "Docker Engine. auto: BuildKit if available. The layers of the image are the same.",
    )
    cache_from: Annotated[list[ImageReference], FieldText("a list of image references", unset="none")] = Field(
        default=[],
        description="Registry images used as build cache. Requires BuildKit. Useful on machines without a local "
        "cache, such as CI runners.",
        examples=[["registry.example/insurance:cache"]],
    )
    cache_to: Annotated[ImageReference | None, FieldText("an image reference", unset="none")] = Field(
        default=None,
        description="Image reference to which BuildKit pushes the build cache for `cache_from`. Uses the "
        "credentials of Docker (`docker login`).",
        examples=["registry.example/insurance:cache"],
    )
    index_url: Annotated[IndexUrl | None, FieldText(unset="the index of pip", hidden=True)] = Field(
        default=None,
        description="URL of the package index. `${NAME}` in its credentials is replaced by an environment variable; "
        "without credentials, a netrc file is used. Credentials are available to the build only; they are not in the "
        "image or its history. List variables that are credentials of another tool in `MLDEPLOY_READABLE_VARIABLES` "
        "(security.md).",
        examples=["https://packages.example/simple"],
    )
    extra_index_urls: Annotated[
        list[IndexUrl], FieldText("a list of URLs of package indexes", unset="none", hidden=True)
    ] = Field(
        default=[],
        description="Package indexes that are searched before `index_url`. A package is installed from the first index "
        "that has it, regardless of the versions in others.",
        examples=[["https://packages.example/own/simple"]],
    )
    gpu: bool = Field(
        default=False,
        description="The app uses a GPU. If false, the CPU builds of PyTorch are installed, which are gigabytes "
        "smaller, unless the requirements or `index_url` set the source of PyTorch.",
    )
    system_packages: Annotated[list[DebianPackage], FieldText("a list of names of Debian packages", unset="none")] = (
        Field(
            default=[],
            description="Debian packages that the app needs, such as system libraries.",
            examples=[["libgomp1"]],
        )
    )


class CheckTable(ConfigTable):
    """The checks that a new version must pass before it receives traffic."""

    golden: Annotated[FileAnywhere | None, FieldText(unset="none")] = Field(
        default=None,
        description="The golden row: a JSON file with a request and its expected answer. A new version with a "
        "different answer receives no traffic.",
        examples=["golden.json"],
    )
    start_timeout: float = Field(
        default=60,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Time in seconds within which the app must become healthy.",
    )
    vulnerability_database: WebAddress = Field(
        default="https://api.osv.dev",
        description="Vulnerability database of `check --vulnerabilities`: a service with the OSV API (version 1).",
        examples=["https://osv.example.com"],
    )


class EnvironmentTable(ConfigTable):
    """One environment, chosen with `--env NAME` or `MLDEPLOY_ENV`. An empty table is enough.

    Every table of the file can stand in it, and overlays that table: `[env.staging.app]`, `[env.staging.build.args]`,
    `[env.staging.target.fargate]`. `[env.preview]` is also the table of `--env preview-1`, `preview-2` and so on: one
    app for each pull request.
    """

    # `config.load` checks the other keys: as those of the file that they overlay.
    model_config = ConfigDict(frozen=True, extra="ignore")

    protected: bool = Field(
        default=False,
        description="Ask for the environment's name before the first deployment and before `destroy`. Where nobody can "
        "answer, these commands need `--confirm NAME`.",
    )


def _rising(steps: list[int]) -> list[int]:
    if not steps or any(after <= before for before, after in itertools.pairwise(steps)):
        raise ValueError("Write rising percentages, such as [10, 50, 100].")
    return steps


class RolloutTable(ConfigTable):
    """How a new version gets its requests: all at once, or in steps beside the serving version (a canary)."""

    strategy: Literal["all-at-once", "canary"] = Field(
        default="all-at-once",
        description="`all-at-once`: a new version that has passed its checks gets all requests. `canary`: `mldeploy "
        "deploy` starts it beside the serving version, raises its share in `steps`, and aborts at the first limit that "
        "it exceeds. A first deployment has nothing beside which to start, and is deployed at once.",
    )
    steps: Annotated[
        list[Annotated[int, Field(ge=1, le=100)]],
        AfterValidator(_rising),
        FieldText("a list of rising percentages from 1 to 100"),
    ] = Field(
        default=[10, 50, 100],
        description="The share of the requests that the new version gets at each step, in percent. At 100 it is "
        "promoted. Without 100, `mldeploy deploy` ends with the canary at the last step.",
    )
    hold: Duration = Field(
        default="5m",
        description="How long each step below 100 lasts. Meanwhile mldeploy sends both versions the rows of the sample "
        "(at most 5 requests a second to each) and compares their errors and latency.",
    )
    max_error_rate: float = Field(
        default=0.01,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The share of those requests that the new version may fail (no answer, or a status of 500 or "
        "more). Not a reason to abort if the serving version fails as many.",
    )
    max_latency_ratio: float = Field(
        default=1.5,
        ge=1,
        le=1000,
        allow_inf_nan=False,
        description="How many times the median latency of the serving version the one of the new version may be. Less "
        "than 20 requests, and a difference below 5 ms, prove nothing.",
    )
    min_agreement: float = Field(
        default=0.99,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The share of the rows of the sample for which both versions must give the same answer, before the "
        "new version gets any request.",
    )
    tolerance: float = Field(
        default=1e-6,
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description="How far a number in the answer may differ, relative to the one of the serving version.",
        examples=[0.02],
    )


class ConfigFile(ConfigTable):
    """The whole file. The provider NAME validates `[target.NAME]`."""

    app: AppTable = AppTable()
    model: Models = Field(default=[])
    build: BuildTable = BuildTable()
    check: CheckTable = CheckTable()
    rollout: RolloutTable = RolloutTable()
    target: Annotated[dict[str, dict[str, object]], FieldText("tables, one a target: [target.local]")] = Field(
        default={}
    )
    env: Annotated[dict[str, EnvironmentTable], FieldText("tables, one an environment: [env.staging]", hidden=True)] = (
        Field(default={})
    )


MACHINE_KEYS = frozenset({"build.base_image", "build.ca_bundle", "build.builder", "build.index_url"})
"""Keys of the machine rather than of a project; allowed in the user's own file."""
