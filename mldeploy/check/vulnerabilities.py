"""Known vulnerabilities of the distributions in an image, from a database with OSV's API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from packaging.utils import canonicalize_name
from packaging.version import Version

from mldeploy.bounded_http import bounded_session, read_json
from mldeploy.check.inspection import Distribution, ImageInspection
from mldeploy.core.errors import ExitCode, MldeployError
from mldeploy.core.findings import Finding, ok, warning
from mldeploy.image.builders.build_request import Trust, Trusting, context
from mldeploy.project.detect.dependencies.dependency import parse_version

BATCH = 1000
"""Queries per OSV batch."""
PAGES = 20
DETAILED = 100
"""The number of vulnerabilities whose details are requested."""
SECONDS = (5.0, 30.0)
LONGEST = 100

Answer = Mapping[str, Any]
"""A JSON object of the database. Not used outside this module."""


class DatabaseError(MldeployError):
    """The database could not be reached or returned an invalid answer."""

    code = ExitCode.REMOTE


@dataclass(frozen=True)
class Vulnerability:
    """names: its identifier and aliases. fixed: the versions that fix it."""

    names: frozenset[str]
    summary: str
    fixed: tuple[Version, ...]

    @property
    def name(self) -> str:
        """The best-known name."""
        return min(self.names, key=lambda name: (not name.startswith("CVE-"), not name.startswith("GHSA-"), name))


def check_vulnerabilities(inspection: ImageInspection, url: str, ca_bundle: Path | None) -> Iterator[Finding]:
    """Yield a warning for each vulnerable distribution, and one if the database cannot be reached."""
    host = urlsplit(url).netloc
    if inspection.distributions is None:
        yield warning("vulnerabilities", f"not looked up: {inspection.problem}")
        return
    try:
        affected = _Database(url, ca_bundle).query(
            sorted(inspection.installed.values(), key=lambda each: each.normalized)
        )
    except DatabaseError as error:
        todo = f"{error.todo}\nUntil then, vulnerabilities are unknown."
        yield warning("vulnerabilities", f"not looked up: {error.where}: {error.what}", todo.lstrip())
        return
    for each, known in affected:
        yield _finding(each, known)
    if not affected:
        yield ok("vulnerabilities", f"{host} knows of none in {len(inspection.distributions)} distributions")


def _finding(each: Distribution, known: list[Vulnerability]) -> Finding:
    lines = [f"{one.name}: {one.summary}" if one.summary else one.name for one in known]
    many = "1 known vulnerability" if len(known) == 1 else f"{len(known)} known vulnerabilities"
    what = "\n".join((f"{each.name} {each.version} has {many}", *lines))
    has = parse_version(each.version)
    mending = [min((fix for fix in one.fixed if has is None or fix > has), default=None) for one in known]
    if None in mending:
        todo = "Not all are fixed in a released version: check whether the app uses the affected code."
    else:
        best = max(fix for fix in mending if fix)
        todo = f"Require `{each.normalized}>={best}` in the requirements."
    return warning("vulnerability", what, todo)


class _Database:
    """Standard: OSV's API, https://google.github.io/osv.dev/api/ (querybatch, vulns)."""

    def __init__(self, url: str, ca_bundle: Path | None) -> None:
        self._url = url
        self._session = bounded_session()
        try:
            self._session.mount("https://", Trusting(context(Trust.MACHINE, ca_bundle)))
        except OSError as error:
            raise DatabaseError("build.ca_bundle", "is no file of certificates", "Correct the setting.") from error

    def query(self, distributions: Iterable[Distribution]) -> list[tuple[Distribution, list[Vulnerability]]]:
        """Return the vulnerable distributions and their vulnerabilities. Raises DatabaseError."""
        queried = list(distributions)
        with self._session:
            ids = {each: names for each, names in zip(queried, self._ids(queried), strict=True) if names}
            unique = list(dict.fromkeys(name for names in ids.values() for name in names))
            details = {name: self._details(name) for name in unique[:DETAILED]}
        merged = [(each, _merged(each, names, details)) for each, names in ids.items()]
        return [(each, known) for each, known in merged if known]

    def _ids(self, distributions: list[Distribution]) -> list[list[str]]:
        ids: list[list[str]] = [[] for _ in distributions]
        pending = [(index, "") for index in range(len(distributions))]
        for _ in range(PAGES):
            now, pending = pending[:BATCH], pending[BATCH:]
            if not now:
                return ids
            queries = [_query(distributions[index], token) for index, token in now]
            results = self._call("POST", "/v1/querybatch", {"queries": queries}).get("results")
            if not isinstance(results, list) or len(results) != len(now):
                raise self._strange()
            for (index, _token), result in zip(now, results, strict=True):
                ids[index] += [str(each["id"]) for each in (result or {}).get("vulns") or ()]
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
                raise DatabaseError(self._url, what, "Try again later, or set a mirror.")
            document = self._parse(answer)
        except requests.RequestException as error:
            todo = "Check HTTPS_PROXY and `build.ca_bundle`, or set `vulnerability_database` in [check] to a mirror."
            raise DatabaseError(self._url, f"cannot be reached ({_reason(error)})", todo) from error
        if not isinstance(document, dict):
            raise self._strange()
        return document

    def _parse(self, answer: requests.Response) -> object:
        try:
            return read_json(answer)
        except ValueError as error:
            raise self._strange() from error

    def _strange(self) -> DatabaseError:
        todo = "Set `vulnerability_database` in [check] to a service with OSV's API."
        return DatabaseError(self._url, "does not answer like OSV's API", todo)


def _query(each: Distribution, token: str) -> dict[str, object]:
    query: dict[str, object] = {"package": {"name": each.normalized, "ecosystem": "PyPI"}, "version": each.version}
    return {**query, "page_token": token} if token else query


def _merged(each: Distribution, names: list[str], details: Mapping[str, Answer]) -> list[Vulnerability]:
    """Merge entries of the same vulnerability: OSV collects from several databases."""
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
                if fix := parse_version(str(event.get("fixed", ""))):
                    yield fix


def _reason(error: Exception) -> str:
    """Return the message of the innermost exception."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # one of the two is there
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
