"""Diagnoses of failures: by exit code, by an answer, by a sign in a text. `log_causes` reads the app's log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mldeploy.app.signs.sign import About, Sign

__all__ = (
    "About",
    "FailureDiagnosis",
    "Sign",
    "add_log_hint",
    "diagnose_exit",
    "diagnose_exit_code",
    "diagnose_unhealthy",
    "match_signs",
)


@dataclass(frozen=True)
class FailureDiagnosis:
    """cause: one sentence without its full stop. todo: what to do about it, "" if unknown."""

    cause: str
    todo: str = ""
    about: About = About.START


_ENDS: Mapping[int, FailureDiagnosis] = MappingProxyType(
    {
        0: FailureDiagnosis(
            "it ended by itself, without an error", "Its command must stay in the foreground and serve."
        ),
        3: FailureDiagnosis("its server's workers did not start (exit code 3)"),
        4: FailureDiagnosis(
            "its server could not load the app (exit code 4)", "Correct `entry` in [app] of mldeploy.toml."
        ),
        126: FailureDiagnosis("its program is not executable (exit code 126)", "Make it so: `chmod +x`."),
        127: FailureDiagnosis("its program is not in the image (exit code 127)", "Correct CMD or ENTRYPOINT."),
        132: FailureDiagnosis(
            "it used an instruction that this processor does not have (exit code 132)",
            "Use a build of the library for older processors, or another machine.",
        ),
        134: FailureDiagnosis("it aborted (exit code 134)"),
        137: FailureDiagnosis(
            "it was killed (exit code 137)", "If nobody killed it, this machine has too little memory for it."
        ),
        139: FailureDiagnosis(
            "it crashed in native code (exit code 139)", "Two libraries do not fit together: pin the versions that do."
        ),
        143: FailureDiagnosis("it received SIGTERM (exit code 143)", "See what stopped it: `docker events`."),
    }
)


def match_signs(signs: Iterable[Sign], text: str) -> FailureDiagnosis | None:
    """Return the diagnosis of the first sign whose pattern the text matches. {message} in its cause: the whole text."""
    for sign in signs:
        if match := re.search(sign.pattern, text):
            return FailureDiagnosis(
                sign.cause.format_map({"message": text, **match.groupdict()}), sign.todo, sign.about
            )
    return None


def diagnose_unhealthy(path: str, observed: str) -> FailureDiagnosis:
    """Return the diagnosis of an app whose health path does not answer 200. observed: the answer, in words."""
    todo = (
        f"Let {path} answer 200, or set `health` in [app] of mldeploy.toml to a path that does; "
        'for an app without such a page, `health_by = "server"`.'
    )
    return FailureDiagnosis(observed, todo, About.HEALTH)


def add_log_hint(diagnosis: FailureDiagnosis, logged: FailureDiagnosis | None) -> FailureDiagnosis:
    """Return the diagnosis of an app that lives, with the cause in its log as a hint.

    An app may log an error that it handles, and go on: only a process that ended makes a log line the cause.
    """
    if logged is None:
        return diagnosis
    hint = f" If that is the reason: {logged.todo}" if logged.todo else ""
    return FailureDiagnosis(
        f"{diagnosis.cause}; its log mentions: {logged.cause}", f"{diagnosis.todo}{hint}", diagnosis.about
    )


def diagnose_exit_code(status: int) -> FailureDiagnosis:
    """Return the cause that an exit code indicates. 128 + n: ended by signal n, as in POSIX shells."""
    return _ENDS.get(status, FailureDiagnosis(f"it ended (exit code {status})"))


def diagnose_exit(status: int, logged: FailureDiagnosis | None) -> FailureDiagnosis:
    """Return the diagnosis of an app that ended. logged: the cause in its log, which is preferred."""
    end = diagnose_exit_code(status)
    if logged is None:
        return end
    return FailureDiagnosis(f"{logged.cause} (exit code {status})", logged.todo or end.todo, logged.about)
