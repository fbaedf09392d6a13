"""What is publicly known to be wrong with the distributions in an image, as a database that speaks OSV's API tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from packaging.utils import canonicalize_name
from packaging.version import Version

from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.findings import Finding, ok, warning
from mldeploy.image.check.inspection import Distribution, Inspection
from mldeploy.image.trust import Trust, Trusting, context
from mldeploy.project.detect.specifiers import version

BATCH = 1000
"""So many questions OSV takes at once."""
PAGES = 20
DETAILED = 100
"""Of so many vulnerabilities the details are asked for; an image with more has other troubles than their names."""
SECONDS = (5.0, 30.0)
LONGEST = 100

Answer = Mapping[str, Any]
"""A JSON object of the database. It goes no further than this file."""


class DatabaseError(MldeployError):
    """The database could not be asked, or answered what it should not."""

    code = ExitCode.REMOTE


@dataclass(frozen=True)
class Vulnerability:
    """names: its identifier, and those that other databases have for the same. fixed: the versions that mend it."""

    names: frozenset[str]
    summary: str
    fixed: tuple[Version, ...]

    @property
    def name(self) -> str:
        """The one that most people know it by."""
        return min(self.names, key=lambda name: (not name.startswith("CVE-"), not name.startswith("GHSA-"), name))


def findings(inspection: Inspection, url: str, ca_bundle: Path | None) -> Iterator[Finding]:
    """A warning for each distribution of which something is known. That the database cannot be asked is one, too."""
    host = urlsplit(url).netloc
    if inspection.distributions is None:
        yield warning("vulnerabilities", f"not looked up: {inspection.problem}")
        return
    try:
        found = _Database(url, ca_bundle).ask(sorted(inspection.installed.values(), key=lambda each: each.normalized))
    except DatabaseError as error:
        todo = f"{error.todo}\nUntil then nothing is known about vulnerabilities, and that is not the same as none."
        yield warning("vulnerabilities", f"not looked up: {error.where}: {error.what}", todo.lstrip())
        return
    for each, known in found:
        yield _finding(each, known)
    if not found:
        yield ok("vulnerabilities", f"{host} knows of none in {len(inspection.distributions)} distributions")


def _finding(each: Distribution, known: list[Vulnerability]) -> Finding:
    lines = [f"{one.name}: {one.summary}" if one.summary else one.name for one in known]
    many = "1 known vulnerability" if len(known) == 1 else f"{len(known)} known vulnerabilities"
    what = "\n".join((f"{each.name} {each.version} has {many}", *lines))
    has = version(each.version)
    mending = [min((fix for fix in one.fixed if has is None or fix > has), default=None) for one in known]
    if None in mending:
        todo = "Not all of it is mended in any version yet: see whether the app uses what is affected."
    else:
        best = max(fix for fix in mending if fix)
        todo = f"Ask for `{each.normalized}>={best}` in the requirements."
    return warning("vulnerability", what, todo)


class _Database:
    """Standard: OSV's API, https://google.github.io/osv.dev/api/ (querybatch, vulns)."""

    def __init__(self, url: str, ca_bundle: Path | None) -> None:
        self._url = url
        self._session = requests.Session()
        try:
            self._session.mount("https://", Trusting(context(Trust.MACHINE, ca_bundle)))
        except OSError as error:
            raise DatabaseError("build.ca_bundle", "is no file of certificates", "Correct the setting.") from error

    def ask(self, distributions: Iterable[Distribution]) -> list[tuple[Distribution, list[Vulnerability]]]:
        """What is known of each, those of which nothing is known left out. Raises DatabaseError."""
        asked = list(distributions)
        with self._session:
            ids = {each: found for each, found in zip(asked, self._ids(asked), strict=True) if found}
            wanted = list(dict.fromkeys(name for found in ids.values() for name in found))
            details = {name: self._details(name) for name in wanted[:DETAILED]}
        merged = [(each, _merged(each, found, details)) for each, found in ids.items()]
        return [(each, known) for each, known in merged if known]

    def _ids(self, asked: list[Distribution]) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in asked]
        pending = [(index, "") for index in range(len(asked))]
        for _ in range(PAGES):
            now, pending = pending[:BATCH], pending[BATCH:]
            if not now:
                return found
            queries = [_query(asked[index], token) for index, token in now]
            results = self._call("POST", "/v1/querybatch", {"queries": queries}).get("results")
            if not isinstance(results, list) or len(results) != len(now):
                raise self._strange()
            for (index, _token), result in zip(now, results, strict=True):
                found[index] += [str(each["id"]) for each in (result or {}).get("vulns") or ()]
                if token := (result or {}).get("next_page_token"):
                    pending.append((index, str(token)))
        raise self._strange()

    def _details(self, name: str) -> Answer:
        return self._call("GET", f"/v1/vulns/{quote(name, safe='')}", None)

    def _call(self, method: str, path: str, body: object) -> Answer:
        try:
            answer = self._session.request(method, self._url + path, json=body, timeout=SECONDS)
            if answer.status_code != 200:
                what = f"answered {answer.status_code} {answer.reason}".rstrip()
                raise DatabaseError(self._url, what, "Try again later, or name a mirror.")
            document = answer.json()
        except requests.exceptions.JSONDecodeError as error:
            raise self._strange() from error
        except (requests.RequestException, ValueError) as error:
            todo = (
                "It is asked through the proxy that HTTPS_PROXY names, and with `build.ca_bundle`. A mirror is named "
                "with `vulnerability_database` in [check]."
            )
            raise DatabaseError(self._url, f"cannot be reached ({_reason(error)})", todo) from error
        if not isinstance(document, dict):
            raise self._strange()
        return document

    def _strange(self) -> DatabaseError:
        todo = "See that `vulnerability_database` in [check] names a service that speaks OSV's API."
        return DatabaseError(self._url, "does not answer as OSV's API says", todo)


