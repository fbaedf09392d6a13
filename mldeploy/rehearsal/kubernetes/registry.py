"""A registry of the user's own, as a cluster's images come from one: whatever is pushed there is there."""

from __future__ import annotations

import secrets

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.registry.door import Manifest, basic, challenge, refused

USER = "rehearsal"


class Everything:
    """`mldeploy.rehearsal.registry.door.Repositories`: a repository begins to exist with its first push."""

    def missing(self, repository: str) -> str:
        return ""

    def keeps(self, repository: str, tag: str) -> str:
        return ""

    def pushed(self, manifest: Manifest) -> None:
        """Nobody counts them."""


class Members:
    """`mldeploy.rehearsal.registry.door.Admission`: one user with one password, for pushes and pulls."""

    def __init__(self) -> None:
        self.password = secrets.token_urlsafe(32)

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        if "Authorization" not in request.headers:
            return challenge('Basic realm="rehearsal"')
        if basic(request.headers["Authorization"]) != (USER, self.password):
            return refused(401, "UNAUTHORIZED", "authentication required")
        return None
