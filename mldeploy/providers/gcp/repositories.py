"""Read repositories of Artifact Registry and get credentials for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.api_core import exceptions as api
from google.cloud.artifactregistry_v1 import types
from google.protobuf import duration_pb2

from mldeploy.image.registry.access import RegistryAccess
from mldeploy.providers.gcp.account import GcpProject
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


GCR_HOSTS = ("gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io")
"""Hosts of the former Container Registry. The repository of a host has its name."""
_PUBLIC_HOST = "-docker.pkg.dev"


@dataclass(frozen=True)
class ArtifactRepositoryInfo:
    """A repository. name: `projects/…/repositories/…`. uri: `address/path`, without an image.

    keeps: how many images its clean-up policies keep: None without policies, -1 for policies of others.
    is_docker: it accepts images.
    """

    name: str
    uri: str
    labels: Mapping[str, str]
    keeps: int | None
    is_docker: bool

    @property
    def image_prefix(self) -> str:
        """What image names begin with: `us-docker.pkg.dev/PROJECT/REPOSITORY`, or `gcr.io/PROJECT`.

        https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo
        """
        location, _, name = self.uri.rpartition("/")
        host, _, project = location.partition("/")
        return f"{name}/{project}" if name in GCR_HOSTS and host.endswith(_PUBLIC_HOST) else self.uri


def where(repository: str) -> str:
    return f"repository {repository}"


def describe_repository(cloud: GcpCloud, repository: str) -> ArtifactRepositoryInfo | None:
    """None if the repository does not exist. Raises DeniedError, GcpError."""
    name = f"{cloud.parent}/repositories/{repository}"
    with gcp_errors(where(repository), "artifactregistry.repositories.get"):
        try:
            response = call(
                cloud.account.identity, cloud.artifacts.get_repository, types.GetRepositoryRequest(name=name)
            )
        except api.NotFound:
            return None
    return _parse_repository(response)


def list_repositories(cloud: GcpCloud) -> Iterator[ArtifactRepositoryInfo]:
    """All repositories in the location. Raises DeniedError, GcpError."""
    with gcp_errors("repositories", "artifactregistry.repositories.list"):
        request = types.ListRepositoriesRequest(parent=cloud.parent)
        response = list(call(cloud.account.identity, cloud.artifacts.list_repositories, request))
    return (_parse_repository(each) for each in response)


def list_images(cloud: GcpCloud, repository: str) -> frozenset[str]:
    """The names of the images in a repository, without their digests. Raises DeniedError, GcpError."""
    parent = f"{cloud.parent}/repositories/{repository}"
    with gcp_errors(where(repository), "artifactregistry.dockerimages.list"):
        request = types.ListDockerImagesRequest(parent=parent)
        response = [each.name for each in call(cloud.account.identity, cloud.artifacts.list_docker_images, request)]
    return frozenset(name.rpartition("/dockerImages/")[2].partition("@")[0] for name in response)


def cleanup_policies(keep: int) -> dict[str, types.CleanupPolicy]:
    """The policies that keep the last pushed images and delete older ones.

    https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy
    """
    month = duration_pb2.Duration(seconds=DELETED_AFTER_SECONDS)
    old = types.CleanupPolicyCondition(tag_state=_Tags.ANY, older_than=month)
    last = types.CleanupPolicyMostRecentVersions(keep_count=keep)
    return {
        KEEP: types.CleanupPolicy(id=KEEP, action=_Action.KEEP, most_recent_versions=last),
        DELETE: types.CleanupPolicy(id=DELETE, action=_Action.DELETE, condition=old),
    }


def registry_access(account: GcpProject, address: str) -> RegistryAccess:
    """Credentials for a registry, valid for some minutes at least. Raises CredentialsError, GcpError."""
    token = account.identity.token()
    return RegistryAccess(address, USER, token, account.identity.expires)


def _parse_repository(response: types.Repository) -> ArtifactRepositoryInfo:
    is_docker = response.format_ == DOCKER and response.mode != types.Repository.Mode.REMOTE_REPOSITORY
    return ArtifactRepositoryInfo(
        response.name, response.registry_uri, dict(response.labels), _kept_images(response), is_docker
    )


def _kept_images(response: types.Repository) -> int | None:
    """Compare only the relevant fields, because responses may omit default values."""
    if not response.cleanup_policies:
        return None
    keep, delete = response.cleanup_policies.get(KEEP), response.cleanup_policies.get(DELETE)
    if len(response.cleanup_policies) > 2 or keep is None or delete is None or response.cleanup_policy_dry_run:
        return -1
    month = types.CleanupPolicy.pb(delete).condition.older_than.seconds == DELETED_AFTER_SECONDS
    ours = keep.action == _Action.KEEP and delete.action == _Action.DELETE and month
    return keep.most_recent_versions.keep_count if ours else -1