def _query(each: Distribution, token: str) -> dict[str, object]:
    asked: dict[str, object] = {"package": {"name": each.normalized, "ecosystem": "PyPI"}, "version": each.version}
    return {**asked, "page_token": token} if token else asked


def _merged(each: Distribution, names: list[str], details: Mapping[str, Answer]) -> list[Vulnerability]:
    """One for each vulnerability: several databases feed OSV, and each has a name of its own for the same."""
    merged: list[Vulnerability] = []
    for name in names:
        answer = details.get(name, {})
        if answer.get("withdrawn"):
            continue
        one = _vulnerability(each, name, answer)
        same = [other for other in merged if other.names & one.names]
        merged = [other for other in merged if other not in same]
        known = frozenset().union(one.names, *(other.names for other in same))
        summary = next((text for text in (one.summary, *(other.summary for other in same)) if text), "")
        fixed = one.fixed or next((other.fixed for other in same if other.fixed), ())
        merged.append(Vulnerability(known, summary, fixed))
    return sorted(merged, key=lambda one: one.name)


def _vulnerability(each: Distribution, name: str, answer: Answer) -> Vulnerability:
    aliases = frozenset(map(str, answer.get("aliases") or ()))
    summary = " ".join(str(answer.get("summary") or "").split())
    short = summary if len(summary) <= LONGEST else f"{summary[:LONGEST]}…"
    return Vulnerability(aliases | {name}, short, tuple(sorted(_fixes(each, answer))))


def _fixes(each: Distribution, answer: Answer) -> Iterator[Version]:
    for affected in answer.get("affected") or ():
        package = affected.get("package") or {}
        if package.get("ecosystem") != "PyPI" or canonicalize_name(str(package.get("name"))) != each.normalized:
            continue
        for span in affected.get("ranges") or ():
            for event in span.get("events") or () if span.get("type") == "ECOSYSTEM" else ():
                if fix := version(str(event.get("fixed", ""))):
                    yield fix


def _reason(error: Exception) -> str:
    """The words of the innermost exception, without addresses of objects."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # one of the two is there
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
