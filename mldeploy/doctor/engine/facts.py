"""The facts that an engine reports (Docker Engine API v1.41, SystemInfo and SystemVersion)."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from docker.auth import INDEX_NAME, INDEX_URL

from mldeploy.doctor.runner import run_quietly
from mldeploy.image.builders.choice import INSTALL_BUILDX, explain_missing_client, find_client, read_buildx_version
from mldeploy.image.engine import Engine, is_native, is_registered, processor, remedy
from mldeploy.image.errors import engine_errors
from mldeploy.providers.capabilities import Finding, Level, error, ok, warning

Version = tuple[int, ...]
JsonObject = Mapping[str, Any]


class EngineKind(StrEnum):
    """The engine's product."""

    DOCKER = "Docker Engine"
    DESKTOP = "Docker Desktop"
    ORBSTACK = "OrbStack"
    COLIMA = "colima"
    RANCHER = "Rancher Desktop"
    PODMAN = "Podman"


@dataclass(frozen=True)
class RegistryConfig:
    """The engine's registry configuration. default: the URL of the registry for references without a host.

    mirrors: the mirrors of the default registry. insecure: hosts with plain HTTP. proxy: the HTTPS proxy, or ""; it may
    contain a password.
    """

    default: str
    mirrors: tuple[str, ...]
    insecure: frozenset[str]
    proxy: str


@dataclass(frozen=True)
class Facts:
    """The facts of one engine.

    api, oldest_api: the newest and oldest supported API version. platform: "linux/amd64". host: the name of its
    machine. stores: the folders with its images. unlimited: resources that it cannot limit for a container. skew:
    seconds by which its clock is ahead of this machine's.
    memory: bytes.
    """

    endpoint: str
    kind: EngineKind
    version: str
    api: Version
    oldest_api: Version
    system: str
    platform: str
    host: str
    stores: tuple[Path, ...]
    cpus: int
    memory: int
    rootless: bool
    unlimited: tuple[str, ...]
    skew: float
    registries: RegistryConfig

    @property
    def is_here(self) -> bool:
        """Whether it runs directly on this machine, so that its folders are accessible."""
        return self.endpoint.startswith("unix://") and self.host == socket.gethostname()

    @classmethod
    def of(cls, engine: Engine) -> Facts:
        """Fetch the facts from an engine. Raises EngineError."""
        with engine_errors(engine.endpoint):
            version = engine.client.version(api_version=False)
            sent = time.time()
            info = engine.client.info()
            now = (sent + time.time()) / 2
        return parse_facts(engine.endpoint, version, info, now)


def parse_facts(endpoint: str, version: JsonObject, info: JsonObject, now: float) -> Facts:
    """Parse an engine's responses. Missing fields become "", 0 or empty. now: this machine's time of the response."""
    return Facts(
        endpoint=endpoint,
        kind=_kind(endpoint, version, info),
        version=str(version.get("Version", "")),
        api=_numbers(version.get("ApiVersion", "")),
        oldest_api=_numbers(version.get("MinAPIVersion", "")),
        system=str(info.get("OSType") or version.get("Os", "")),
        platform=f"{version.get('Os', '')}/{version.get('Arch', '')}",
        host=str(info.get("Name", "")),
        stores=_stores(info),
        cpus=int(info.get("NCPU") or 0),
        memory=int(info.get("MemTotal") or 0),
        rootless=any("name=rootless" in option for option in info.get("SecurityOptions") or ()),
        unlimited=tuple(resource for key, resource in _LIMITS.items() if info.get(key) is False),
        skew=_skew(str(info.get("SystemTime", "")), now),
        registries=_registries(info),
    )


_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "CPUs", "PidsLimit": "processes"}


