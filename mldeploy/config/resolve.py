"""Raw to resolved: fills in what is not written, and turns texts into what they stand for."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from mldeploy.config.envfile import read_env_file
from mldeploy.config.errors import ConfigError
from mldeploy.config.indexes import index
from mldeploy.config.kinds import dns_label, parse_size
from mldeploy.config.model import AppTable, BuildTable, CheckTable, ConfigFile
from mldeploy.config.secret import Secret
from mldeploy.config.settings import App, Build, Check, Project
from mldeploy.config.sources import Written

_PLATFORMS = {
    "x86_64": "linux/amd64",
    "amd64": "linux/amd64",
    "aarch64": "linux/arm64",
    "arm64": "linux/arm64",
    "ppc64le": "linux/ppc64le",
    "s390x": "linux/s390x",
    "riscv64": "linux/riscv64",
}


@dataclass(frozen=True)
class Raw:
    """A configuration as written: every value is of the right kind, but some are still missing."""

    folder: Path
    """Absolute."""
    tables: ConfigFile
    written: Written


@dataclass(frozen=True)
class Found:
    """What stands in the folder and is no key of the configuration, or one whose default depends on the folder.

    dockerfile: its own. requirements: the text of a requirements file, where the folder lists its dependencies in
    another way. ignored: what stays out of the image, as lines of a `.dockerignore`, where the folder has none.
    interface: what the source shows that the entry speaks.
    """

    dockerfile: str | None = None
    requirements: str | None = None
    ignored: tuple[str, ...] = ()
    interface: str = "wsgi"


def resolve(raw: Raw, found: Found) -> Project:
    """The complete settings. Reads the env file, nothing else. Raises ConfigError."""
    return Project(
        _app(raw, raw.tables.app, found),
        _build(raw, raw.tables.build, found),
        _check(raw, raw.tables.check),
    )


def _app(raw: Raw, table: AppTable, found: Found) -> App:
    env_file = _path(raw, "app.env_file", table.env_file)
    from_file = {} if env_file is None else read_env_file(env_file, raw.written.place("app.env_file"))
    written = {name: Secret(value) for name, value in table.env.items()}
    return App(
        name=table.name or dns_label(raw.folder.name),
        folder=raw.folder,
        entry=table.entry,
        port=table.port,
        health=table.health,
        predict=table.predict,
        predict_table=table.predict_table,
        models=tuple(dict.fromkeys(table.models or ())),
        memory=parse_size(table.memory),
        cpus=float(table.cpus),
        workers=table.workers,
        threads=table.threads,
        read_only=table.read_only,
        env=tuple(sorted((from_file | written).items(), key=lambda entry: entry[0])),
        env_file=env_file,
        interface=table.interface or found.interface,
        command=tuple(table.command or ()),
        chdir=table.chdir or "",
        health_by=table.health_by,
    )


def _build(raw: Raw, table: BuildTable, found: Found) -> Build:
    return Build(
        base_image=table.base_image,
        platform=table.platform or _host_platform(),
        requirements=table.requirements,
        dockerfile=(found.dockerfile if table.dockerfile is None else table.dockerfile) or None,
        args=tuple(sorted(table.args.items())),
        ca_bundle=_path(raw, "build.ca_bundle", table.ca_bundle),
        builder=table.builder,
        cache_from=tuple(dict.fromkeys(table.cache_from)),
        cache_to=table.cache_to,
        requirements_text=found.requirements,
        ignored=found.ignored,
        index=index(table.index_url, raw.written.place("build.index_url")) if table.index_url else None,
        extra_indexes=tuple(index(url, raw.written.place("build.extra_index_urls")) for url in table.extra_index_urls),
        gpu=table.gpu,
        system_packages=tuple(sorted(set(table.system_packages))),
    )


def _check(raw: Raw, table: CheckTable) -> Check:
    return Check(
        golden=_path(raw, "check.golden", table.golden),
        start_timeout=float(table.start_timeout),
        vulnerability_database=table.vulnerability_database.rstrip("/"),
    )


def _path(raw: Raw, key: str, text: str | None) -> Path | None:
    if text is None:
        return None
    try:
        return raw.folder / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(raw.written.place(key), "begins with ~, but that user has no home") from error


def _host_platform() -> str:
    machine = platform.machine().lower()
    if machine not in _PLATFORMS:
        raise ConfigError("build.platform", f'cannot be told from this processor, "{machine}"', "Set it.")
    return _PLATFORMS[machine]
