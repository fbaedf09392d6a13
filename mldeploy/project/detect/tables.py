"""Convert the detected values to the tables of a `mldeploy.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from mldeploy.config.naming import guess_name
from mldeploy.project.detect.dependencies.dependency import DependencyList, Origin
from mldeploy.project.detect.entry import AppEntry
from mldeploy.project.detect.findings import Certainty, Detected
from mldeploy.project.detect.python_version import DEFAULT
from mldeploy.project.detect.serving import StartSettings, is_servable, start_settings

if TYPE_CHECKING:  # who only names the models of a folder does not wait for every detector
    from mldeploy.project.detect.folder import DetectedFolder

Value: TypeAlias = str | int | list[str]


@dataclass(frozen=True)
class DetectedSetting:
    """One key of the configuration. why: the origin of its value, in words.

    is_guess: no file says the value, and no tool was asked: `why` is the reason for it.
    """

    table: str
    key: str
    value: Value
    why: str
    is_guess: bool = False

    @property
    def reason(self) -> str:
        """`why` in one line without control characters."""
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in self.why)

    @property
    def comment(self) -> str:
        """The reason, marked if the value is a guess."""
        return mark_guess(self.reason, is_guess=self.is_guess)


GUESS = "guess"
"""Begins the comment of a value that is a guess."""


def mark_guess(reason: str, *, is_guess: bool) -> str:
    """Return the reason for a value as people read it."""
    return f"{GUESS}: {reason}" if is_guess else reason


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
    yield DetectedSetting("app", "name", guessed.name, guessed.why, is_guess=not guessed.is_read)
    entry = folder.entry
    if entry and is_servable(entry.value):
        yield from _start(entry, start_settings(entry.value, folder.commands))
    if folder.port:
        yield _setting("app", "port", folder.port.value, folder.port)
    if folder.lacks_health and not folder.dockerfile:
        yield DetectedSetting("app", "health_by", "server", _lacks_health(folder), is_guess=not folder.knows_routes)
    for key, route in (("health", folder.health), ("predict", folder.predict), ("predict_table", folder.predict_table)):
        if route:
            yield _setting("app", key, route.value, route)
    yield from _models(folder)
    if folder.env_file:
        yield DetectedSetting("app", "env_file", folder.env_file.value, "the app reads it; it stays out of the image")
    yield from _build(folder)
    slow = [each for each in (folder.dependencies.dependencies if folder.dependencies else ()) if each.name in _SLOW]
    if slow:
        why = f"{slow[0].name} takes long to load, and longer on a part of a CPU"
        yield DetectedSetting("check", "start_timeout", _SLOW[slow[0].name], why, is_guess=True)
    if folder.golden:
        yield DetectedSetting("check", "golden", folder.golden.value, "there is one")


def _lacks_health(folder: DetectedFolder) -> str:
    return "the app has no health route" if folder.knows_routes else "the source shows no health route for certain"


def _setting(table: str, key: str, value: Value, origin: Detected[object], prefix: str = "") -> DetectedSetting:
    """A key whose value has this origin."""
    return DetectedSetting(table, key, value, prefix + _where(origin), is_guess=origin.certainty is Certainty.GUESS)


def _models(folder: DetectedFolder) -> Iterator[DetectedSetting]:
    unread = [
        each.value.path
        for each in folder.models
        if each.certainty is Certainty.GUESS and each.value.path in folder.model_files
    ]
    for setting in list_model_settings(folder.model_files):
        names = ", ".join(unread[:3]) + " …" * (len(unread) > 3)
        why = f"only by its extension: {names}"
        yield replace(setting, why=why, is_guess=True) if unread else setting


def list_model_settings(files: tuple[str, ...]) -> Iterator[DetectedSetting]:
    """The models, if there are any."""
    if files:
        yield DetectedSetting("app", "models", list(files), "detected by extension and content")


def _start(entry: Detected[AppEntry], settings: StartSettings) -> Iterator[DetectedSetting]:
    framework = f"{entry.value.framework}, "
    if settings.command:
        yield _setting("app", "command", list(settings.command), entry, framework)
    else:
        yield _setting("app", "entry", settings.entry, entry, framework)
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
    if folder.package:
        why = f"{folder.package.name} is a package ({folder.package.source})"
        yield DetectedSetting("build", "package", value=True, why=why)
    if packages := folder.system_packages:
        yield DetectedSetting("build", "system_packages", list(packages.value), f"required by {_where(packages)}")


def _why_requirements(listed: DependencyList) -> str:
    return "there is one" if listed.origin is Origin.REQUIREMENTS else "each build reads it"


def _where(detected: Detected[object]) -> str:
    if not detected.reason:
        return str(detected.source)
    return detected.reason if detected.source.path == "." else f"{detected.reason} ({detected.source})"
