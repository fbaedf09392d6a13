"""Whether the images that the build starts from are there, or can be got."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from docker import auth
from docker.errors import DockerException

from mldeploy.config.settings import Project
from mldeploy.doctor.engine.facts import Facts, Registries
from mldeploy.doctor.network import proxies
from mldeploy.doctor.network.ask import ASK_SECONDS, Answer, Way, ask, outcome
from mldeploy.doctor.network.obstacle import remedy
from mldeploy.doctor.pending import Pending
from mldeploy.doctor.text import host, is_loopback
from mldeploy.image.assembly import bases_of
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.found import find, fits
from mldeploy.image.trust import Trust, context
from mldeploy.providers.checks import Finding, Level, error, ok

SUBJECT = "base image"
_REQUEST = re.compile(r'^the engine answered: (?:\w+ "[^"]*": )?')
"""The engine's words for which request of its own failed; what follows says why."""
MOST = 5
"""Images of one Dockerfile that are asked for; a registry counts the questions."""


@dataclass(frozen=True)
class Base:
    """An image that the build starts from. registry: the URL that its registry answers at."""

    reference: str
    is_here: bool
    registry: str


def bases(project: Project, engine: Engine, facts: Facts) -> tuple[Base, ...]:
    """Raises EngineError; ProjectError if the project's Dockerfile cannot be read."""
    return tuple(
        Base(each, _is_here(engine, each, project.build.platform), registry_url(each, facts.registries))
        for each in bases_of(project)[:MOST]
    )


def _is_here(engine: Engine, reference: str, platform: str) -> bool:
    found = find(engine, reference)
    return found is not None and fits(found.platform, platform)


def registry_url(reference: str, registries: Registries) -> str:
    """Where an image's registry answers (OCI Distribution Specification, end-1). Insecure ones speak plain HTTP."""
    name, _ = auth.resolve_repository_name(reference)
    if name == auth.INDEX_NAME:
        return f"https://{host(registries.default)}/v2/"
    secure = name not in registries.insecure and not is_loopback(name)  # as the engine itself decides
    return f"{'https' if secure else 'http'}://{name}/v2/"


def ask_registry(url: str) -> Pending[Answer]:
    """Begin to ask as this machine would."""
    return Pending(lambda: ask(url, Way(context(Trust.MACHINE, None), proxies.of_machine(url))), ASK_SECONDS)


def of_base(base: Base, project: Project, engine: Engine) -> Finding:
    """Whether it is there; if not, whether the engine, which would pull it, finds it in its registry."""
    platform = project.build.platform
    if base.is_here:
        return ok(SUBJECT, f"{base.reference} is on the engine")
    # Registries count this question among the pulls (Docker Hub allows a hundred), so it is asked only if need be.
    asking = Pending(lambda: _platforms(engine, base.reference), ASK_SECONDS)
    try:
        offered = asking.result()
    except TimeoutError:
        what = f"{base.reference} is not on the engine, and its registry does not answer the engine"
        return error(SUBJECT, what, _engines_network("timeout"))
    except EngineError as problem:
        said = _REQUEST.sub("", problem.what)
        what = f"{base.reference} is not on the engine, and the engine cannot get it: {said}"
        return error(SUBJECT, what, _engines_network(said))
    if offered and not any(fits(each, platform) for each in offered):
        what = f"{base.reference} is there for {', '.join(offered)}, not for {platform}"
        return error(SUBJECT, what, "Choose another base image or another platform in [build].")
    return ok(SUBJECT, f"{base.reference} is not on the engine, but can be pulled")


def _platforms(engine: Engine, reference: str) -> Sequence[str]:
    """The platforms that an image is there for, as its registry tells the engine. Raises EngineError."""
    registry, _ = auth.resolve_repository_name(reference)
    try:
        credentials = dict(auth.load_config().resolve_authconfig(registry) or {})
    except DockerException:  # a broken helper has a line of its own
        credentials = {}
    with engine_errors(reference):
        told = engine.client.inspect_distribution(reference, credentials)
    parts = ((each["os"], each["architecture"], each.get("variant")) for each in told.get("Platforms") or ())
    return ["/".join(filter(None, each)) for each in parts if each[0] != "unknown"]


_ENGINES_NETWORK = {
    "x509|certificate": "The engine does not trust that registry's certificate: put your company's authority into the "
    "system that the engine runs on, and restart it.",
    "denied|unauthorized|authentication": "Log in with `docker login`, or choose another one: build.base_image.",
    "not found|manifest unknown|no such image": "Choose another one: build.base_image.",
    "toomanyrequests|rate limit": "Log in with `docker login`, which raises the limit, or wait.",
}


def _engines_network(said: str) -> str:
    known = (todo for pattern, todo in _ENGINES_NETWORK.items() if re.search(pattern, said, re.IGNORECASE))
    default = (
        "Check the engine's network. It has proxies of its own: https://docs.docker.com/engine/daemon/proxy/. "
        "Or choose an image that it has: build.base_image."
    )
    return next(known, default)


def of_registry(url: str, asking: Pending[Answer], *, needed: bool) -> Finding:
    """Whether the registry answers this machine. needed: an image of it is missing, and the engine cannot get it."""
    answered = outcome(asking)
    name = host(url)
    if isinstance(answered, Answer):
        return ok("registry", f"{name} answers")
    todo = remedy(answered)
    if answered.untrusted:
        todo = "If your company inspects TLS, give its authority to this system and to the one that the engine runs on."
    what = f"{name}: {answered.what}"
    if needed:
        return Finding("registry", Level.ERROR, what, todo)
    return Finding("registry", Level.WARNING, f"{what}; nothing of it is missing now", todo)
