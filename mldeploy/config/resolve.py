"""Raw to resolved: fills in what is not written, and turns texts into what they stand for."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from pathlib import Path

from mldeploy.config.env_file import read_env_file, uses_dotenv
from mldeploy.config.environments import EnvironmentChoice, environment_key, split_environment_key, table_name
from mldeploy.config.errors import ConfigError
from mldeploy.config.host_access import HostAccess
from mldeploy.config.indexes import index
from mldeploy.config.kinds import parse_duration, parse_size
from mldeploy.config.model import AppTable, BuildTable, CheckTable, ConfigFile, RolloutTable
from mldeploy.config.naming import guess_name
from mldeploy.config.secret import Secret
from mldeploy.config.served import list_served_models, serve_models
from mldeploy.config.settings import App, AppEnvironment, Build, Check, Index, LockExport, Project, Rollout
from mldeploy.config.sources import ConfigSource

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
class RawConfig:
    """A configuration as written: every value is of the right kind, but some are still missing."""

    folder: Path
    """Absolute."""
    tables: ConfigFile
    written: ConfigSource
    environment: EnvironmentChoice | None = None
    """The chosen one, whose tables are in `tables`."""


@dataclass(frozen=True)
class FolderDefaults:
    """What stands in the folder and is no key of the configuration, or one whose default depends on the folder.

    dockerfile: its own. requirements: the text of a requirements file, where the folder lists its dependencies in
    another way. ignored: what stays out of the image, as lines of a `.dockerignore`, where the folder has none.
    interface: what the source shows that the entry speaks. lock: the lock that `requirements` was read from, if the
    build can export it.
    """

    dockerfile: str | None = None
    requirements: str | None = None
    ignored: tuple[str, ...] = ()
    interface: str = "wsgi"
    lock: LockExport | None = None


def resolve(raw: RawConfig, defaults: FolderDefaults) -> Project:
    """The complete settings. Reads the env file and what the user trusts. Raises ConfigError."""
    served = list_served_models(raw.tables.model)
    app = _in_environment(raw, _app(raw, raw.tables.app, defaults))
    return Project(
        serve_models(app, served) if served else app,
        _build(raw, raw.tables.build, defaults),
        _check(raw, raw.tables.check),
        served,
        _rollout(raw.tables.rollout),
    )


def _app(raw: RawConfig, table: AppTable, defaults: FolderDefaults) -> App:
    env_file = _path(raw, "app.env_file", table.env_file)
    name = table.name or guess_name(raw.folder).name
    public = {name, table.entry, table.health, table.predict, *(table.models or ())}
    from_file = {} if env_file is None else _from_file(raw, env_file)
    written = {key: Secret(value, is_public=value in public) for key, value in table.env.items()}
    return App(
        name=name,
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
        interface=table.interface or defaults.interface,
        command=tuple(table.command or ()),
        chdir=table.chdir or "",
        health_by=table.health_by,
        access=_access(raw, table),
        key_rate=table.key_rate or 0.0,
    )


def _in_environment(raw: RawConfig, app: App) -> App:
    """The app under the name that it has in the chosen environment. Raises ConfigError."""
    choice = raw.environment
    if choice is None:
        _refuse_environment_key(raw, app.name)
        return app
    table = raw.tables.env.get(table_name(choice.name, raw.tables.env) or "")
    environment = AppEnvironment(choice.name, app.name, protected=table is not None and table.protected)
    return replace(app, name=environment_key(app.name, choice.name), environment=environment)


def _refuse_environment_key(raw: RawConfig, name: str) -> None:
    """An app that is configured under the name of another app's environment would be taken for that."""
    split = split_environment_key(name)
    if split and raw.written.configured:
        what = f'"{name}" is the name of the app {split[0]} in the environment {split[1]}'
        raise ConfigError(raw.written.location("app.name"), what, "Choose another name.")


