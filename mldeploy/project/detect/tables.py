"""What was found, as the tables of a `mldeploy.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mldeploy.config.kinds import dns_label
from mldeploy.project.detect.dependency import Origin
from mldeploy.project.detect.entry import Entry
from mldeploy.project.detect.findings import Certainty, Found
from mldeploy.project.detect.python_version import DEFAULT
from mldeploy.project.detect.serving import Start, is_served, start

if TYPE_CHECKING:  # who only names the models of a folder does not wait for every detector
    from mldeploy.project.detect.folder import Folder

Value: TypeAlias = str | int | list[str]


@dataclass(frozen=True)
class Setting:
    """One key of the configuration. why: where its value was found, in words."""

    table: str
    key: str
    value: Value
    why: str


SERVING = frozenset({"entry", "interface", "command", "chdir"})
"""The keys of [app] that say together how the app is served: who writes no entry and no command leaves out them all."""


def tables(folder: Folder) -> dict[str, dict[str, Value]]:
    """The raw tables that a configuration file would hold: `{"app": {…}, "build": {…}, "check": {…}}`.

    Only what was found is there; for the rest the configuration's own defaults are right.
    """
    found: dict[str, dict[str, Value]] = {"app": {}, "build": {}, "check": {}}
    for setting in settings(folder):
        found[setting.table][setting.key] = setting.value
    return found


def settings(folder: Folder) -> tuple[Setting, ...]:
    """The same key by key, each with its reason, in the order of the manual."""
    return tuple(_settings(folder))


def _settings(folder: Folder) -> Iterator[Setting]:
    yield Setting("app", "name", dns_label(folder.root.name), "the folder's name")
    entry = folder.entry
    if entry and is_served(entry.value):
        yield from _start(entry, start(entry.value, folder.commands))
    if folder.port:
        yield Setting("app", "port", folder.port.value, _where(folder.port))
    if folder.lacks_health and not folder.dockerfile:
        yield Setting("app", "health_by", "server", "the app has no page for it")
    for key, route in (("health", folder.health), ("predict", folder.predict), ("predict_table", folder.predict_table)):
        if route:
            yield Setting("app", key, route.value, _where(route))
    yield from of_models(folder.model_files)
    if folder.env_file:
        yield Setting("app", "env_file", folder.env_file.value, "the app reads it; it stays out of the image")
    yield from _build(folder)
    if folder.golden:
        yield Setting("check", "golden", folder.golden.value, "there is one")


def of_models(files: tuple[str, ...]) -> Iterator[Setting]:
    """The models, if there are any."""
    if files:
        yield Setting("app", "models", list(files), "found by their extension and content")


def _start(entry: Found[Entry], found: Start) -> Iterator[Setting]:
    why = f"{entry.value.framework}, {_where(entry)}"
    if found.command:
        yield Setting("app", "command", list(found.command), why)
    else:
        yield Setting("app", "entry", found.entry, why)
    if found.interface:
        yield Setting("app", "interface", found.interface, f"{entry.value.framework} speaks it")
    if found.chdir:
        yield Setting("app", "chdir", found.chdir, "its own modules and files are there")


def _build(folder: Folder) -> Iterator[Setting]:
    if folder.dockerfile:
        return  # it decides by itself
    python = folder.python
    if python and python.value.version != DEFAULT:
        yield Setting("build", "base_image", f"python:{python.value}-slim-bookworm", _where(python))
    listed = folder.dependencies
    if listed and listed.origin is Origin.REQUIREMENTS and listed.path != "requirements.txt":
        yield Setting("build", "requirements", listed.path, "there is one")
    if packages := folder.system_packages:
        yield Setting("build", "system_packages", list(packages.value), f"wanted by {_where(packages)}")


def _where(found: Found[object]) -> str:
    guess = found.certainty is Certainty.GUESS
    return "a guess: nothing says so" if guess and found.source.path == "." else f"{'perhaps ' * guess}{found.source}"
