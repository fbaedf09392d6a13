"""Render the workflow as YAML, and write it to the repository."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

import jinja2

from mldeploy.ci.azure_pipelines import render_azure_pipelines
from mldeploy.ci.gitlab import render_gitlab
from mldeploy.ci.jobs import list_jobs, list_triggers
from mldeploy.ci.signing.base import CiSystem
from mldeploy.ci.workflow import WorkflowSpec
from mldeploy.core.errors import RefusedError
from mldeploy.core.files import read_text
from mldeploy.project.errors import ProjectError
from mldeploy.project.scaffold import NewFile, write_files

TEMPLATE = Path(__file__).with_name("github.yml.template")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@ ,'-]*|\$\{\{ [A-Za-z_.]+ \}\}")
"""What YAML reads as the text that it is, whatever its version; but see `_WORDS`."""
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "null"})
_HEADER = re.compile(r"# By `mldeploy ci \S+` \S+ \(([0-9a-f]{16})\)\..*")


def render_workflow(spec: WorkflowSpec) -> str:
    """The file."""
    body = _RENDERERS[spec.system](spec)
    writer = f"# By `mldeploy ci {spec.system.value}` {spec.version}"
    return f"{writer} ({_checksum(body)}). It is yours: change it as you like.\n{body}"


def _render_github(spec: WorkflowSpec) -> str:
    template = _environment().from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(spec=spec, jobs=list_jobs(spec), triggers=list_triggers(spec))


_RENDERERS: Mapping[CiSystem, Callable[[WorkflowSpec], str]] = {
    CiSystem.GITHUB: _render_github,
    CiSystem.GITLAB: render_gitlab,
    CiSystem.AZURE_PIPELINES: render_azure_pipelines,
}


def is_untouched(text: str) -> bool | None:
    """Whether a file is as mldeploy wrote it; None if it is not of mldeploy's making."""
    first, _, body = text.partition("\n")
    head = _HEADER.fullmatch(first)
    return head[1] == _checksum(body) if head else None


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it is not HTML
        keep_trailing_newline=True,
    )
    environment.filters["scalar"] = _scalar
    environment.filters["json"] = json.dumps
    environment.filters["expression"] = _expression
    return environment


def _scalar(text: str) -> str:
    """A text as YAML; JSON's texts are YAML's, too. `true` and `false` stay the words that an action's inputs are."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not text.endswith(" ") and " '" not in text
    return text if plain else json.dumps(text)


def _expression(text: str) -> str:
    """A text in an expression of GitHub's: between single quotes, which are doubled in it."""
    return "'" + text.replace("'", "''") + "'"


class WriteOutcome(StrEnum):
    """What became of the file."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    PRINTED = "printed"


def write_workflow(root: Path, name: str, text: str, *, force: bool) -> WriteOutcome:
    """Write the file below `root`, durably and as a whole.

    Raises RefusedError if another one is there and `force` is not given, or something that is no file; ProjectError if
    it cannot be read or written.
    """
    path = root / name
    before = _read_existing(path)
    if before == text:
        return WriteOutcome.UNCHANGED
    if before is not None and not force:
        raise _refuse_overwrite(path, before)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made ({(error.strerror or str(error)).lower()}); nothing was written"
        raise ProjectError(str(path.parent), what, "Check its permissions and the disk.") from error
    write_files(path.parent, [NewFile(path.name, text, required=True)], force=force)
    return WriteOutcome.WRITTEN if before is None else WriteOutcome.REPLACED


def _read_existing(path: Path) -> str | None:
    """What is there, or None."""
    try:
        return read_text(path, encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", "") or "it is not UTF-8 text").lower()
        raise ProjectError(str(path), f"is there and cannot be read ({reason})", "Move it away.") from error


def _refuse_overwrite(path: Path, before: str) -> RefusedError:
    history = {
        True: "mldeploy wrote it for another target, version or state of the folder",
        False: "it was edited after mldeploy wrote it",
        None: "it was not written by mldeploy",
    }
    what = f"exists, and nothing was written: {history[is_untouched(before)]}"
    return RefusedError(str(path), what, "Use --force to overwrite it, or --stdout to print the new file.")
