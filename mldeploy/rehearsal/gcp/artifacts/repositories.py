"""Artifact Registry repositories and their images.

https://cloud.google.com/artifact-registry/docs/reference/rpc
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from google.cloud import artifactregistry_v1 as ar
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, timestamp_pb2

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.longrunning import LongRunning, Scheduler
from mldeploy.rehearsal.gcp.project import ProjectLocation, StandInProject
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods
from mldeploy.rehearsal.registry.gateway import Manifest


@dataclass
class StoredImage:
    """One image. name: without the repository's. at: when it was pushed."""

    name: str
    manifest: Manifest
    at: timestamp_pb2.Timestamp
    tags: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of its layers."""
        return sum(layer["size"] for layer in json.loads(self.manifest.text).get("layers", ()))


class StoredImages:
    """All images of one repository."""

    def __init__(self) -> None:
        self._images: dict[tuple[str, str], StoredImage] = {}

    def __iter__(self) -> Iterator[StoredImage]:
        return iter(list(self._images.values()))

    def add(self, name: str, manifest: Manifest) -> None:
        """It has been pushed; a tag that another one had is its own now."""
        known = self._images.setdefault((name, manifest.digest), StoredImage(name, manifest, now()))
        if manifest.tag:
            for image in self:
                if image.name == name and manifest.tag in image.tags:
                    image.tags.remove(manifest.tag)
            known.tags.append(manifest.tag)

    def digest(self, name: str, tag: str) -> str:
        """What a tag stands for; empty if for nothing."""
        return next((each.manifest.digest for each in self if each.name == name and tag in each.tags), "")

    def described(self, repository: ar.Repository) -> Iterator[ar.DockerImage]:
        """As the API says it."""
        for image in self:
            digest = image.manifest.digest
            yield ar.DockerImage(
                name=f"{repository.name}/dockerImages/{image.name}@{digest}",
                uri=f"{repository.registry_uri}/{image.name}@{digest}",
                tags=image.tags,
                image_size_bytes=image.size,
                upload_time=image.at,
                update_time=image.at,
                media_type=image.manifest.media_type,
            )


def now() -> timestamp_pb2.Timestamp:
    moment = timestamp_pb2.Timestamp()
    moment.GetCurrentTime()
    return moment


SERVICE = "google.devtools.artifactregistry.v1.ArtifactRegistry"
REGISTRY = "artifactregistry.googleapis.com"
Mode = ar.Repository.Mode
CHANGEABLE = ("description", "labels", "cleanup_policies", "cleanup_policy_dry_run", "docker_config")
"""Fields that an update may change."""
_PROPAGATION_PHASES = 2
"""A grant takes effect after this time. https://cloud.google.com/iam/docs/access-change-propagation"""


@dataclass
class StoredRepository:
    """A repository and its images.

    known: the policy as propagated to the registry. is_going: it is being deleted.
    """

    repository: ar.Repository
    images: StoredImages = field(default_factory=StoredImages)
    policy: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    known: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    is_going: bool = False


