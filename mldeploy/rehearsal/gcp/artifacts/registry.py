"""Repositories, authorization and the token endpoint of the registry.

https://cloud.google.com/artifact-registry/docs/docker/authentication
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.artifacts.repositories import ArtifactRepositoryService, StoredRepository
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.tokens import GoogleTokens
from mldeploy.rehearsal.registry.gateway import Manifest, RegistryGateway, challenge, parse_basic_auth, registry_error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

USER = "oauth2accesstoken"
TOKEN_PATH = "/v2/token"  # noqa: S105 - a path
READERS = frozenset(
    f"roles/artifactregistry.{name}" for name in ("reader", "writer", "repoAdmin", "admin", "createOnPushWriter")
)
"""Roles that permit pulls."""


DOWNLOAD = "artifactregistry.repositories.downloadArtifacts"
UPLOAD = "artifactregistry.repositories.uploadArtifacts"


class ArtifactDirectory:
    """`RepositoryDirectory` of Artifact Registry. Names are PROJECT/REPOSITORY/IMAGE."""

    def __init__(self, repositories: ArtifactRepositoryService) -> None:
        self._repositories = repositories

    def missing(self, repository: str) -> str:
        path, image = split_path(repository)
        if not image:
            return "Missing image name. The form is HOST/PROJECT/REPOSITORY/IMAGE."
        return "" if self._repositories.at(path) else f'Repository "{path.partition("/")[2]}" not found'

    def keeps(self, repository: str, tag: str) -> str:
        path, image = split_path(repository)
        stored = self._repositories.at(path)
        is_fixed = stored is not None and stored.repository.docker_config.immutable_tags
        return stored.images.digest(image, tag) if stored is not None and is_fixed else ""

    def pushed(self, manifest: Manifest) -> None:
        path, image = split_path(manifest.repository)
        if stored := self._repositories.at(path):
            stored.images.add(image, manifest)


class ArtifactAuthorizer:
    """Authorizes the rehearsal's account, and pulls by the project's machines."""

    def __init__(
        self,
        project: StandInProject,
        tokens: GoogleTokens,
        repositories: ArtifactRepositoryService,
        address: str,
        conditions: ProjectConditions,
        iam: ProjectIam,
    ) -> None:
        self._conditions = conditions
        self._iam = iam
        self._project = project
        self._tokens = tokens
        self._repositories = repositories
        self._realm = f'Bearer realm="http://{address}{TOKEN_PATH}",service="{address}"'

    def refusal(self, request: Request, repository: str, *, writing: bool) -> Response | None:
        account = self.account(request)
        if account is None:
            return challenge(self._realm)
        if not account:
            return registry_error(401, "UNAUTHORIZED", "authentication failed")
        if not repository:
            return None
        stored = self._repositories.at(split_path(repository)[0])
        needed = _required_permissions(request, repository, stored, writing=writing)
        permission = next((each for each in needed if not self._may(account, each, stored)), "")
        if not permission:
            return None
        resource = stored.repository.name if stored is not None else f"projects/{self._project.id}"
        return registry_error(
            403, "DENIED", f'Permission "{permission}" denied on resource "{resource}" (or it may not exist)'
        )

    def account(self, request: Request) -> str | None:
        """Return the account of the request's token. None: no token; empty: invalid."""
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            return None
        if authorization.lower().startswith("bearer "):
            return self._tokens.account(authorization.partition(" ")[2])
        user, password = parse_basic_auth(authorization)
        return self._tokens.account(password) if user == USER else ""

    def _may(self, account: str, permission: str, stored: StoredRepository | None) -> bool:
        if account == self._project.account:
            return self._iam.allows(permission)
        return stored is not None and permission == DOWNLOAD and self._may_pull(account, stored)

    def _may_pull(self, account: str, stored: StoredRepository) -> bool:
        """Whether an account may pull: one with a reader role, or the default one of machines, if it is an editor."""
        member = f"serviceAccount:{account}"
        if account == self._project.run_agent:
            return True  # its role, roles/run.serviceAgent, contains the permission in its own project
        granted = any(each.role in READERS and member in each.members for each in stored.known.bindings)
        return granted or (account == self._project.nodes and not self._conditions.is_harsh)


def _required_permissions(
    request: Request, repository: str, stored: StoredRepository | None, *, writing: bool
) -> Iterator[str]:
    """https://cloud.google.com/artifact-registry/docs/access-control#permissions"""
    yield UPLOAD if writing else DOWNLOAD
    before, _, tag = request.path.rpartition("/")
    if request.method == "PUT" and before.endswith("/manifests") and ":" not in tag:
        is_known = stored is not None and stored.images.digest(split_path(repository)[1], tag)
        yield f"artifactregistry.tags.{'update' if is_known else 'create'}"


class ArtifactTokenEndpoint:
    """A WSGI application in front of the registry: returns the caller's access token as the registry token.

    Standard: distribution, "Token authentication".
    """

    def __init__(self, gateway: RegistryGateway, authorizer: ArtifactAuthorizer) -> None:
        self._gateway = gateway
        self._authorizer = authorizer

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path != TOKEN_PATH:
            return self._gateway(environ, start)
        if not self._authorizer.account(request):
            return registry_error(401, "UNAUTHORIZED", "authentication failed")(environ, start)
        authorization = request.headers["Authorization"]
        token = parse_basic_auth(authorization)[1] or authorization.partition(" ")[2]
        return Response(json.dumps({"token": token, "expires_in": 300}), content_type="application/json")(
            environ, start
        )


def split_path(repository: str) -> tuple[str, str]:
    """Split a name into PROJECT/REPOSITORY and the image's name."""
    project, _, rest = repository.partition("/")
    name, _, image = rest.partition("/")
    return f"{project}/{name}", image
