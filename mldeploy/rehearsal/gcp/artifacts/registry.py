"""What the registry's door asks: which repositories there are, and who may push to them and pull from them.

https://cloud.google.com/artifact-registry/docs/docker/authentication
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.artifacts.repositories import Kept, Repositories
from mldeploy.rehearsal.gcp.project import Project
from mldeploy.rehearsal.gcp.tokens import Tokens
from mldeploy.rehearsal.registry.door import Manifest, RegistryDoor, basic, challenge, refused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

USER = "oauth2accesstoken"
TOKEN_PATH = "/v2/token"  # noqa: S105 - a path
READERS = frozenset(
    f"roles/artifactregistry.{name}" for name in ("reader", "writer", "repoAdmin", "admin", "createOnPushWriter")
)
"""Roles that allow to pull."""


class Known:
    """`Repositories` as the door wants them. A name there is PROJECT/REPOSITORY/IMAGE."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def missing(self, repository: str) -> str:
        path, image = split(repository)
        if not image:
            return "Missing image name. The form is HOST/PROJECT/REPOSITORY/IMAGE."
        return "" if self._repositories.at(path) else f'Repository "{path.partition("/")[2]}" not found'

    def keeps(self, repository: str, tag: str) -> str:
        path, image = split(repository)
        kept = self._repositories.at(path)
        is_fixed = kept is not None and kept.repository.docker_config.immutable_tags
        return kept.images.digest(image, tag) if kept is not None and is_fixed else ""

    def pushed(self, manifest: Manifest) -> None:
        path, image = split(manifest.repository)
        if kept := self._repositories.at(path):
            kept.images.add(image, manifest)


class Bearers:
    """Who may come in: the rehearsal's own account, and the machines of the project, which may pull."""

    def __init__(self, project: Project, tokens: Tokens, repositories: Repositories, address: str) -> None:
        self._project = project
        self._tokens = tokens
        self._repositories = repositories
        self._realm = f'Bearer realm="http://{address}{TOKEN_PATH}",service="{address}"'

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        account = self.account(request)
        if account is None:
            return challenge(self._realm)
        if not account:
            return refused(401, "UNAUTHORIZED", "authentication failed")
        if account == self._project.account or not repository:
            return None
        kept = self._repositories.at(split(repository)[0])
        if kept is not None and not writing and self._may_pull(account, kept):
            return None
        permission = f"artifactregistry.repositories.{'uploadArtifacts' if writing else 'downloadArtifacts'}"
        resource = kept.repository.name if kept is not None else f"projects/{self._project.id}"
        return refused(
            403, "DENIED", f'Permission "{permission}" denied on resource "{resource}" (or it may not exist)'
        )

    def account(self, request: Request) -> str | None:
        """Whose token comes along: None if there is none, empty if it is not good."""
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            return None
        if authorization.lower().startswith("bearer "):
            return self._tokens.account(authorization.partition(" ")[2])
        user, password = basic(authorization)
        return self._tokens.account(password) if user == USER else ""

    def _may_pull(self, account: str, kept: Kept) -> bool:
        """The project's own machines may, as long as nobody has given them another account."""
        member = f"serviceAccount:{account}"
        granted = any(each.role in READERS and member in each.members for each in kept.known.bindings)
        return account == self._project.nodes or granted


class TokenDoor:
    """A WSGI application before the registry's door: whoever shows an access token is given one for the registry.

    It is the same one. Standard: distribution, "Token authentication".
    """

    def __init__(self, door: RegistryDoor, bearers: Bearers) -> None:
        self._door = door
        self._bearers = bearers

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path != TOKEN_PATH:
            return self._door(environ, start)
        if not self._bearers.account(request):
            return refused(401, "UNAUTHORIZED", "authentication failed")(environ, start)
        authorization = request.headers["Authorization"]
        token = basic(authorization)[1] or authorization.partition(" ")[2]
        return Response(json.dumps({"token": token, "expires_in": 300}), content_type="application/json")(
            environ, start
        )


def split(repository: str) -> tuple[str, str]:
    """PROJECT/REPOSITORY, and the image's name in it."""
    project, _, rest = repository.partition("/")
    name, _, image = rest.partition("/")
    return f"{project}/{name}", image
