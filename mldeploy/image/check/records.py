"""What was checked, remembered: a file of the user's own state that may be lost at any time, and then is found anew.

It is no truth about anything but itself: that this image, with these limits, this golden row and this environment, was
looked at by this version of mldeploy, and what was found. Failures are not remembered: they are looked at again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mldeploy import __version__
from mldeploy.config.paths import state_folder
from mldeploy.config.settings import Project
from mldeploy.core.errors import StateError
from mldeploy.core.findings import Finding, Level
from mldeploy.image.check.verdict import Figures, Verdict

FORMAT = 1
DRAFT = ".checks-"
"""How the name begins of a file that is being written; one is left if that is cut short."""
KEPT = 8
"""So many images of an app may change places without being checked anew: two platforms, some branches."""


@dataclass(frozen=True)
class Subject:
    """All that decides a check: the image, and what is demanded of it. text: without the environment's values."""

    text: str
    environment: bytes

    @classmethod
    def of(cls, project: Project, image: str) -> Subject:
        """image: its id. Reads the golden row and the requirements, if they are there."""
        app = replace(project.app, env=(), folder=Path(), env_file=None)
        files = [project.check.golden, project.app.folder / project.build.requirements]
        build = replace(project.build, builder="")  # how it is built, not what
        decisive = [FORMAT, __version__, image, repr(app), repr(build), project.check.start_timeout]
        decisive += [hashlib.sha256(_content(file)).hexdigest() for file in files if file]
        values = [(name, value.reveal()) for name, value in project.app.env]
        text = hashlib.sha256(json.dumps(decisive, default=str).encode()).hexdigest()
        return cls(text, json.dumps(values).encode() if values else b"")

    def proof(self, salt: str) -> str:
        """Tells whether the environment is the same. Slow to compute (RFC 7914): nobody can try out short passwords."""
        if not self.environment:
            return ""
        return hashlib.scrypt(self.environment, salt=bytes.fromhex(salt), n=1 << 12, r=8, p=1).hex()


def recall(app: str, subject: Subject) -> Verdict | None:
    """What was found when this was checked, or None. A file that cannot be read is one that is not there."""
    for entry in _entries(_file(app)):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            if entry["subject"] == subject.text and entry["proof"] == subject.proof(str(entry["salt"])):
                return _verdict(entry)
    return None


def remember(app: str, subject: Subject, verdict: Verdict) -> None:
    """Write down what was found. Raises StateError if it cannot be written."""
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
    _write(file, json.dumps([entry, *others[: KEPT - 1]]))


def forget(app: str) -> bool:
    """Remove all that is remembered of an app; True if there was anything."""
    file = _file(app)
    for torn in file.parent.glob(f"{DRAFT}*"):
        torn.unlink(missing_ok=True)
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(str(file), f"cannot be removed ({error.strerror})", "Correct its permissions.") from error
    with contextlib.suppress(OSError):  # a journal is still beside it
        file.parent.rmdir()
    return True


def is_known(app: str) -> bool:
    """Whether anything is remembered of an app."""
    return _file(app).exists()


def _file(app: str) -> Path:
    return state_folder() / app / "checks.json"


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _entries(file: Path) -> Iterator[dict[str, object]]:
    try:
        entries = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(entries, list):
        yield from (each for each in entries if isinstance(each, dict))


def _verdict(entry: dict[str, object]) -> Verdict:
    findings, figures = entry["findings"], entry["figures"]
    if not isinstance(findings, list) or not isinstance(figures, dict):
        raise TypeError("no verdict")
    found = (Finding(str(subject), Level(level), str(what), str(todo)) for subject, level, what, todo in findings)
    return Verdict(tuple(found), Figures(**figures))


def _write(file: Path, text: str) -> None:
    """Replace the file as a whole: nobody reads half of it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"{DRAFT}{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        draft.replace(file)
    except OSError as error:
        raise StateError(str(file), f"cannot be written ({error.strerror})", "Free the disk.") from error
