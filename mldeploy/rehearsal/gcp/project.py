"""The stand-in's project, and its resource names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mldeploy.rehearsal.gcp.errors import ApiError, Code

REGION = "us-central1"
_PARENT = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)(?:/(?P<rest>.+))?")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")


@dataclass(frozen=True)
class StandInProject:
    """A project. Requests may use its id or its number."""

    id: str
    number: str

    @property
    def account(self) -> str:
        """The callers' service account. It has all permissions."""
        return f"rehearsal@{self.id}.iam.gserviceaccount.com"

    @property
    def nodes(self) -> str:
        """The default service account of machines."""
        return f"{self.number}-compute@developer.gserviceaccount.com"

    @property
    def run_agent(self) -> str:
        """Cloud Run's service agent, which pulls the images. https://cloud.google.com/iam/docs/service-agents"""
        return f"service-{self.number}@serverless-robot-prod.iam.gserviceaccount.com"

    def is_called(self, name: str) -> bool:
        return name in (self.id, self.number)


@dataclass(frozen=True)
class ProjectLocation:
    """A location: a region, a zone, or a continent. rest: the rest of a resource name."""

    project: str
    location: str
    rest: str = ""

    @classmethod
    def of(cls, name: str) -> ProjectLocation:
        """Parse a resource name. Raises ApiError if it is invalid."""
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


PROJECT = StandInProject("rehearsal-project", "123456789012")
