"""Whether the base images are available."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from docker import auth
from docker.errors import DockerException

from mldeploy.config.settings import Project
from mldeploy.doctor.context import host_of, is_loopback
from mldeploy.doctor.engine.facts import Facts, RegistryConfig
from mldeploy.doctor.network import proxies
from mldeploy.doctor.network.http_probe import (
    PROBE_SECONDS,
    ConnectionSettings,
    ServerReply,
    probe_result,
    probe_url,
    suggest_fix,
)
from mldeploy.doctor.runner import NOT_CHECKED, BackgroundValue
from mldeploy.image.build_inputs import list_base_references
from mldeploy.image.builders.build_request import Trust, context
from mldeploy.image.engine import Engine
from mldeploy.image.errors import EngineError, engine_errors
from mldeploy.image.image_info import find_image, matches_platform
from mldeploy.providers.capabilities import Finding, Level, error, ok, warning

SUBJECT = "base image"
_REQUEST = re.compile(r'^the engine answered: (?:\w+ "[^"]*": )?')
"""The engine's prefix with the failed request; the cause follows."""
IMAGE_LIMIT = 5
"""The maximum number of images of one Dockerfile: registries have rate limits."""


@dataclass(frozen=True)
class BaseImageRef:
    """A base image. registry: its registry's URL."""

    reference: str
    is_here: bool
    registry: str


def inspect_base_images(project: Project, engine: Engine, facts: Facts) -> tuple[BaseImageRef, ...]:
    """List the base images. Raises EngineError; ProjectError if the project's Dockerfile cannot be read."""
    return tuple(
        BaseImageRef(each, _is_here(engine, each, project.build.platform), registry_url(each, facts.registries))
        for each in list_base_references(project)[:IMAGE_LIMIT]
    )


def _is_here(engine: Engine, reference: str, platform: str) -> bool:
    image = find_image(engine, reference)
    return image is not None and matches_platform(image.platform, platform)


def registry_url(reference: str, registries: RegistryConfig) -> str:
    """Return the API's URL of an image's registry (OCI Distribution Specification, end-1). Insecure ones use HTTP."""
    name, _ = auth.resolve_repository_name(reference)
    if name == auth.INDEX_NAME:
        return f"https://{host_of(registries.default)}/v2/"
    secure = name not in registries.insecure and not is_loopback(name)  # as the engine itself decides
    return f"{'https' if secure else 'http'}://{name}/v2/"


def probe_registry(url: str) -> BackgroundValue[ServerReply]:
    """Start a probe with this machine's proxies and certificates."""
    return BackgroundValue(
        lambda: probe_url(url, ConnectionSettings(context(Trust.MACHINE, None), proxies.machine_proxy(url))),
        PROBE_SECONDS,
    )


def check_base_image(base: BaseImageRef, project: Project, engine: Engine) -> Finding:
    """Check that a base image is on the engine, or that the engine can pull it."""
    platform = project.build.platform
    if base.is_here:
        return ok(SUBJECT, f"{base.reference} is on the engine")
    # Registries count this request as a pull (Docker Hub allows a hundred), so it is sent only if needed.
    pending = BackgroundValue(lambda: _platforms(engine, base.reference), PROBE_SECONDS)
    try:
        offered = pending.result()
    except TimeoutError:
        what = f"{base.reference} is not on the engine, and the registry did not answer it within {PROBE_SECONDS:g} s"
        return warning(SUBJECT, f"{NOT_CHECKED}: {what}", _suggest_engine_fix("timeout"))
    except EngineError as problem:
        reason = _REQUEST.sub("", problem.what)
        what = f"{base.reference} is not on the engine, and the engine cannot pull it: {reason}"
        return error(SUBJECT, what, _suggest_engine_fix(reason))
    if offered and not any(matches_platform(each, platform) for each in offered):
        what = f"{base.reference} is available for {', '.join(offered)}, not for {platform}"
        return error(SUBJECT, what, "Choose another base image or another platform in [build].")
    return ok(SUBJECT, f"{base.reference} is not on the engine, but can be pulled")


def _platforms(engine: Engine, reference: str) -> Sequence[str]:
    """Return an image's platforms, as the engine reads them from the registry. Raises EngineError."""
    registry, _ = auth.resolve_repository_name(reference)
    try:
        credentials = dict(auth.load_config().resolve_authconfig(registry) or {})
    except DockerException:  # another check reports a broken helper
        credentials = {}
    with engine_errors(reference):
        distribution = engine.client.inspect_distribution(reference, credentials)
    parts = ((each["os"], each["architecture"], each.get("variant")) for each in distribution.get("Platforms") or ())
    return ["/".join(filter(None, each)) for each in parts if each[0] != "unknown"]


_ENGINE_FIXES = {
    "x509|certificate": "The engine does not trust that registry's certificate. Add your company's CA to the system of "
    "the engine, and restart the engine.",
    "denied|unauthorized|authentication": "Log in with `docker login`, or set another base image: build.base_image.",
    "not found|manifest unknown|no such image": "Set another base image: build.base_image.",
    "toomanyrequests|rate limit": "Log in with `docker login` to raise the limit, or wait.",
}


def _suggest_engine_fix(reason: str) -> str:
    known = (todo for pattern, todo in _ENGINE_FIXES.items() if re.search(pattern, reason, re.IGNORECASE))
    default = (
        "Check the engine's network. It has its own proxies: https://docs.docker.com/engine/daemon/proxy/. "
        "Or set a base image that it has: build.base_image."
    )
    return next(known, default)


def check_registry(url: str, pending: BackgroundValue[ServerReply], *, needed: bool) -> Finding:
    """Check that the registry answers this machine. needed: the engine cannot pull a missing image from it."""
    reply = probe_result(pending)
    name = host_of(url)
    if isinstance(reply, ServerReply):
        return ok("registry", f"{name} answers")
    todo = suggest_fix(reply)
    if reply.untrusted:
        todo = "If your company inspects TLS, add its CA to this system and to that of the engine."
    what = f"{name}: {NOT_CHECKED}: {reply.what}" if reply.timed_out else f"{name}: {reply.what}"
    if needed:
        return Finding("registry", Level.WARNING if reply.timed_out else Level.ERROR, what, todo)
    return Finding("registry", Level.WARNING, f"{what}; no image from it is missing now", todo)
