"""The configuration, completed from the folder: keys that are not set are detected as `mldeploy init` does."""

# ruff: noqa: PLC0415 - detection is imported where it is needed: a complete configuration does not wait for it

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.load import read
from mldeploy.config.naming import guess_name
from mldeploy.config.override import Overrides
from mldeploy.config.resolve import FolderDefaults, RawConfig, resolve
from mldeploy.config.settings import Project
from mldeploy.project.entry import import_roots, split_entry
from mldeploy.project.errors import ProjectError

if TYPE_CHECKING:
    from mldeploy.config.settings import ServedModel
    from mldeploy.project.detect.dependencies.dependency import DependencyList
    from mldeploy.project.detect.findings import Remark
    from mldeploy.project.detect.folder import DetectedFolder
    from mldeploy.project.detect.tables import DetectedSetting, Value
    from mldeploy.project.served import ModelProposal

DOCKERFILE = "Dockerfile"
REQUIREMENTS = "requirements.txt"
REQUIREMENTS_KEY = ("build", "requirements")
GUNICORN_FILE = "gunicorn.conf.py"
MODEL_SETTINGS = frozenset({"app.name", "build.base_image", "build.requirements", "check.golden"})
"""Of the detected settings, those that apply to an app without code."""


def lists_dependencies(folder: DetectedFolder) -> bool:
    """Whether a file of the folder lists dependencies."""
    from mldeploy.project.detect.dependencies.dependency import Origin

    return folder.dependencies is not None and folder.dependencies.origin is not Origin.IMPORTS


@dataclass(frozen=True)
class AssumedSetting:
    """A detected setting. key: of the configuration. why: the origin of its value, in words."""

    key: str
    value: str
    why: str
    is_guess: bool = False

    @property
    def origin(self) -> str:
        """`why`, marked if the value is a guess."""
        from mldeploy.project.detect.tables import mark_guess

        return mark_guess(self.why, is_guess=self.is_guess)

    def __str__(self) -> str:
        return f"{self.key}: {self.value} ({self.origin})"


def image_python(base_image: str) -> str:
    """The feature release of Python in a base image, as its tag says it; "" if it does not."""
    match = re.match(r"(?:[^:]*:)[a-z-]*(\d\.\d+)", base_image.rpartition("/")[2])
    return match[1] if match else ""


