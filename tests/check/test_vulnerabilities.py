"""What is known of the distributions, asked of a stand-in for OSV; and that nothing is made of no answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.check.inspection import Distribution, ImageInspection
from mldeploy.check.vulnerabilities import check_vulnerabilities
from mldeploy.core.findings import Finding, Level
from tests.check.osv import Osv, served

FLASK, JINJA = Distribution("Flask", "3.1.3"), Distribution("Jinja2", "3.1.2")


@pytest.fixture
def osv() -> Iterator[Osv]:
    with served() as server:
        yield server


def found(osv: Osv, *distributions: Distribution) -> list[Finding]:
    return list(check_vulnerabilities(ImageInspection("3.11.2", "x86_64", distributions), osv.url, None))


def vulnerability(name: str, *aliases: str, fixed: str | None = None, summary: str = "") -> dict[str, object]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = [
        {"package": {"ecosystem": "PyPI", "name": "jinja2"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]},
        {
            "package": {"ecosystem": "npm", "name": "jinja2"},
            "ranges": [{"type": "SEMVER", "events": [{"fixed": "99"}]}],
        },
    ]
    return {"id": name, "aliases": list(aliases), "summary": summary, "affected": affected}


def test_each_is_named_once_with_the_version_that_mends_it(osv: Osv) -> None:
    osv.known[("jinja2", "3.1.2")] = ["GHSA-1", "PYSEC-1", "GHSA-2"]
    osv.details = {
        "GHSA-1": vulnerability("GHSA-1", "CVE-2024-1", fixed="3.1.3", summary="Attributes are\n not escaped"),
        "PYSEC-1": vulnerability("PYSEC-1", "CVE-2024-1", "GHSA-1", fixed="3.1.3"),
        "GHSA-2": vulnerability("GHSA-2", "CVE-2024-2", fixed="3.1.6"),
    }
    (one,) = found(osv, FLASK, JINJA)
    assert (one.subject, one.level) == ("vulnerability", Level.WARNING)
    assert one.what.split("\n") == [
        "Jinja2 3.1.2 has 2 known vulnerabilities",
        "CVE-2024-1: Attributes are not escaped",
        "CVE-2024-2",
    ]
    assert one.todo == "Require `jinja2>=3.1.6` in the requirements."
    path, body = osv.asked[0]
    assert path == "/v1/querybatch"
    assert body["queries"][0] == {"package": {"name": "flask", "ecosystem": "PyPI"}, "version": "3.1.3"}


def test_what_no_version_mends_is_said_to_be_so(osv: Osv) -> None:
    osv.known[("jinja2", "3.1.2")] = ["GHSA-1"]
    osv.details = {"GHSA-1": vulnerability("GHSA-1")}
    assert "Not all are fixed" in found(osv, JINJA)[0].todo


def test_every_page_is_asked_for(osv: Osv) -> None:
    osv.page = 2
    names = [f"GHSA-{number}" for number in range(5)]
    osv.known[("jinja2", "3.1.2")] = names
    osv.details = {name: vulnerability(name) for name in names}
    assert found(osv, FLASK, JINJA)[0].what.split("\n")[1:] == names


def test_what_was_withdrawn_does_not_count(osv: Osv) -> None:
    osv.known[("jinja2", "3.1.2")] = ["GHSA-1", "GHSA-2"]
    withdrawn = {**vulnerability("GHSA-1"), "withdrawn": "2024-02-01T00:00:00Z"}
    osv.details = {"GHSA-1": withdrawn, "GHSA-2": vulnerability("GHSA-2")}
    assert "has 1 known vulnerability" in found(osv, JINJA)[0].what
    osv.known[("jinja2", "3.1.2")] = ["GHSA-1"]
    assert [each.level for each in found(osv, JINJA)] == [Level.OK]


def test_none_is_only_said_after_an_answer(osv: Osv) -> None:
    (one,) = found(osv, FLASK, JINJA)
    assert one.level is Level.OK
    assert "knows of none in 2 distributions" in one.what


@pytest.mark.parametrize(
    ("status", "body", "messages"),
    [
        (503, None, "answered 503"),
        (200, b"<html>a login page</html>", "does not answer like OSV's API"),
        (200, b'{"results": []}', "does not answer like OSV's API"),
        (200, b"[]", "does not answer like OSV's API"),
    ],
)
def test_strange_answer_is_none(osv: Osv, status: int, body: bytes | None, messages: str) -> None:
    osv.status, osv.body = status, body
    (one,) = found(osv, JINJA)
    assert one.level is Level.WARNING
    assert messages in one.what
    assert "vulnerabilities are unknown" in one.todo


def test_database_that_cannot_be_reached_is_never_none_found() -> None:
    with served() as gone:
        pass
    (one,) = found(gone, JINJA)
    assert one.level is Level.WARNING
    assert one.what.startswith("not looked up: ")
    assert "vulnerabilities are unknown" in one.todo


def test_without_a_list_nothing_is_asked(osv: Osv) -> None:
    (one,) = check_vulnerabilities(
        ImageInspection(problem="the image has no Python that could be asked"), osv.url, None
    )
    assert (one.level, osv.asked) == (Level.WARNING, [])
