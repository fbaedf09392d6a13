"""What a user may write: the tables of `mldeploy.toml`, raw. Each field's description is its text in the manual.

None stands for "not written". What is not written is filled in by `config.resolve`, never here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mldeploy.config.kinds import (
    Command,
    DebianPackage,
    Entry,
    FileAnywhere,
    FileInside,
    FileInsideOrNone,
    FolderInside,
    ImageReference,
    IndexUrl,
    Name,
    Platform,
    Port,
    Shown,
    Size,
    UrlPath,
    Variables,
    WebAddress,
)


class Table(BaseModel):
    """A table whose unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AppTable(Table):
    """What is deployed, and what it needs to run."""

    name: Annotated[Name | None, Shown(unset="the folder's name, made a valid one")] = Field(
        default=None,
        description="The app's name. Images, containers and cloud resources are named after it and found again by it: "
        "a new name is a new app.",
        examples=["insurance"],
    )
    entry: Entry = Field(
        default="app:app",
        description="What the server serves: a module below the folder, a colon, and the object in it, or a call of "
        'the function that returns it: `"shop:create_app()"`.',
    )
    interface: Annotated[
        Literal["wsgi", "asgi"] | None, Shown(unset="what the source of `entry` shows, else `wsgi`")
    ] = Field(
        default=None,
        description="What the object speaks. `wsgi`: Flask, Django, Bottle, Dash; gunicorn serves it with threads. "
        "`asgi`: FastAPI, Starlette, Django's asgi.py; gunicorn serves it with uvicorn's worker.",
        examples=["asgi"],
    )
    command: Annotated[Command | None, Shown(unset="the server that `interface` calls for")] = Field(
        default=None,
        description="The words that start an app with a server of its own (Streamlit, Gradio); `entry` and "
        "`interface` count for nothing then. It must listen on 0.0.0.0 and on `$PORT`. `$PORT` and `$WEB_CONCURRENCY` "
        "are filled in when the container starts, `$$` is a dollar sign, and no shell reads the rest.",
        examples=[["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=$PORT"]],
    )
    chdir: Annotated[FolderInside | None, Shown(unset="the project folder")] = Field(
        default=None,
        description="The folder in which the server is started: modules are imported from there, and the paths that "
        "the code opens begin there. `entry` and `command` are seen from it, every other path from the project folder.",
        examples=["deploy"],
    )
    port: Port = Field(
        default=5000,
        description="Where the server listens inside the container. Whatever is published anywhere leads to this port.",
    )
    health: UrlPath = Field(default="/health", description="Answers 200 as soon as the app can serve.")
    health_by: Literal["app", "server"] = Field(
        default="app",
        description="Who answers `health`. `server`: mldeploy's own does, once it has loaded the app: for one that has "
        "no page for it. It takes an app that is served through `entry`.",
    )
    predict: UrlPath = Field(
        default="/predict_api", description="Takes one JSON object by POST and answers one prediction."
    )
    predict_table: Annotated[UrlPath | None, Shown(unset="nothing does")] = Field(
        default=None,
        description='Takes `{"columns": […], "data": [[…]]}` by POST and answers one prediction a row. Without it, the '
        "rows of a CSV file go to `predict`, one after the other.",
        examples=["/predict"],
    )
    models: Annotated[
        list[FileInside] | None,
        Shown("a list of paths of files below the project folder", unset="the model files that are found"),
    ] = Field(
        default=None,
        description="The model files. They get a layer of the image of their own, so that an edit of the code does not "
        "ship them again. Without this key they are found by their extension.",
        examples=[["model.joblib"]],
    )
    memory: Size = Field(
        default="1g",
        description="What the app may use at most; beyond it, it is killed. Units as in `docker run --memory`: "
        "b, k, m, g, t, powers of 1024.",
    )
    cpus: float = Field(
        default=1,
        ge=0.1,
        le=256,
        allow_inf_nan=False,
        description="CPUs that the app may use, fractions allowed. One is what every machine has and every cloud "
        "sells; more serve more requests at once.",
    )
    workers: int = Field(default=0, ge=0, le=256, description="Server processes. 0: as many as `cpus` calls for.")
    threads: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Threads in each of them. 0: the number that measured best. `asgi` has no use for "
        "it: an event loop serves all connections.",
    )
    read_only: bool = Field(
        default=True,
        description="The container's file system cannot be written to, except for /tmp. Turn it off for an app that "
        "must write beside its code.",
    )
    env: Variables = Field(
        default={},
        description="Environment variables of the container. They are not part of the image. A secret is better kept "
        "in `env_file`, outside of version control.",
        examples=[{"LOG_LEVEL": "info"}],
    )
    env_file: Annotated[FileAnywhere | None, Shown(unset="none")] = Field(
        default=None,
        description="A file of environment variables, in the format of `docker run --env-file`; `env` wins over it. "
        "It stays out of the image. Relative to the project folder; `~` is your home.",
        examples=["app.env"],
    )


