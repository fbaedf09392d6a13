"""What an engine says of itself. Its JSON (Docker Engine API v1.41, SystemInfo and SystemVersion) stays in here."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from docker.auth import INDEX_NAME, INDEX_URL

from mldeploy.image.engine import Engine
from mldeploy.image.errors import engine_errors

Version = tuple[int, ...]
Told = Mapping[str, Any]


class Kind(StrEnum):
    """Whose engine it is."""

    DOCKER = "Docker Engine"
    DESKTOP = "Docker Desktop"
    ORBSTACK = "OrbStack"
    COLIMA = "colima"
    RANCHER = "Rancher Desktop"
    PODMAN = "Podman"


@dataclass(frozen=True)
class Registries:
    """How the engine gets at registries. default: the URL of the one that is meant where a reference names none.

    mirrors: what it asks before that one. insecure: hosts that it speaks plain HTTP to. proxy: what it goes through for
    HTTPS, "" for nothing; it may hold a password.
    """

    default: str
    mirrors: tuple[str, ...]
    insecure: frozenset[str]
    proxy: str


@dataclass(frozen=True)
class Facts:
    """One engine, at one moment.

    api, oldest_api: the newest and oldest API version that it speaks. platform: "linux/amd64". host: the name of the
    machine that it runs on. root: where it keeps its data there; stores: every folder of it that images fill.
    unlimited: what it cannot limit for a container. skew: seconds by which its clock is ahead of this machine's.
    memory: bytes.
    """

    endpoint: str
    kind: Kind
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
    registries: Registries

    @property
    def is_here(self) -> bool:
        """It runs on this machine itself, not in a virtual machine and not elsewhere: its folders can be looked at."""
        return self.endpoint.startswith("unix://") and self.host == socket.gethostname()

    @classmethod
    def of(cls, engine: Engine) -> Facts:
        """Ask the engine. Raises EngineError."""
        with engine_errors(engine.endpoint):
            version = engine.client.version(api_version=False)
            asked = time.time()
            info = engine.client.info()
            now = (asked + time.time()) / 2
        return read(engine.endpoint, version, info, now)


def read(endpoint: str, version: Told, info: Told, now: float) -> Facts:
    """What the answers mean. What an engine leaves out is unknown: "", 0, nothing. now: when it told its time."""
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
        unlimited=tuple(said for key, said in _LIMITS.items() if info.get(key) is False),
        skew=_skew(str(info.get("SystemTime", "")), now),
        registries=_registries(info),
    )


_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "CPUs", "PidsLimit": "processes"}


def _kind(endpoint: str, version: Told, info: Told) -> Kind:
    """Each of them says it somewhere else."""
    system, host = str(info.get("OperatingSystem", "")), str(info.get("Name", ""))
    components = [str(each.get("Name", "")) for each in version.get("Components") or ()]
    platform = str((version.get("Platform") or {}).get("Name", ""))
    signs = {
        Kind.PODMAN: any("podman" in name.lower() for name in components),
        Kind.ORBSTACK: "orbstack" in f"{system} {host}".lower(),
        Kind.RANCHER: "rancher" in f"{system} {host}".lower() or "/.rd/" in endpoint,
        Kind.COLIMA: "colima" in f"{host} {endpoint}".lower(),
        Kind.DESKTOP: "Docker Desktop" in f"{system} {platform}",
    }
    return next((kind for kind, seen in signs.items() if seen), Kind.DOCKER)


def _numbers(version: str) -> Version:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def _stores(info: Told) -> tuple[Path, ...]:
    """With containerd's image store (the default since Docker 29) images are not below the engine's own root."""
    root = str(info.get("DockerRootDir") or "")
    drivers = dict(pair for pair in info.get("DriverStatus") or () if len(pair) == 2)
    outside = ["/var/lib/containerd"] if "containerd" in drivers.get("driver-type", "") else []
    return tuple(map(Path, filter(None, (root, *outside))))


def _skew(told: str, now: float) -> float:
    try:
        return datetime.fromisoformat(told).timestamp() - now
    except ValueError:
        return 0.0


def _registries(info: Told) -> Registries:
    config = info.get("RegistryConfig") or {}
    indexes = config.get("IndexConfigs") or {}
    insecure = [name for name, index in indexes.items() if index.get("Secure") is False]
    mirrors = config.get("Mirrors") or (indexes.get(INDEX_NAME) or {}).get("Mirrors") or ()
    default = str(info.get("IndexServerAddress") or INDEX_URL)
    proxy = str(info.get("HttpsProxy") or info.get("HttpProxy") or "")
    return Registries(default, tuple(mirrors), frozenset(insecure), proxy)