class ArtifactRepositoryService:
    """All repositories. address: HOST:PORT of the registry. forget: deletes all images of a path from it."""

    def __init__(
        self,
        project: StandInProject,
        scheduler: Scheduler,
        operations: LongRunning,
        address: str,
        forget: Callable[[str], None],
        conditions: ProjectConditions,
    ) -> None:
        self._conditions = conditions
        self._project = project
        self._scheduler = scheduler
        self._operations = operations
        self._address = address
        self._forget = forget
        self._repositories: dict[str, StoredRepository] = {}

    def reset(self) -> None:
        self._repositories.clear()

    def at(self, path: str) -> StoredRepository | None:
        """Find the repository at PROJECT/REPOSITORY."""
        uri = f"{self._address}/{path}"
        matching = (each for each in list(self._repositories.values()) if each.repository.registry_uri == uri)
        return next((each for each in matching if not each.is_going), None)

    def contents(self) -> Iterator[StandInObject]:
        """List repositories and images."""
        for stored in list(self._repositories.values()):
            name = stored.repository.name.rpartition("/")[2]
            yield StandInObject("artifactregistry:repository", name, dict(stored.repository.labels))
            for image in stored.images:
                yield StandInObject("artifactregistry:image", f"{name}/{image.name}@{image.manifest.digest}")

    @property
    def methods(self) -> Methods:
        def of(name: str) -> str:
            return f"artifactregistry.{name}"

        return {
            f"{SERVICE}/CreateRepository": Method(
                REGISTRY, of("repositories.create"), ar.CreateRepositoryRequest, self._create
            ),
            f"{SERVICE}/GetRepository": Method(REGISTRY, of("repositories.get"), ar.GetRepositoryRequest, self._get),
            f"{SERVICE}/ListRepositories": Method(
                REGISTRY, of("repositories.list"), ar.ListRepositoriesRequest, self._list
            ),
            f"{SERVICE}/UpdateRepository": Method(
                REGISTRY, of("repositories.update"), ar.UpdateRepositoryRequest, self._update
            ),
            f"{SERVICE}/DeleteRepository": Method(
                REGISTRY, of("repositories.delete"), ar.DeleteRepositoryRequest, self._delete
            ),
            f"{SERVICE}/ListDockerImages": Method(
                REGISTRY, of("dockerimages.list"), ar.ListDockerImagesRequest, self._images
            ),
            f"{SERVICE}/GetIamPolicy": Method(
                REGISTRY, of("repositories.getIamPolicy"), iam_policy_pb2.GetIamPolicyRequest, self._policy
            ),
            f"{SERVICE}/SetIamPolicy": Method(
                REGISTRY, of("repositories.setIamPolicy"), iam_policy_pb2.SetIamPolicyRequest, self._set_policy
            ),
        }

    def _create(self, request: ar.CreateRepositoryRequest) -> operations_pb2.Operation:
        location = self._parse_location(request.parent, "artifactregistry.repositories.create")
        check_repository(location, request.repository_id, request.repository)
        name = f"projects/{self._project.id}/locations/{location.location}/repositories/{request.repository_id}"
        if name in self._repositories:
            raise ApiError(Code.ALREADY_EXISTS, "the repository already exists")
        made = ar.Repository(request.repository)
        if made.format_ != ar.Repository.Format.DOCKER or made.mode > Mode.STANDARD_REPOSITORY:
            raise ApiError(Code.UNIMPLEMENTED, "Only standard repositories of the format DOCKER are rehearsed.")
        if self.at(path := f"{self._project.id}/{request.repository_id}"):
            raise ApiError(Code.UNIMPLEMENTED, "One name in two locations is not rehearsed.")
        made.name, made.registry_uri = name, f"{self._address}/{path}"
        made.mode = Mode(Mode.STANDARD_REPOSITORY)
        made.create_time = made.update_time = now()
        self._repositories[name] = StoredRepository(made)
        self._conditions.add(name)
        return self._operations.begin(f"{location.parent}/operations", 1, lambda: made)

    def _get(self, request: ar.GetRepositoryRequest) -> ar.Repository:
        stored = self._find(request.name, "artifactregistry.repositories.get")
        if self._conditions.is_missing(stored.repository.name):
            raise ApiError(Code.NOT_FOUND, "Requested entity was not found.")
        return self._described(stored)

    def _list(self, request: ar.ListRepositoriesRequest) -> ar.ListRepositoriesResponse:
        location = self._parse_location(request.parent, "artifactregistry.repositories.list")
        if request.filter or request.order_by:
            raise ApiError(Code.UNIMPLEMENTED, "Filters are not rehearsed.")
        begin = f"projects/{self._project.id}/locations/{location.location}/"
        repositories = [
            self._described(each) for name, each in sorted(self._repositories.items()) if name.startswith(begin)
        ]
        return ar.ListRepositoriesResponse(repositories=repositories)

    def _update(self, request: ar.UpdateRepositoryRequest) -> ar.Repository:
        stored = self._find(request.repository.name, "artifactregistry.repositories.update")
        check_repository_update(request.repository)
        for path in request.update_mask.paths:
            if path not in CHANGEABLE:
                raise ApiError(Code.INVALID_ARGUMENT, f"The field {path} cannot be updated.")
            setattr(stored.repository, path, getattr(request.repository, path))
        stored.repository.update_time = now()
        return self._described(stored)

    def _delete(self, request: ar.DeleteRepositoryRequest) -> operations_pb2.Operation:
        stored = self._find(request.name, "artifactregistry.repositories.delete")
        name = stored.repository.name
        if stored.is_going:
            raise ApiError(Code.FAILED_PRECONDITION, f"The repository {name} is being deleted.")
        stored.is_going = True

        def remove() -> empty_pb2.Empty:
            self._forget(stored.repository.registry_uri.partition("/")[2])
            self._repositories.pop(name, None)
            return empty_pb2.Empty()

        return self._operations.begin(f"{ProjectLocation.of(name).parent}/operations", 1, remove)

    def _images(self, request: ar.ListDockerImagesRequest) -> ar.ListDockerImagesResponse:
        stored = self._find(request.parent, "artifactregistry.dockerimages.list")
        return ar.ListDockerImagesResponse(docker_images=list(stored.images.described(stored.repository)))

    def _policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        return self._find(request.resource, "artifactregistry.repositories.getIamPolicy").policy

    def _set_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        stored = self._find(request.resource, "artifactregistry.repositories.setIamPolicy")
        if request.policy.etag not in (b"", stored.policy.etag):
            what = "There were concurrent policy changes. Please retry the whole read-modify-write."
            raise ApiError(Code.ABORTED, what)
        stored.policy.CopyFrom(request.policy)
        stored.policy.etag = str(now().ToNanoseconds()).encode()
        seconds = self._conditions.grant_seconds + _PROPAGATION_PHASES * self._scheduler.pace
        self._scheduler.in_seconds(seconds, lambda: stored.known.CopyFrom(stored.policy))
        return stored.policy

    def _described(self, stored: StoredRepository) -> ar.Repository:
        described = ar.Repository(stored.repository)
        described.size_bytes = sum(image.size for image in stored.images)
        return described

    def _find(self, name: str, permission: str) -> StoredRepository:
        location = self._parse_location(name, permission)
        known = f"projects/{self._project.id}/locations/{location.location}/{location.rest}"
        if known not in self._repositories:
            raise ApiError(Code.NOT_FOUND, "Requested entity was not found.")
        return self._repositories[known]

    def _parse_location(self, name: str, permission: str) -> ProjectLocation:
        location = ProjectLocation.of(name)
        if not self._project.is_called(location.project):
            raise permission_denied(permission, name)
        return location


