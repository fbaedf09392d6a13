"""The project that is played, and how its things are named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mldeploy.rehearsal.gcp.refusals import ApiError, Code

REGION = "us-central1"
_PARENT = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)(?:/(?P<rest>.+))?")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")


@dataclass(frozen=True)
class Project:
    """id: its name in requests. number: the name that Google itself uses; both are understood."""

    id: str
    number: str

    @property
    def account(self) -> str:
        """The service account whose key the rehearsal's callers have. They may do everything."""
        return f"rehearsal@{self.id}.iam.gserviceaccount.com"

    @property
    def nodes(self) -> str:
        """The service account that machines have unless they are given another."""
        return f"{self.number}-compute@developer.gserviceaccount.com"

    def is_called(self, name: str) -> bool:
        return name in (self.id, self.number)


@dataclass(frozen=True)
class Place:
    """A project's location: a region, a zone, or a continent. rest: what the name says beyond it."""

    project: str
    location: str
    rest: str = ""

    @classmethod
    def of(cls, name: str) -> Place:
        """Raises ApiError for what is no name of a thing in a location."""
        parts = _PARENT.fullmatch(name)
        if parts is None:
            raise ApiError(Code.INVALID_ARGUMENT, f"Invalid resource field value in the request: {name!r}.")
        return cls(parts["project"], parts["location"], parts["rest"] or "")

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def region(self) -> str:
        """The region of a zone, or the region itself."""
        return re.sub(r"-[a-z]$", "", self.location)

    @property
    def is_region(self) -> bool:
        return _REGION.fullmatch(self.location) is not None


PROJECT = Project("rehearsal-project", "123456789012")