def _kind(endpoint: str, version: JsonObject, info: JsonObject) -> EngineKind:
    """Recognize the product, which each engine reports in another field."""
    system, host = str(info.get("OperatingSystem", "")), str(info.get("Name", ""))
    components = [str(each.get("Name", "")) for each in version.get("Components") or ()]
    platform = str((version.get("Platform") or {}).get("Name", ""))
    signs = {
        EngineKind.PODMAN: any("podman" in name.lower() for name in components),
        EngineKind.ORBSTACK: "orbstack" in f"{system} {host}".lower(),
        EngineKind.RANCHER: "rancher" in f"{system} {host}".lower() or "/.rd/" in endpoint,
        EngineKind.COLIMA: "colima" in f"{host} {endpoint}".lower(),
        EngineKind.DESKTOP: "Docker Desktop" in f"{system} {platform}",
    }
    return next((kind for kind, seen in signs.items() if seen), EngineKind.DOCKER)


def _numbers(version: str) -> Version:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _stores(info: JsonObject) -> tuple[Path, ...]:
    """Return the folders with images. containerd's image store (the default since Docker 29) has its own."""
    root = str(info.get("DockerRootDir") or "")
    drivers = dict(pair for pair in info.get("DriverStatus") or () if len(pair) == 2)
    outside = ["/var/lib/containerd"] if "containerd" in drivers.get("driver-type", "") else []
    return tuple(map(Path, filter(None, (root, *outside))))


def _skew(system_time: str, now: float) -> float:
    try:
        return datetime.fromisoformat(system_time).timestamp() - now
    except ValueError:
        return 0.0


def _registries(info: JsonObject) -> RegistryConfig:
    config = info.get("RegistryConfig") or {}
    indexes = config.get("IndexConfigs") or {}
    insecure = [name for name, index in indexes.items() if index.get("Secure") is False]
    mirrors = config.get("Mirrors") or (indexes.get(INDEX_NAME) or {}).get("Mirrors") or ()
    default = str(info.get("IndexServerAddress") or INDEX_URL)
    proxy = str(info.get("HttpsProxy") or info.get("HttpProxy") or "")
    return RegistryConfig(default, tuple(mirrors), frozenset(insecure), proxy)


SUBJECT = "builder"


def check_builder(facts: Facts, requested: str) -> Finding:
    """Report the available builders. requested: `build.builder`."""
    if facts.kind is EngineKind.PODMAN:
        return ok(SUBJECT, "Podman's own")
    classic = "the engine's classic builder"
    buildkit = find_client()
    if buildkit is None:
        level = Level.ERROR if requested == "buildkit" else Level.WARNING
        todo = f"{INSTALL_BUILDX}: it caches downloads, and sends less data to the engine."
        return Finding(SUBJECT, level, f"{classic}; no BuildKit, since {explain_missing_client()}", todo)
    through = f"docker buildx {read_buildx_version(buildkit.program)}" if buildkit.buildx else buildkit.program
    chosen = f" (build.builder: {requested})" if requested != "auto" else ""
    return ok(SUBJECT, f"BuildKit through {through}, and {classic}{chosen}")


PLATFORM = "platform"


def check_platform(facts: Facts, requested: str) -> Finding:
    """Check whether the engine's machine runs programs for `requested` ("linux/arm64"), natively or emulated."""
    if is_native(facts.platform, requested):
        return ok(PLATFORM, f"{requested}, the engine's native platform")
    emulated = f"{requested} is not the engine's native platform ({facts.platform})"
    if facts.kind in (EngineKind.DESKTOP, EngineKind.ORBSTACK):
        return ok(PLATFORM, f"{emulated}; {facts.kind} emulates it, several times slower")
    answer = _emulates(facts, requested)
    if answer:
        return ok(PLATFORM, f"{emulated}; it is emulated, several times slower")
    todo = f"Build for {facts.platform} (`platform` in [build]), or {remedy(requested)}."
    if answer is None:
        return warning(PLATFORM, f"{emulated}, and its emulation cannot be checked from this machine", todo)
    return error(PLATFORM, f"{emulated}, and it is not emulated", todo)


def _emulates(facts: Facts, requested: str) -> bool | None:
    """Whether the kernel of the engine's machine emulates a platform, as BuildKit reports; None if unknown."""
    if facts.is_here:
        return is_registered(requested)
    platforms = re.search(r"^Platforms:\s*(.*)$", run_quietly("docker", "buildx", "inspect"), re.MULTILINE)
    if platforms is None:
        return None
    return any(processor(each.strip(" *")) == processor(requested) for each in platforms[1].split(","))
