"""The configuration, completed from the folder: what nobody wrote down is detected, as `init` detects it."""

# ruff: noqa: PLC0415 - detection is imported where it is needed: a complete configuration does not wait for it

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mldeploy.config.load import read
from mldeploy.config.override import Overrides
from mldeploy.config.resolve import Found, Raw, resolve
from mldeploy.config.settings import Project
from mldeploy.project.entry import parts
from mldeploy.project.errors import ProjectError

if TYPE_CHECKING:
    from mldeploy.project.detect.findings import Remark
    from mldeploy.project.detect.tables import Setting, Value
    from mldeploy.project.survey import Survey

DOCKERFILE = "Dockerfile"
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Assumed:
    """Something that nobody wrote down. key: of the configuration. why: where it was found, in words."""

    key: str
    value: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value} ({self.why})"


class Completion:
    """What is written for a project, and what the folder says where nothing is.

    The folder is looked at when that is first needed, and only once. Everything here may raise ConfigError, or
    ProjectError if the folder cannot be read.
    """

    def __init__(self, folder: Path, overrides: Overrides) -> None:
        self._overrides = overrides
        self._asked = read(folder, overrides)
        self.folder = self._asked.folder

    @property
    def is_configured(self) -> bool:
        """The project has a configuration of its own."""
        return self._asked.written.configured

    @cached_property
    def raw(self) -> Raw:
        """The configuration, completed; without one of the project's own, all that `init` would write."""
        found: dict[str, dict[str, Value]] = {}
        for each in self._settings:
            found.setdefault(each.table, {})[each.key] = each.value
        return read(self.folder, self._overrides, found) if found else self._asked

    def project(self) -> Project:
        """The settings."""
        ignored = () if self.is_configured else self.survey.ignored
        return resolve(self.raw, Found(self._dockerfile, self._requirements, ignored, self._interface))

    def assumed(self) -> Iterator[Assumed]:
        """What nobody wrote down, in the order of the manual."""
        tables = self._asked.tables
        if self.is_configured and tables.app.name is None:
            yield Assumed("app.name", self.project().app.name, "the folder's name")
        for each in self._settings:
            if each.key not in getattr(tables, each.table).model_fields_set:
                value = ", ".join(each.value) if isinstance(each.value, list) else str(each.value)
                yield Assumed(f"{each.table}.{each.key}", value or "none", each.why)
        if self._interface == "asgi":
            yield Assumed("app.interface", "asgi", f"the source of {self.raw.tables.app.entry}")
        if self._dockerfile:
            yield Assumed("build.dockerfile", DOCKERFILE, "there is one")
        if self._requirements is not None:
            listed = self.survey.folder.dependencies
            why = (listed.path or "the source's imports") if listed else "the source imports nothing else"
            count = len(listed.dependencies) if listed else 0
            yield Assumed("build.requirements", f"{count} dependencies" if count != 1 else "1 dependency", why)

    def remarks(self) -> tuple[Remark, ...]:
        """What looks wrong: everything, where nobody has configured the project; else how its own Dockerfile serves."""
        if not self.is_configured:
            return tuple(each for each in self.survey.folder.remarks if each.severity != "note")
        if not self._own:
            return ()
        from mldeploy.project.detect.own import remarks

        return remarks(self.folder, self._own)

    def refusal(self) -> ProjectError | None:
        """Why there is no telling what to serve, or None."""
        if not self._lacks_entry:
            return None
        from mldeploy.project.survey import indecision, refusal

        return refusal(self.survey.folder) or indecision(self.survey.folder)

    @cached_property
    def survey(self) -> Survey:
        """The folder, as `init` sees it."""
        from mldeploy.project.survey import survey

        app = self._asked.tables.app
        if "entry" in app.model_fields_set:
            try:
                return survey(self.folder, app.entry, scaffolded=False)
            except ProjectError:  # the app that it names is none that detection recognizes: that is the user's right
                pass
        return survey(self.folder, scaffolded=False)

    @cached_property
    def _settings(self) -> tuple[Setting, ...]:
        """What stands in the folder for what is not written."""
        if self.is_configured and not self._lacks_entry:
            return tuple(self._models) if self._lacks_models else ()
        from mldeploy.project.detect.tables import SERVING, settings

        found = settings(self.survey.folder)
        if not self.is_configured:
            said = frozenset() if self._lacks_entry or self._own else SERVING
            return tuple(each for each in found if each.key not in said)
        wanted = SERVING | ({"models"} if self._lacks_models else set())
        return tuple(each for each in found if each.table == "app" and each.key in wanted)

    @cached_property
    def _interface(self) -> str:
        """What the entry speaks, where nobody has said it and nothing of the folder has."""
        from mldeploy.project.interface import is_asgi

        app = self.raw.tables.app
        silent = app.interface is None and not app.command and not self._own
        return "asgi" if silent and is_asgi(self.folder / (app.chdir or ""), app.entry) else "wsgi"

    @property
    def _models(self) -> Iterator[Setting]:
        """The models alone, for which one need not know what the rest of the folder is."""
        from mldeploy.project.detect.tables import of_models
        from mldeploy.project.own_models import own_models

        app = self._asked.tables.app
        served = [posixpath.join(app.chdir or "", each) for each in self._started]
        yield from of_models(own_models(self.folder, served))

    @property
    def _started(self) -> Iterator[str]:
        """The files that may be what is served, seen from the folder in which it is started."""
        app = self._asked.tables.app
        if app.command:
            yield from (word for word in app.command if word.endswith(".py"))
        else:
            path, _ = parts(app.entry)
            yield from (f"{path}.py", f"{path}/__init__.py")

    @cached_property
    def _requirements(self) -> str | None:
        """What stands for a requirements file, where there is none."""
        written = "requirements" in self.raw.tables.build.model_fields_set
        if self._own or written or (self.folder / REQUIREMENTS).exists():
            return None
        from mldeploy.project.requirements import requirements

        return requirements(self.survey.folder)

    @property
    def _lacks_entry(self) -> bool:
        app = self._asked.tables.app
        return not self._own and "entry" not in app.model_fields_set and not app.command

    @property
    def _lacks_models(self) -> bool:
        return self._asked.tables.app.models is None

    @property
    def _own(self) -> str:
        """The Dockerfile that is built as it is, "" for mldeploy's recipe."""
        return self._asked.tables.build.dockerfile or self._dockerfile or ""

    @cached_property
    def _dockerfile(self) -> str | None:
        """The folder's own, where nobody has said which one to use."""
        unsaid = self._asked.tables.build.dockerfile is None
        return DOCKERFILE if unsaid and (self.folder / DOCKERFILE).is_file() else None
