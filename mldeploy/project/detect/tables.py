"""Convert the detected values to the tables of a `mldeploy.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mldeploy.config.naming import guess_name
from mldeploy.project.detect.dependency import DependencyList, Origin
from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.findings import Certainty, Detected
from mldeploy.project.detect.python_version import DEFAULT
from mldeploy.project.detect.serving import StartSettings, is_servable, start_settings

if TYPE_CHECKING:  # who only names the models of a folder does not wait for every detector
    from mldeploy.project.detect.folder import DetectedFolder

Value: TypeAlias = str | int | list[str]


@dataclass(frozen=True)
class DetectedSetting:
    """One key of the configuration. why: the origin of its value, in words."""

    table: str
    key: str
    value: Value
    why: str


_SLOW = {"pycaret": 180}
"""Seconds within which an app with these libraries must be up: PyCaret takes 15 s of a whole CPU to import."""

SERVING = frozenset({"entry", "interface", "command", "chdir"})
"""The keys of [app] that together define how the app is served; set all of them or none."""


def build_tables(folder: DetectedFolder) -> dict[str, dict[str, Value]]:
    """The raw tables that a configuration file would hold: `{"app": {…}, "build": {…}, "check": {…}}`.

    Only detected keys are set; the defaults apply to the rest.
    """
    tables: dict[str, dict[str, Value]] = {"app": {}, "build": {}, "check": {}}
    for setting in list_settings(folder):
        tables[setting.table][setting.key] = setting.value
    return tables


def list_settings(folder: DetectedFolder) -> tuple[DetectedSetting, ...]:
    """The same key by key, each with its reason, in the order of the manual."""
    return tuple(_settings(folder))


def _settings(folder: DetectedFolder) -> Iterator[DetectedSetting]:
    guessed = guess_name(folder.root)
    yield DetectedSetting("app", "name", guessed.name, guessed.why)
    entry = folder.entry
    if entry and is_servable(entry.value):
        yield from _start(entry, start_settings(entry.value, folder.commands))
    if folder.port:
        yield DetectedSetting("app", "port", folder.port.value, _where(folder.port))
    if folder.lacks_health and not folder.dockerfile:
        yield DetectedSetting("app", "health_by", "server", _lacks_health(folder))
    for key, route in (("health", folder.health), ("predict", folder.predict), ("predict_table", folder.predict_table)):
        if route:
            yield DetectedSetting("app", key, route.value, _where(route))
    yield from list_model_settings(folder.model_files)
    if folder.env_file:
        yield DetectedSetting("app", "env_file", folder.env_file.value, "the app reads it; it stays out of the image")
    yield from _build(folder)
    slow = [each for each in (folder.dependencies.dependencies if folder.dependencies else ()) if each.name in _SLOW]
    if slow:
        why = f"{slow[0].name} takes long to load, and longer on a part of a CPU"
        yield DetectedSetting("check", "start_timeout", _SLOW[slow[0].name], why)
    if folder.golden:
        yield DetectedSetting("check", "golden", folder.golden.value, "there is one")


def _lacks_health(folder: DetectedFolder) -> str:
    return "the app has no health route" if folder.knows_routes else "the source shows no health route for certain"


def list_model_settings(files: tuple[str, ...]) -> Iterator[DetectedSetting]:
    """The models, if there are any."""
    if files:
        yield DetectedSetting("app", "models", list(files), "detected by extension and content")


def _start(entry: Detected[AppEntry], settings: StartSettings) -> Iterator[DetectedSetting]:
    why = f"{entry.value.framework}, {_where(entry)}"
    if settings.command:
        yield DetectedSetting("app", "command", list(settings.command), why)
    else:
        yield DetectedSetting("app", "entry", settings.entry, why)
    if settings.interface:
        yield DetectedSetting("app", "interface", settings.interface, f"{entry.value.framework} speaks it")
    if settings.chdir:
        yield DetectedSetting("app", "chdir", settings.chdir, "the app's modules and files are there")


def _build(folder: DetectedFolder) -> Iterator[DetectedSetting]:
    if folder.dockerfile:
        return  # it decides by itself
    python = folder.python
    if python and python.value.version != DEFAULT:
        yield DetectedSetting("build", "base_image", f"python:{python.value}-slim-bookworm", _where(python))
    listed = folder.dependencies
    if listed and listed.path not in {"", "requirements.txt"}:
        yield DetectedSetting("build", "requirements", listed.path, _why_requirements(listed))
    if packages := folder.system_packages:
        yield DetectedSetting("build", "system_packages", list(packages.value), f"required by {_where(packages)}")


def _why_requirements(listed: DependencyList) -> str:
    return "there is one" if listed.origin is Origin.REQUIREMENTS else "each build reads it"


def _where(detected: Detected[object]) -> str:
    guess = detected.certainty is Certainty.GUESS
    return (
        "a guess: nothing sets it"
        if guess and detected.source.path == "."
        else f"{'perhaps ' * guess}{detected.source}"
    )