def _access(raw: RawConfig, table: AppTable) -> str:
    """Who may send requests. Raises ConfigError if a setting would open what the key is to protect."""
    if table.access != "key":
        if table.key_rate:
            raise ConfigError(raw.written.location("app.key_rate"), "counts requests per access key", _KEY_RATE)
        return table.access
    if table.health in (table.predict, table.predict_table):
        what = f'is {table.health}, as the path of predictions; the health check stays open with access = "key"'
        raise ConfigError(raw.written.location("app.health"), what, 'Set another path, or `health_by = "server"`.')
    return table.access


_KEY_RATE = 'Set `access = "key"` in [app], or remove `key_rate`.'


def _build(raw: RawConfig, table: BuildTable, defaults: FolderDefaults) -> Build:
    return Build(
        base_image=table.base_image,
        platform=table.platform or _host_platform(),
        requirements=table.requirements,
        dockerfile=(defaults.dockerfile if table.dockerfile is None else table.dockerfile) or None,
        args=tuple(sorted(table.args.items())),
        ca_bundle=_path(raw, "build.ca_bundle", table.ca_bundle),
        builder=table.builder,
        cache_from=tuple(dict.fromkeys(table.cache_from)),
        cache_to=_cache_to(raw, table),
        requirements_text=defaults.requirements,
        lock=defaults.lock,
        package=table.package,
        ignored=defaults.ignored,
        index=_index(raw, "build.index_url", table.index_url) if table.index_url else None,
        extra_indexes=tuple(_index(raw, "build.extra_index_urls", url) for url in table.extra_index_urls),
        gpu=table.gpu,
        system_packages=tuple(sorted(set(table.system_packages))),
    )


def _check(raw: RawConfig, table: CheckTable) -> Check:
    return Check(
        golden=_path(raw, "check.golden", table.golden),
        start_timeout=float(table.start_timeout),
        vulnerability_database=table.vulnerability_database.rstrip("/"),
    )


def _rollout(table: RolloutTable) -> Rollout:
    return Rollout(
        is_canary=table.strategy == "canary",
        steps=tuple(table.steps),
        hold=parse_duration(table.hold),
        max_error_rate=table.max_error_rate,
        max_latency_ratio=table.max_latency_ratio,
        min_agreement=table.min_agreement,
        tolerance=table.tolerance,
    )


def _path(raw: RawConfig, key: str, text: str | None) -> Path | None:
    """The file that a key names. Raises ConfigError if the project may not name it."""
    if text is None:
        return None
    try:
        path = raw.folder / Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(raw.written.location(key), "begins with ~, but that user has no home") from error
    if not raw.written.written_by_user(key):
        HostAccess.of(raw.folder).require_file(path, raw.written.location(key))
    return path


def _from_file(raw: RawConfig, path: Path) -> dict[str, Secret]:
    """The variables of an env file. One of a restricted project is the project's, whoever names it."""
    access = HostAccess.of(raw.folder)
    is_users = raw.written.written_by_user("app.env_file") and not access.contains(path)
    where = raw.written.location("app.env_file")
    return read_env_file(path, where, None if is_users else access, dotenv=uses_dotenv(raw.folder))


def _index(raw: RawConfig, key: str, url: str) -> Index:
    access = None if raw.written.written_by_user(key) else HostAccess.of(raw.folder)
    return index(url, raw.written.location(key), access=access)


def _cache_to(raw: RawConfig, table: BuildTable) -> str | None:
    """It is pushed with the user's own Docker credentials, over what has that name."""
    key = "build.cache_to"
    if table.cache_to and not raw.written.written_by_user(key) and HostAccess.of(raw.folder).is_restricted:
        what = "would push to a registry with your credentials, and the project came by URL"
        raise ConfigError(raw.written.location(key), what, "Use --cache-to yourself, or --trust if you trust it.")
    return table.cache_to


def _host_platform() -> str:
    machine = platform.machine().lower()
    if machine not in _PLATFORMS:
        raise ConfigError("build.platform", f'cannot be told from this processor, "{machine}"', "Set it.")
    return _PLATFORMS[machine]