class CompletedConfig:
    """The written configuration of a project, completed with values detected in the folder.

    Detection runs once, when it is first needed. Every member may raise ConfigError, or
    ProjectError if the folder cannot be read.
    """

    def __init__(self, folder: Path, overrides: Overrides) -> None:
        self._overrides = overrides
        self._written = read(folder, overrides)
        self.folder = self._written.folder

    @property
    def is_configured(self) -> bool:
        """The project has a configuration file."""
        return self._written.written.configured

    @property
    def written(self) -> frozenset[str]:
        """The keys of [app] that the user has set, in a file or for this run."""
        return frozenset(self._written.tables.app.model_fields_set)

    @cached_property
    def raw(self) -> RawConfig:
        """The completed configuration; without a file, the one that `init` would write."""
        tables: dict[str, dict[str, Value]] = {}
        for each in self._settings:
            tables.setdefault(each.table, {})[each.key] = each.value
        return read(self.folder, self._overrides, tables) if tables else self._written

    def project(self) -> Project:
        """The settings."""
        ignored = () if self.is_configured else self.detected.ignored
        lock = self._named_list.export if self._named_list else None
        defaults = FolderDefaults(self._dockerfile, self._requirements, ignored, self._interface, lock)
        return resolve(self.raw, defaults)

    def assumed(self) -> Iterator[AssumedSetting]:
        """Yield the detected settings in the order of the manual."""
        tables = self._written.tables
        if self.is_configured and tables.app.name is None:
            guessed = guess_name(self.folder)
            yield AssumedSetting("app.name", guessed.name, guessed.why, is_guess=not guessed.is_read)
        for each in self._settings:
            is_rendered = (each.table, each.key) == REQUIREMENTS_KEY and self._requirements is not None
            is_written = each.table != "model" and each.key in getattr(tables, each.table).model_fields_set
            if not is_written and not is_rendered:
                value = ", ".join(each.value) if isinstance(each.value, list) else str(each.value)
                value = value.lower() if isinstance(each.value, bool) else value
                yield AssumedSetting(f"{each.table}.{each.key}", value or "none", each.reason, each.is_guess)
        if self._interface == "asgi":
            yield AssumedSetting("app.interface", "asgi", f"the source of {self.raw.tables.app.entry}")
        if self._dockerfile:
            yield AssumedSetting("build.dockerfile", DOCKERFILE, "the file exists")
        is_set = "requirements" in tables.build.model_fields_set
        if self._requirements is not None and self._served:
            count = sum(not line.startswith("#") for line in self._requirements.splitlines())
            yield AssumedSetting("build.requirements", f"{count} dependencies", "the versions that made the model")
        elif self._requirements is not None and not is_set:
            listed = self.detected.dependencies
            why = (listed.path or "the source's imports") if listed else "the source imports nothing else"
            count = len(listed.dependencies) if listed else 0
            yield AssumedSetting("build.requirements", f"{count} dependencies" if count != 1 else "1 dependency", why)

    def remarks(self) -> tuple[Remark, ...]:
        """All remarks for a project without configuration; otherwise those on its own Dockerfile, or its pins."""
        if self._served:
            return ()
        if not self.is_configured:
            return tuple(each for each in self.detected.remarks if each.severity != "note")
        if not self._own:
            return (*self._shadowed(), *self._gunicorn_remarks(), *self._pin_remarks())
        from mldeploy.project.detect.production_checks import check_dockerfile

        return check_dockerfile(self.folder, self._own)

    def _shadowed(self) -> Iterator[Remark]:
        """That Python imports a package instead of the module of the same name beside it."""
        from mldeploy.project.detect.findings import Remark, Severity, Source

        app = self.raw.tables.app
        path, _ = split_entry(app.entry)
        start = self.folder / (app.chdir or "")
        if not app.command and (start / f"{path}.py").is_file() and (start / path / "__init__.py").is_file():
            what = f"is not what {app.entry} serves: Python imports the package {path}/ of the same name instead"
            source = Source(posixpath.join(app.chdir or "", f"{path}.py"))
            yield Remark("entry-shadowed", Severity.WARNING, source, what, "Rename the file or the package.")

    def _pin_remarks(self) -> tuple[Remark, ...]:
        """What of the list cannot be installed in the image, as far as it is known without building it."""
        from mldeploy.project.detect.dependencies.pins import check_pins
        from mldeploy.project.detect.dependencies.requirements_txt import read_requirements
        from mldeploy.project.detect.tree import list_folder

        build = self.raw.tables.build
        listed = self._named_list
        if listed is None and self._requirements is None:
            tree = list_folder(self.folder, posixpath.dirname(build.requirements))
            listed = read_requirements(tree, build.requirements)
        return tuple(check_pins(listed, (), image_python(build.base_image), {})) if listed else ()

    def _gunicorn_remarks(self) -> tuple[Remark, ...]:
        """Remarks on the app's own gunicorn.conf.py, which decides where mldeploy's server listens."""
        app = self._written.tables.app
        paths = (posixpath.join(app.chdir or "", GUNICORN_FILE), GUNICORN_FILE)
        path = next((each for each in paths if (self.folder / each).is_file()), None)
        if path is None or app.command:
            return ()
        from mldeploy.project.detect.production_checks import check_gunicorn_file

        return check_gunicorn_file(self.folder, path, app.port)

    def refusal(self) -> ProjectError | None:
        """Return why the app to serve is unknown, or None."""
        if not self._lacks_entry or self._served:
            return None
        if isinstance(self._proposed, ProjectError):
            return self._proposed
        from mldeploy.project.proposal import find_ambiguity, find_refusal

        return find_refusal(self.detected) or find_ambiguity(self.detected)

    @cached_property
    def detected(self) -> DetectedFolder:
        """The folder, as `init` sees it."""
        from mldeploy.project.proposal import read_folder

        app = self._written.tables.app
        if "entry" in app.model_fields_set:
            try:
                return read_folder(self.folder, app.entry, scaffolded=False)
            except ProjectError:  # detection does not recognize the configured app, which is allowed
                pass
        return read_folder(self.folder, scaffolded=False)

    @property
    def proposal(self) -> ModelProposal | None:
        """The model of a folder without an app, if no other app is configured and mldeploy can serve the model."""
        return None if isinstance(self._proposed, ProjectError) else self._proposed

    @cached_property
    def _proposed(self) -> ModelProposal | ProjectError | None:
        """The proposal for the model of a folder without an app, or why that model cannot be served."""
        if not self._lacks_entry or not self._has_model_alone():
            return None
        from mldeploy.project.served import propose_models

        try:
            return propose_models(self.folder)
        except ProjectError as error:  # reported with all other problems once the project is checked
            return error

    def _has_model_alone(self) -> bool:
        from mldeploy.project.served import has_model

        return any(each.code == "no-entry" for each in self.detected.remarks) and has_model(self.folder)

    @property
    def _served(self) -> tuple[ServedModel, ...]:
        """The models that mldeploy serves itself."""
        from mldeploy.config.served import list_served_models

        return list_served_models(self.raw.tables.model)

    def _model_settings(self, proposal: ModelProposal | None) -> Iterator[DetectedSetting]:
        """Yield the settings for models without an app. proposal: if [model] is not set."""
        from mldeploy.project.detect.tables import list_settings
        from mldeploy.project.served import propose_models

        if proposal is None:
            written = self._written.tables.model
            try:
                proposal = propose_models(
                    self.folder, [each.path for each in written], [each.sample or "" for each in written]
                )
            except ProjectError:  # reported once the project is checked
                return
        else:
            yield from proposal.keys
        own = {f"{each.table}.{each.key}" for each in proposal.settings}
        if not self.is_configured:
            for each in list_settings(self.detected):
                if f"{each.table}.{each.key}" in MODEL_SETTINGS - own:
                    yield each
        yield from proposal.settings

    @cached_property
    def _settings(self) -> tuple[DetectedSetting, ...]:
        """The detected settings for keys that are not set."""
        if self._written.tables.model or self.proposal:
            return tuple(self._model_settings(self.proposal))
        if self.is_configured and not self._lacks_entry:
            return (*(self._models if self._lacks_models else ()), *self._list_setting)
        from mldeploy.project.detect.tables import SERVING, list_settings

        detected = list_settings(self.detected)
        if not self.is_configured:
            excluded = frozenset() if self._lacks_entry or self._own else SERVING
            return tuple(each for each in detected if each.key not in excluded)
        keys = SERVING | ({"models"} if self._lacks_models else set())
        return (*(each for each in detected if each.table == "app" and each.key in keys), *self._list_setting)

    @property
    def _list_setting(self) -> tuple[DetectedSetting, ...]:
        """The list of dependencies, if the configuration names none and the folder has no requirements.txt."""
        is_set = "requirements" in self._written.tables.build.model_fields_set
        if is_set or self._own or (self.folder / REQUIREMENTS).exists():
            return ()
        from mldeploy.project.detect.tables import list_settings

        return tuple(each for each in list_settings(self.detected) if (each.table, each.key) == REQUIREMENTS_KEY)

    @cached_property
    def _interface(self) -> str:
        """The interface of the entry, if it is not set."""
        from mldeploy.project.entry import is_asgi

        app = self.raw.tables.app
        roots = import_roots(package=self.raw.tables.build.package)
        silent = app.interface is None and not app.command and not self._own
        return "asgi" if silent and is_asgi(self.folder / (app.chdir or ""), app.entry, roots) else "wsgi"

    @property
    def _models(self) -> Iterator[DetectedSetting]:
        """The models alone, without a full detection of the folder."""
        from mldeploy.project.detect.models.model_files import find_model_files
        from mldeploy.project.detect.tables import list_model_settings

        app = self._written.tables.app
        served = [posixpath.join(app.chdir or "", each) for each in self._started]
        yield from list_model_settings(find_model_files(self.folder, served))

    @property
    def _started(self) -> Iterator[str]:
        """The files that may contain the app, relative to its start folder."""
        app = self._written.tables.app
        if app.command:
            yield from (word for word in app.command if word.endswith(".py"))
        else:
            path, _ = split_entry(app.entry)
            roots = import_roots(package=self._written.tables.build.package)
            names = (f"{path}.py", f"{path}/__init__.py")
            yield from (posixpath.join(root, name) for root in roots for name in names)

    @cached_property
    def _requirements(self) -> str | None:
        """The text of a requirements file, if there is none: what the build installs of a lock or another list."""
        if self._own:
            return None
        if listed := self._named_list:
            from mldeploy.project.detect.dependencies.dependency import LOCKS
            from mldeploy.project.proposal import render_list

            return render_list(self.folder, listed, () if listed.origin in LOCKS else self.detected.models)
        if "requirements" in self.raw.tables.build.model_fields_set or (self.folder / REQUIREMENTS).exists():
            return None
        from mldeploy.project.proposal import render_requirements

        if self._served and not self._lists_dependencies:
            return self._render_model_requirements()
        return render_requirements(self.detected)

    def _render_model_requirements(self) -> str | None:
        from mldeploy.project.served import render_model_requirements

        try:
            return render_model_requirements(self.folder, self._served)
        except ProjectError:  # reported once the project is checked
            return ""

    @property
    def _lists_dependencies(self) -> bool:
        """Whether a file of the folder lists dependencies."""
        return lists_dependencies(self.detected)

    @cached_property
    def _named_list(self) -> DependencyList | None:
        """The list that `build.requirements` names, if it is not in pip's format."""
        build, app = self.raw.tables.build, self.raw.tables.app
        is_set = "requirements" in build.model_fields_set
        if self._own or not is_set or build.requirements.endswith((".txt", ".in")):
            return None
        from mldeploy.project.detect.dependencies.dependency import target_environment
        from mldeploy.project.detect.dependencies.listing import read_list
        from mldeploy.project.detect.python_version import DEFAULT, format_release
        from mldeploy.project.detect.tree import scan_folder

        environment = target_environment(image_python(build.base_image) or format_release(DEFAULT))
        started = posixpath.join(app.chdir or "", split_entry(app.entry)[0])
        return read_list(scan_folder(self.folder), build.requirements, environment, started)

    @property
    def _lacks_entry(self) -> bool:
        tables = self._written.tables
        app = tables.app
        return not tables.model and not self._own and "entry" not in app.model_fields_set and not app.command

    @property
    def _lacks_models(self) -> bool:
        return self._written.tables.app.models is None

    @property
    def _own(self) -> str:
        """The user's Dockerfile, "" for the one of mldeploy."""
        return self._written.tables.build.dockerfile or self._dockerfile or ""

    @cached_property
    def _dockerfile(self) -> str | None:
        """The folder's Dockerfile, if `build.dockerfile` is not set."""
        unsaid = self._written.tables.build.dockerfile is None and not self._written.tables.model
        return DOCKERFILE if unsaid and (self.folder / DOCKERFILE).is_file() else None