class BuildTable(Table):
    """How the image is made."""

    base_image: ImageReference = Field(
        default="python:3.11-slim-bookworm",
        description="The image that the app's image builds on; it must hold Python.",
    )
    platform: Annotated[Platform | None, Shown(unset="this machine's processor")] = Field(
        default=None,
        description="What the image is built for. A target in a cloud may ask for another one.",
        examples=["linux/amd64"],
    )
    requirements: FileInside = Field(default="requirements.txt", description="The app's dependencies, in pip's format.")
    dockerfile: Annotated[
        FileInsideOrNone | None, Shown(unset="`Dockerfile` if there is one, else mldeploy's recipe")
    ] = Field(
        default=None,
        description="Your own Dockerfile, used instead of mldeploy's recipe; empty: the recipe even if there is one.",
        examples=["Dockerfile"],
    )
    args: Variables = Field(
        default={},
        description="Build arguments. They can be read in the image's history: never a secret.",
        examples=[{"REVISION": "1"}],
    )
    ca_bundle: Annotated[FileAnywhere | None, Shown(unset="none")] = Field(
        default=None,
        description="PEM file of certificates that the build trusts in addition, for machines behind a proxy that "
        "inspects TLS. None of it stays in the image. A Dockerfile of your own gets it if it names `certificates.pem`. "
        "Relative to the project folder; `~` is your home.",
        examples=["~/company-ca.pem"],
    )
    builder: Literal["auto", "buildkit", "classic"] = Field(
        default="auto",
        description="What builds. BuildKit, through `docker buildx` or a docker command that holds it, keeps what was "
        "downloaded; the classic builder is part of every engine. auto: BuildKit where it can be had. The image's "
        "layers are the same.",
    )
    cache_from: Annotated[list[ImageReference], Shown("a list of image references", unset="none")] = Field(
        default=[],
        description="Images in a registry whose build cache is used, where BuildKit builds: on a machine that begins "
        "with none, such as CI's.",
        examples=[["registry.example/insurance:cache"]],
    )
    cache_to: Annotated[ImageReference | None, Shown("an image reference", unset="none")] = Field(
        default=None,
        description="Where BuildKit leaves its cache for that: the image is pushed under this name, with what is known "
        "of its layers. Docker's own credentials are used (`docker login`).",
        examples=["registry.example/insurance:cache"],
    )
    index_url: Annotated[IndexUrl | None, Shown(unset="the usual one", hidden=True)] = Field(
        default=None,
        description="The package index to install from. `${NAME}` in its credentials stands for a variable; without "
        "credentials those of a netrc file count. They reach the build, and neither the image nor its history.",
        examples=["https://packages.example/simple"],
    )
    extra_index_urls: Annotated[
        list[IndexUrl], Shown("a list of URLs of package indexes", unset="none", hidden=True)
    ] = Field(
        default=[],
        description="Package indexes that are asked before that one. A package is taken from the first index that has "
        "it, whatever versions others have.",
        examples=[["https://packages.example/own/simple"]],
    )
    gpu: bool = Field(
        default=False,
        description="The app runs where there is a GPU. Without it, PyTorch comes in its builds for the processor "
        "alone, which are gigabytes smaller, unless the requirements or `index_url` say where it comes from.",
    )
    system_packages: Annotated[list[DebianPackage], Shown("a list of names of Debian packages", unset="none")] = Field(
        default=[],
        description="Debian packages that the app needs beside Python's, such as system libraries.",
        examples=[["libgomp1"]],
    )


class CheckTable(Table):
    """What a new version must show before it gets any traffic."""

    golden: Annotated[FileAnywhere | None, Shown(unset="none")] = Field(
        default=None,
        description="The golden row, a JSON file: a request whose answer is known, and that answer. "
        "A new version that answers otherwise is not let in.",
        examples=["golden.json"],
    )
    start_timeout: float = Field(
        default=60,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds in which the app must become healthy.",
    )
    vulnerability_database: WebAddress = Field(
        default="https://api.osv.dev",
        description="Where `check --vulnerabilities` asks: a service that speaks OSV's API (version 1), or a mirror.",
        examples=["https://osv.example.com"],
    )


class ConfigFile(Table):
    """The whole file. What stands in `[target.NAME]` is the business of the provider NAME."""

    app: AppTable = AppTable()
    build: BuildTable = BuildTable()
    check: CheckTable = CheckTable()
    target: Annotated[dict[str, dict[str, object]], Shown("tables, one a target: [target.local]")] = {}


MACHINE_KEYS = frozenset({"build.base_image", "build.ca_bundle", "build.builder", "build.index_url"})
"""What belongs to a machine rather than to a project, and so may stand in the user's own file."""
