"""Finding a provider by the name that stands after `--target`."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, TypeAlias

from mldeploy.providers.base import Provider
from mldeploy.providers.errors import PluginError, UnknownTargetError

GROUP = "mldeploy.providers"
# Reading every installed distribution's metadata takes longer than a command with nothing to do: our own are known.
BUILT_IN = MappingProxyType(
    {
        "local": "mldeploy.providers.local",
        "kubernetes": "mldeploy.providers.kubernetes.provider",
        "ecr": "mldeploy.providers.aws.ecr",
        "fargate": "mldeploy.providers.aws.fargate.provider",
        "gar": "mldeploy.providers.gcp.gar",
        "gcr": "mldeploy.providers.gcp.gcr",
        "gke": "mldeploy.providers.gcp.gke.provider",
        "acr": "mldeploy.providers.azure.acr",
        "webapp": "mldeploy.providers.azure.webapp.provider",
        "dockerhub": "mldeploy.providers.dockerhub.provider",
    }
)
EXTRAS = MappingProxyType(
    {
        "kubernetes": "kubernetes",
        "ecr": "aws",
        "fargate": "aws",
        "gar": "gcp",
        "gcr": "gcp",
        "gke": "gcp",
        "acr": "azure",
        "webapp": "azure",
    }
)
"""The extra of the package that brings a target's SDK."""

AnyProvider: TypeAlias = Provider[Any, Any]
"""A provider chosen at run time. Its cloud and settings fit each other, and nobody else may look into them."""

_MEMBERS = ("name", "settings", "kinds", "connect", "place", "login", "push", "goal", "inventory", "service")


def names() -> tuple[str, ...]:
    """Every known target, the built-in ones first."""
    return tuple(dict.fromkeys((*BUILT_IN, *sorted(each.name for each in entry_points(group=GROUP)))))


def find(name: str) -> AnyProvider:
    """The provider of a target. Imports its SDK.

    Raises UnknownTargetError with the known names, PluginError if a provider or its SDK cannot be used.
    """
    if name in BUILT_IN:
        return _built_in(name)
    for each in entry_points(group=GROUP, name=name):
        return _load(each)
    known = names()
    nearest = difflib.get_close_matches(name, known, n=1)
    what = f"there is no target {name!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    raise UnknownTargetError("--target", what, f"Known targets: {', '.join(known)}.")


def _built_in(name: str) -> AnyProvider:
    try:
        provider: AnyProvider = import_module(BUILT_IN[name]).provider
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(name)
        if extra is None or (error.name or "").startswith("mldeploy"):
            raise
        what = f"needs the package {error.name}, which is not installed"
        raise PluginError(f"target {name}", what, f"Install it: `pip install 'mldeploy[{extra}]'`.") from error
    return provider


def _load(entry: EntryPoint) -> AnyProvider:
    package = entry.dist.name if entry.dist else entry.module
    where = f"target {entry.name}"
    todo = f"Update or uninstall the package {package}."
    try:
        provider: AnyProvider = entry.load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PluginError(where, f"the package {package} that brings it cannot be loaded ({reason})", todo) from error
    missing = [member for member in _MEMBERS if not hasattr(provider, member)]
    if missing:
        what = f"{entry.value} of the package {package} is not a provider: it has no {missing[0]}"
        raise PluginError(where, what, todo)
    return provider
