"""Whether the package indexes can be reached, and whether a build would get there as this machine does."""

from __future__ import annotations

from dataclasses import dataclass

from mldeploy.config.settings import Project
from mldeploy.doctor.network import proxies
from mldeploy.doctor.network.ask import ASK_SECONDS, Answer, Way, ask, outcome
from mldeploy.doctor.network.indexes import Index
from mldeploy.doctor.network.obstacle import ObstacleError, Stage, remedy
from mldeploy.doctor.pending import Pending
from mldeploy.doctor.text import without_credentials
from mldeploy.image.trust import Trust, context, machine_bundles
from mldeploy.providers.checks import Finding, Level, ok, warning

SUBJECT = "packages"
INSTALLER = "uv"
"""What the recipe installs first, so every index must have it or hand it on."""


@dataclass(frozen=True)
class Asked:
    """An index, and what came of asking it as a build would. machine: what came of asking as this machine would."""

    index: Index
    build: Answer | ObstacleError
    machine: Answer | ObstacleError
    proxy: str = ""
    """What this machine went through, where a build would go another way."""


class Asking:
    """An index that is being asked, in both ways at once."""

    def __init__(self, index: Index, project: Project, endpoint: str) -> None:
        url = f"{index.url.rstrip('/')}/{INSTALLER}/"
        through, build = proxies.of_machine(url), proxies.of_build(url, project, endpoint)
        self._index = index
        self._proxy = through if through != build else ""
        self._build = Pending(lambda: _asked(url, Trust.BUILD, build, project), ASK_SECONDS)
        self._machine = Pending(lambda: _asked(url, Trust.MACHINE, through, project), ASK_SECONDS)

    def result(self) -> Asked:
        return Asked(self._index, outcome(self._build), outcome(self._machine), without_credentials(self._proxy))


def _asked(url: str, trust: Trust, proxy: str, project: Project) -> Answer:
    bundle = None if project.build.dockerfile else project.build.ca_bundle  # only mldeploy's recipe uses it
    try:
        return ask(url, Way(context(trust, bundle), proxy))
    except OSError as problem:  # ssl.SSLError is one
        raise ObstacleError(Stage.TLS, f"a file of certificates cannot be used ({problem})") from problem


def judged(asked: Asked, project: Project) -> Finding:
    """The line for one index."""
    where = f"{without_credentials(asked.index.url)} ({asked.index.source})"
    level = _level(asked.index, project)
    if isinstance(asked.build, Answer):
        return _answered(where, asked, asked.build, project)
    if isinstance(asked.machine, ObstacleError):
        return Finding(SUBJECT, level, f"{where}: {asked.build.what}", remedy(asked.build))
    if asked.build.untrusted:
        what = f"{where}: something inspects TLS; this machine trusts its certificate, a build would not"
        return Finding(SUBJECT, level, what, _trusting(project))
    if asked.proxy:
        what = f"{where}: this machine gets there through {asked.proxy}, a build would not: {asked.build.what}"
        return Finding(SUBJECT, level, what, f"Give builds the proxy, too: {proxies.setting()}.")
    return warning(SUBJECT, f"{where}: {asked.build.what}; a second try got an answer", "The network is unsteady.")


def _trusting(project: Project) -> str:
    """How a build is made to trust what this machine trusts."""
    bundle = next(machine_bundles(), "company-ca.pem")
    if project.build.dockerfile:
        return f"Copy {bundle} in {project.build.dockerfile}, and name it in SSL_CERT_FILE and PIP_CERT."
    return f'Set `ca_bundle = "{bundle}"` in [build] of mldeploy.toml, or of your own config.toml.'


def _answered(where: str, asked: Asked, answer: Answer, project: Project) -> Finding:
    if answer.status in (401, 403):
        todo = "Give them in build.index_url, where `${NAME}` stands for a variable, or in a netrc file."
        return Finding(SUBJECT, _level(asked.index, project), f"{where} wants credentials ({answer.status})", todo)
    if answer.status >= 500:
        return warning(SUBJECT, f"{where} answers {answer.status}", "It is ill; try again later.")
    if answer.status == 404 and _level(asked.index, project) is Level.ERROR:
        what = f"{where} has no package {INSTALLER}, which the recipe installs first"
        return Finding(SUBJECT, Level.ERROR, what, "Let it hand on the public index, or choose one that does.")
    return ok(SUBJECT, f"{where} answers")


def _level(index: Index, project: Project) -> Level:
    """Nobody knows what a Dockerfile of the user's own asks for, and not everything must be on an extra index."""
    return Level.WARNING if index.is_extra or project.build.dockerfile else Level.ERROR