_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
GCR_HOSTS: Mapping[str, str] = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
"""Host names of Container Registry, and the locations of their repositories.

https://cloud.google.com/artifact-registry/docs/transition/gcr-repositories
"""
CONTINENTS = frozenset(GCR_HOSTS.values())
_MOST_LABELS = 64
_MOST_POLICIES = 10


def check_repository(location: ProjectLocation, repository_id: str, repository: ar.Repository) -> None:
    """Raise ApiError (INVALID_ARGUMENT) for an invalid repository."""
    for what in _wrong(location, repository_id, repository):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def _wrong(location: ProjectLocation, repository_id: str, repository: ar.Repository) -> Iterator[str]:
    if not location.is_region and location.location not in CONTINENTS:
        yield f'Location "{location.location}" is not supported.'
    if repository_id in GCR_HOSTS and GCR_HOSTS[repository_id] != location.location:
        yield f"the repository {repository_id} can only be created in location {GCR_HOSTS[repository_id]}"
    if repository_id not in GCR_HOSTS and not _ID.fullmatch(repository_id):
        yield f'repository ID "{repository_id}" must match {_ID.pattern}'
    if repository.format_ == ar.Repository.Format.FORMAT_UNSPECIFIED:
        yield "repository format is required"
    yield from wrong_labels(repository.labels)
    yield from wrong_policies(repository.cleanup_policies)


def check_repository_update(repository: ar.Repository) -> None:
    """Raise ApiError for an invalid update."""
    for what in (*wrong_labels(repository.labels), *wrong_policies(repository.cleanup_policies)):
        raise ApiError(Code.INVALID_ARGUMENT, what)


def wrong_labels(labels: Mapping[str, str]) -> Iterator[str]:
    """https://cloud.google.com/resource-manager/docs/labels-overview"""
    if len(labels) > _MOST_LABELS:
        yield f"there must be at most {_MOST_LABELS} labels"
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield f'label key "{key}" must match {_LABEL_KEY.pattern}'
        if not _LABEL_VALUE.fullmatch(value):
            yield f'label value "{value}" must match {_LABEL_VALUE.pattern}'


def wrong_policies(policies: Mapping[str, ar.CleanupPolicy]) -> Iterator[str]:
    """https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy"""
    if len(policies) > _MOST_POLICIES:
        yield f"there must be at most {_MOST_POLICIES} cleanup policies"
    for name, policy in policies.items():
        if policy.id != name:
            yield f'cleanup policy "{name}" must have its key as its id'
        if policy.action == ar.CleanupPolicy.Action.ACTION_UNSPECIFIED:
            yield f'cleanup policy "{name}" must have an action'
        has_condition, has_versions = "condition" in policy, "most_recent_versions" in policy
        if has_condition == has_versions:
            yield f'cleanup policy "{name}" must have either a condition or most_recent_versions'
        if has_versions and policy.action == ar.CleanupPolicy.Action.DELETE:
            yield f'cleanup policy "{name}": most_recent_versions goes with the action KEEP'
