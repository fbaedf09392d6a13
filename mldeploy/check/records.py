"""The cache of passed checks, a file in the user's state folder. If it is lost, images are checked again.

An entry is valid for one image, its limits, golden row, environment and version of mldeploy. Failures are not cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from mldeploy import __version__
from mldeploy.check.verdict import CheckFigures, CheckVerdict
from mldeploy.config.access_keys import DIGESTS, RATE
from mldeploy.config.result_file import KEPT, read_results, remove_results, result_file, write_results
from mldeploy.config.settings import App, Build, Project
from mldeploy.core.files import STATE_LIMIT, read_bytes
from mldeploy.core.findings import Finding, Level

FORMAT = 1
_FIRST = frozenset(
    (
        *("env_file", "interface", "command", "chdir", "health_by"),
        *("builder", "requirements_text", "ignored", "cache_from", "cache_to", "index", "extra_indexes", "gpu"),
        "system_packages",
    )
)
"""The fields with a default that `App` and `Build` had when checks were first cached. This set never changes."""


@dataclass(frozen=True)
class CheckSubject:
    """The inputs of a check: the image and its requirements. text: a hash, without the environment's values."""

    text: str
    environment: bytes

    @classmethod
    def of(cls, project: Project, image: str, withheld: Sequence[str] = ()) -> CheckSubject:
        """image: its id. withheld: as in `check`. Reads the golden row and the requirements, if they exist."""
        app = replace(project.app, env=(), folder=Path(), env_file=None, own_key=None)
        files = [project.check.golden, project.app.folder / project.build.requirements]
        build = replace(project.build, builder="")  # how it is built, not what
        decisive = [FORMAT, __version__, image, _describe(app), _describe(build), project.check.start_timeout]
        decisive += [hashlib.sha256(_content(file)).hexdigest() for file in files if file]
        decisive += [sorted(withheld)] if withheld else []
        values = [(name, value.reveal()) for name, value in project.app.env if name not in (DIGESTS, RATE)]
        text = hashlib.sha256(json.dumps(decisive, default=str).encode()).hexdigest()
        return cls(text, json.dumps(values).encode() if values else b"")

    def proof(self, salt: str) -> str:
        """Return a hash of the environment. scrypt (RFC 7914) is slow, so that short passwords cannot be guessed."""
        if not self.environment:
            return ""
        return hashlib.scrypt(self.environment, salt=bytes.fromhex(salt), n=1 << 12, r=8, p=1).hex()


def _describe(settings: App | Build) -> str:
    """Return the `repr`, without newer fields at their default: checks from before these fields remain valid."""
    values = [(each, getattr(settings, each.name)) for each in fields(settings)]
    shown = [f"{each.name}={value!r}" for each, value in values if each.name in _FIRST or value != each.default]
    return f"{type(settings).__name__}({', '.join(shown)})"


def recall(app: str, subject: CheckSubject) -> CheckVerdict | None:
    """Return the cached verdict, or None. An unreadable file counts as missing."""
    for entry in _entries(_file(app)):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if entry["subject"] == subject.text and entry["proof"] == subject.proof(str(entry["salt"])):
                return _verdict(entry)
    return None


def remember(app: str, subject: CheckSubject, verdict: CheckVerdict) -> None:
    """Cache a verdict. Raises StateError if it cannot be written."""
    salt = os.urandom(16).hex()
    entry: dict[str, object] = {
        "subject": subject.text,
        "salt": salt,
        "proof": subject.proof(salt),
        "findings": [[each.subject, each.level.value, each.what, each.todo] for each in verdict.findings],
        "figures": asdict(verdict.figures),
    }
    file = _file(app)
    others = [each for each in _entries(file) if each.get("subject") != subject.text]
    write_results(file, [entry, *others[: KEPT - 1]])


def forget(app: str) -> bool:
    """Remove the cached checks of an app; True if there were any. Raises StateError."""
    return remove_results(_file(app))


def is_known(app: str) -> bool:
    """Whether checks of an app are cached."""
    return _file(app).exists()


def _file(app: str) -> Path:
    return result_file(app, "checks.json")


def _content(file: Path) -> bytes:
    try:
        return read_bytes(file, limit=STATE_LIMIT)
    except OSError:
        return b""


def _entries(file: Path) -> Iterator[dict[str, object]]:
    entries = read_results(file)
    if isinstance(entries, list):
        yield from (each for each in entries if isinstance(each, dict))


def _verdict(entry: dict[str, object]) -> CheckVerdict:
    findings, figures = entry["findings"], entry["figures"]
    if not isinstance(findings, list) or not isinstance(figures, dict):
        raise TypeError("no verdict")
    parsed = (Finding(str(subject), Level(level), str(what), str(todo)) for subject, level, what, todo in findings)
    return CheckVerdict(tuple(parsed), CheckFigures(**figures))
