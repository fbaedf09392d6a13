"""The files that `mldeploy init MODEL` writes for a model without an app."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mldeploy.config.settings import Project, Scalar, ServedColumn, ServedModel
from mldeploy.config.sources import OWN_FILE
from mldeploy.project.detect.tables import DetectedSetting
from mldeploy.project.golden import Json
from mldeploy.project.ignore import DOCKERIGNORE
from mldeploy.project.model_app import APP_FILE, FRAMEWORKS, render_app
from mldeploy.project.scaffold import REQUIREMENTS, NewFile, explain_guesses
from mldeploy.project.served import GOLDEN

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INSTALLED_BY_US = frozenset({"gunicorn", "dumb-init", "pip", "setuptools", "wheel", "uv"})


@dataclass(frozen=True)
class ModelScaffold:
    """What the files are made of. settings: keys beside [model]. installed: "name==version" of the image.

    golden: the content of golden.json, None for none. dockerignore: its text. has_requirements: the folder lists its
    dependencies.
    """

    project: Project
    settings: tuple[DetectedSetting, ...]
    installed: tuple[str, ...]
    golden: Json
    dockerignore: str
    has_requirements: bool
    framework: str = ""
    """Of the app to write instead of [model]: "flask", "fastapi", or "" for none."""


def scaffold_model_files(scaffold: ModelScaffold) -> tuple[NewFile, ...]:
    """Return the files to write."""
    new = [
        NewFile(OWN_FILE, render_model_toml(scaffold), required=True),
        NewFile(DOCKERIGNORE, scaffold.dockerignore),
    ]
    if scaffold.framework:
        new.append(NewFile(APP_FILE, render_app(scaffold.project.served[0], scaffold.framework), required=True))
    if not scaffold.has_requirements:
        new.append(NewFile(REQUIREMENTS, _render_pins(scaffold)))
    if scaffold.golden is not None:
        new.append(NewFile(GOLDEN, json.dumps(scaffold.golden, indent=2, ensure_ascii=False) + "\n"))
    return tuple(new)


def render_model_toml(scaffold: ModelScaffold) -> str:
    """Render `mldeploy.toml` with the described models."""
    lines = ["# Written by `mldeploy init`. `mldeploy help config` lists all keys."]
    settings = scaffold.settings
    lines += explain_guesses(settings)
    for table in ("app", "build"):
        own = [each for each in settings if each.table == table]
        own += _app_settings(scaffold) if table == "app" and scaffold.framework else []
        written = [f"{each.key} = {_toml(each.value)}  # {each.comment}" for each in own]
        lines += ["", f"[{table}]", *written] if own else []
    if scaffold.framework:
        return "\n".join([*lines, *_app_lines(scaffold)]) + "\n"
    several = len(scaffold.project.served) > 1
    for served in scaffold.project.served:
        lines += ["", "[[model]]" if several else "[model]", *_model_lines(served, several=several)]
    if scaffold.golden is not None:
        lines += ["", "[check]", f'golden = "{GOLDEN}"  # a row of the sample, and the answer of the model']
    return "\n".join(lines) + "\n"


def _app_lines(scaffold: ModelScaffold) -> Iterator[str]:
    """Yield the tables beside [app] and [build] for an app that loads the model."""
    yield from ("", "[check]", f'golden = "{GOLDEN}"') if scaffold.golden is not None else ()


def _app_settings(scaffold: ModelScaffold) -> list[DetectedSetting]:
    """Return the keys of [app] for an app that loads the model."""
    interface = "asgi" if scaffold.framework == "fastapi" else "wsgi"
    return [
        DetectedSetting("app", "entry", "app:app", f"the app in {APP_FILE}"),
        DetectedSetting("app", "interface", interface, f"{scaffold.framework} speaks it"),
        DetectedSetting("app", "predict", "/predict", APP_FILE),
        DetectedSetting("app", "predict_table", "/predict", APP_FILE),
        DetectedSetting("app", "models", [each.path for each in scaffold.project.served], "the model"),
    ]


def _model_lines(served: ServedModel, *, several: bool) -> Iterator[str]:
    if several:
        yield f"name = {_toml(served.name)}"
    for key in ("path", "sample", "format", "task", "target"):
        if value := getattr(served, key):
            yield f"{key} = {_toml(value)}"
    if served.classes:
        yield f"classes = {_toml(list(served.classes))}"
    if served.probabilities:
        yield "probabilities = true"
    yield "# log_rate = 0.01  # share of the requests whose inputs and predictions are logged"
    yield ""
    yield "# Bounds are those of the sample: a value beyond them is a warning. Also: unit, optional, example."
    yield "[model.columns]"
    for column in served.columns:
        yield f"{_key(column.name)} = {{ {', '.join(_column_entries(column))} }}"


def _column_entries(column: ServedColumn) -> Iterator[str]:
    yield f"type = {_toml(column.type or 'number')}"
    for key in ("minimum", "maximum"):
        value = getattr(column, key)
        if value is not None:
            yield f"{key} = {_number(value, column.type)}"
    if column.categories:
        yield f"categories = {_toml(list(column.categories))}"
    for key in ("unit", "optional", "example"):
        value = getattr(column, key)
        if value not in {None, ""} and value is not False:
            yield f"{key} = {_toml(value)}"


def _number(value: float, kind: str | None) -> str:
    return str(int(value)) if kind == "integer" and value.is_integer() else _toml(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _toml(name)


def _toml(value: Scalar | Sequence[Scalar]) -> str:
    """As TOML: its basic strings take all of JSON's escapes, but no raw DEL."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _render_pins(scaffold: ModelScaffold) -> str:
    """Render all that the image of the inspection has installed, at its versions."""
    pins = [line for line in scaffold.installed if line.partition("==")[0].lower() not in _INSTALLED_BY_US]
    text = scaffold.project.build.requirements_text or ""
    text += "".join(f"{line}\n" for line in FRAMEWORKS.get(scaffold.framework, ()))
    if not pins:
        return text
    names = {re.split(r"[=<>!~ \[]", line)[0].lower() for line in text.splitlines() if not line.startswith("#")}
    direct = [line for line in pins if line.partition("==")[0].lower() in names]
    direct += FRAMEWORKS.get(scaffold.framework, ())
    others = [line for line in pins if line not in direct]
    return "\n".join([*_comment(text), *direct, *_others(others)]) + "\n"


def _comment(text: str) -> Iterable[str]:
    return [line for line in text.splitlines()[:1] if line.startswith("#")]


def _others(lines: list[str]) -> Iterable[str]:
    return ["# What these need:", *lines] if lines else []
