"""Repositories as Artifact Registry describes them, and the access to what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.api_core import exceptions as api
from google.cloud.artifactregistry_v1 import types
from google.protobuf import duration_pb2

from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.gcp.account import Account
from mldeploy.providers.gcp.calls import call
from mldeploy.providers.gcp.cloud import GcpCloud
from mldeploy.providers.gcp.errors import gcp_errors

USER = "oauth2accesstoken"
KEEP = "mldeploy-keep"
DELETE = "mldeploy-delete"
DELETED_AFTER_SECONDS = 30 * 24 * 3600

DOCKER = types.Repository.Format.DOCKER
_Action = types.CleanupPolicy.Action
_Tags = types.CleanupPolicyCondition.TagState


@dataclass(frozen=True)
class Described:
    """A repository. name: `projects/…/repositories/…`. uri: `address/path`, without an image.

    keeps: how many images its clean-up policies keep: None if there are none, -1 if they are others than ours.
    is_docker: it holds images, and they are its own.
    """

    name: str
    uri: str
    labels: Mapping[str, str]
    keeps: int | None
    is_docker: bool


def where(repository: str) -> str:
    return f"repository {repository}"


def describe(cloud: GcpCloud, repository: str) -> Described | None:
    """None if there is no such repository. Raises DeniedError, GcpError."""
    name = f"{cloud.parent}/repositories/{repository}"
    with gcp_errors(where(repository), "artifactregistry.repositories.get"):
        try:
            found = call(cloud.account.identity, cloud.artifacts.get_repository, types.GetRepositoryRequest(name=name))
        except api.NotFound:
            return None
    return _described(found)


def listed(cloud: GcpCloud) -> Iterator[Described]:
    """Every repository in the place. Raises DeniedError, GcpError."""
    with gcp_errors("repositories", "artifactregistry.repositories.list"):
        request = types.ListRepositoriesRequest(parent=cloud.parent)
        found = list(call(cloud.account.identity, cloud.artifacts.list_repositories, request))
    return (_described(each) for each in found)


def images(cloud: GcpCloud, repository: str) -> frozenset[str]:
    """The names of the images in a repository, without their digests. Raises DeniedError, GcpError."""
    parent = f"{cloud.parent}/repositories/{repository}"
    with gcp_errors(where(repository), "artifactregistry.dockerimages.list"):
        request = types.ListDockerImagesRequest(parent=parent)
        found = [each.name for each in call(cloud.account.identity, cloud.artifacts.list_docker_images, request)]
    return frozenset(name.rpartition("/dockerImages/")[2].partition("@")[0] for name in found)


def policies(keep: int) -> dict[str, types.CleanupPolicy]:
    """The policies that keep the last images pushed. One that only keeps would delete nothing.

    https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy
    """
    month = duration_pb2.Duration(seconds=DELETED_AFTER_SECONDS)
    old = types.CleanupPolicyCondition(tag_state=_Tags.ANY, older_than=month)
    last = types.CleanupPolicyMostRecentVersions(keep_count=keep)
    return {
        KEEP: types.CleanupPolicy(id=KEEP, action=_Action.KEEP, most_recent_versions=last),
        DELETE: types.CleanupPolicy(id=DELETE, action=_Action.DELETE, condition=old),
    }


def access(account: Account, address: str) -> RegistryAccess:
    """Credentials for a registry of Google's, good for some minutes at least. Raises CredentialsError, GcpError."""
    token = account.identity.token()
    return RegistryAccess(address, USER, token, account.identity.expires)


def _described(found: types.Repository) -> Described:
    is_docker = found.format_ == DOCKER and found.mode != types.Repository.Mode.REMOTE_REPOSITORY
    return Described(found.name, found.registry_uri, dict(found.labels), _keeps(found), is_docker)


def _keeps(found: types.Repository) -> int | None:
    """Only what matters is compared: Google may leave out of its answer what it takes for granted."""
    if not found.cleanup_policies:
        return None
    keep, delete = found.cleanup_policies.get(KEEP), found.cleanup_policies.get(DELETE)
    if len(found.cleanup_policies) > 2 or keep is None or delete is None or found.cleanup_policy_dry_run:
        return -1
    month = types.CleanupPolicy.pb(delete).condition.older_than.seconds == DELETED_AFTER_SECONDS
    ours = keep.action == _Action.KEEP and delete.action == _Action.DELETE and month
    return keep.most_recent_versions.keep_count if ours else -1
