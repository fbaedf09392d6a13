"""The checks of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mldeploy.doctor.circumstances import Circumstances
from mldeploy.doctor.network import images, packages
from mldeploy.doctor.network.answers import GATHER_SECONDS, Answers
from mldeploy.doctor.network.ask import ASK_SECONDS
from mldeploy.doctor.network.indexes import machines_index
from mldeploy.doctor.network.proxies import proxies
from mldeploy.doctor.text import host, without_credentials
from mldeploy.providers.checks import Check, Finding, Level, ok, warning

SECONDS = GATHER_SECONDS + ASK_SECONDS + 1.0
"""A base image that is missing is asked for after its registry has been found."""


def checks(about: Circumstances, answers: Answers) -> Sequence[Check]:
    return (
        Check("proxies", lambda: proxies(about.reading.project, about.machine.known)),
        Check("base image", lambda: _images(about, answers), SECONDS),
        Check("packages", lambda: _packages(about, answers), SECONDS),
    )


def _images(about: Circumstances, answers: Answers) -> Iterator[Finding]:
    """Raises ProjectError, EngineError."""
    found, project = answers.images, about.reading.project
    if project is None:
        return
    missing = set()
    for base in found.bases:
        finding = images.of_base(base, project, about.machine.engine)
        if finding.level is Level.ERROR:
            missing.add(base.registry)
        yield finding
    for url, asking in found.registries.items():
        yield images.of_registry(url, asking, needed=url in missing)


def _packages(about: Circumstances, answers: Answers) -> Iterator[Finding]:
    asked, project = answers.packages, about.reading.project
    if project is None:
        return
    if not asked:
        yield ok(packages.SUBJECT, "which index a build asks is not known here: there is neither pip nor uv to say it")
    yield from (packages.judged(each, project) for each in asked)
    own = machines_index()
    if own and host(own) and host(own) not in {host(each.index.url) for each in asked}:
        what = f"pip on this machine asks {without_credentials(own)}, a build would not"
        todo = "If builds should, too: PIP_INDEX_URL and UV_DEFAULT_INDEX in [build.args] of mldeploy.toml."
        yield warning(packages.SUBJECT, what, todo)
