"""The cause of a failure in the app's log: by tables of signs, and by what several lines say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise, product

from mldeploy.app.causes import FailureDiagnosis
from mldeploy.app.import_failures import diagnose_import
from mldeploy.app.signs import environment, files, models, packages, start
from mldeploy.app.signs.sign import About, Sign
from mldeploy.image.recipe import libraries
from mldeploy.project.detect.dependencies.distributions import distribution_of

_SIGNS = (
    *models.PICKLES,
    *packages.IMPORTS,
    *packages.COMPATIBILITY,
    *models.FORMATS,
    *models.DOWNLOADS,
    *files.MISSING_PROGRAMS,
    *files.FILES,
    *packages.OPTIONAL,
    *start.PROGRAM,
    *start.SERVER,
    *environment.VARIABLES,
    *environment.SERVICES,
)
_HINTS = (
    Sign(r"^(?P<error>[A-Za-z_][\w.]*(?:Error|Exception): .+)", "the app failed: {error}", ""),
    Sign(
        r"InconsistentVersionWarning: (?P<error>.+)",
        "the model was saved with another version of scikit-learn ({error})",
        "Pin in {requirements} the scikit-learn that the model was trained with, or train it again.",
        About.MODEL,
    ),
)
_FRAMES = 6
"""Lines above an error in which Python shows where it was raised."""


def diagnose_log(lines: Iterable[str], requirements: str) -> FailureDiagnosis | None:
    """Return the cause in the last line that matches a sign, or None. Hints count only if no sign matches.

    requirements: the path of the requirements file, for the remedy.
    """
    log = list(lines)
    for at in range(len(log) - 1, -1, -1):
        if diagnosis := _diagnose_line(log, at, requirements):
            return diagnosis
    for line, sign in product(log[::-1], _HINTS):
        if match := re.search(sign.pattern, line):
            return _fill(sign, match, requirements)
    return None


def _diagnose_line(log: Sequence[str], at: int, requirements: str) -> FailureDiagnosis | None:
    """The cause that one line reveals, with those around it."""
    if diagnosis := diagnose_import(log[at], requirements) or _diagnose_key(log, at) or _diagnose_settings(log, at):
        return diagnosis
    for sign in _SIGNS:
        if match := re.search(sign.pattern, log[at]):
            return _fill(sign, match, requirements)
    return None


class _Words(dict[str, str]):
    """The words of a sign's texts. A group that took no part in the match has the value of one that did."""

    def __missing__(self, name: str) -> str:
        return self.get("", "")


def _fill(sign: Sign, match: re.Match[str], requirements: str) -> FailureDiagnosis:
    groups = {name: value for name, value in match.groupdict().items() if value}
    first = next(iter(groups.values()), "")
    words = _Words({"": first, "requirements": requirements, **groups})
    words["debian"] = files.PROGRAMS.get(first, first.lower())
    words["library"] = groups.get("library") or distribution_of(groups.get("package", first))
    words["library_remedy"] = libraries.suggest_package(match.string)
    return FailureDiagnosis(sign.cause.format_map(words), sign.todo.format_map(words), sign.about)


_KEY = re.compile(r"^KeyError: '(?P<name>[^']+)'")
_ENVIRON = re.compile(r'os\.py"|<frozen os>|environ')


def _diagnose_key(log: Sequence[str], at: int) -> FailureDiagnosis | None:
    """`KeyError: 'API_KEY'` of `os.environ`: by the frames above it; without any, by its capitals."""
    match = _KEY.search(log[at])
    if match is None or match["name"].startswith("Config "):
        return None
    above = log[max(0, at - _FRAMES) : at]
    if any(line.startswith('  File "') for line in above):
        is_variable = any(_ENVIRON.search(line) for line in above)
    else:
        is_variable = re.fullmatch(r"[A-Z][A-Z0-9_]+", match["name"]) is not None
    if not is_variable:
        return None
    return FailureDiagnosis(f"the environment variable {match['name']} is not set", environment.SET)


_VALIDATION = re.compile(r"ValidationError: (?P<count>\d+) validation errors? for (?P<owner>\w+)")
_REQUIRED = re.compile(r"\s+[Ff]ield required")


def _diagnose_settings(log: Sequence[str], at: int) -> FailureDiagnosis | None:
    """The settings that pydantic reads from the environment, and lacks. It names each in a line of its own."""
    match = _VALIDATION.search(log[at])
    if match is None or not re.search(r"(?i)settings|config|env", match["owner"]):
        return None
    below = log[at + 1 : at + 1 + 4 * int(match["count"])]
    names = [line.strip() for line, after in pairwise(below) if _REQUIRED.match(after)]
    if not names:
        what = f"settings of the app are missing or invalid: {match['owner']} reads them from the environment"
        return FailureDiagnosis(what, f"The lines below that one name them. {environment.SET}")
    shown = ", ".join(name.upper() for name in names)
    what = f"the environment variable {shown} is not set ({match['owner']} requires it)"
    if len(names) > 1:
        what = f"the environment variables {shown} are not set ({match['owner']} requires them)"
    return FailureDiagnosis(what, environment.SET.replace("Set it", "Set them") if len(names) > 1 else environment.SET)
