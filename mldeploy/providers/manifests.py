"""A provider that can say beforehand, word for word, what it would send to its platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)
SettingsT_contra = TypeVar("SettingsT_contra", bound=TargetSettings, contravariant=True)


@dataclass(frozen=True)
class Manifests:
    """documents: in the order in which they are to be applied. left_out: those with secrets, by kind and name."""

    documents: tuple[Mapping[str, object], ...]
    left_out: tuple[str, ...] = ()


@runtime_checkable
class HasManifests(Protocol[CloudT_contra, SettingsT_contra]):
    """What `mldeploy manifests` asks."""

    def manifests(
        self, cloud: CloudT_contra, project: Project, settings: SettingsT_contra, image: str, *, secrets: bool
    ) -> Manifests:
        """All that a deployment of the image (by digest) consists of. secrets: those that hold a value, too.

        Changes nothing; asks at most for the registry's credentials.
        """


def without(documents: Sequence[Mapping[str, object]], hidden: Sequence[Mapping[str, object]]) -> Manifests:
    """The documents but those that are not to be seen."""
    names = tuple(f"{each['kind']} {_name(each)}" for each in hidden)
    return Manifests(tuple(each for each in documents if each not in hidden), names)


def _name(document: Mapping[str, object]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""
