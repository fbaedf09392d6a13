"""A provider that can say what its user must be allowed to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

CloudT_contra = TypeVar("CloudT_contra", contravariant=True)


@runtime_checkable
class HasPolicy(Protocol[CloudT_contra]):
    """What `mldeploy policy` asks."""

    def policy(self, cloud: CloudT_contra) -> Mapping[str, object]:
        """The least that every command needs, as a document in the platform's own policy language. Makes no call."""
