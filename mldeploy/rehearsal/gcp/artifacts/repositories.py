"""The repositories: made, described, changed and removed.

https://cloud.google.com/artifact-registry/docs/reference/rpc
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from google.cloud import artifactregistry_v1 as ar
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from mldeploy.rehearsal.door.interface import Thing
from mldeploy.rehearsal.gcp.artifacts.checks import check, check_changed
from mldeploy.rehearsal.gcp.artifacts.images import Images, now
from mldeploy.rehearsal.gcp.later import Later
from mldeploy.rehearsal.gcp.longrunning import LongRunning
from mldeploy.rehearsal.gcp.project import Place, Project
from mldeploy.rehearsal.gcp.refusals import ApiError, Code, denied
from mldeploy.rehearsal.gcp.rpc.method import Method, Methods

SERVICE = "google.devtools.artifactregistry.v1.ArtifactRegistry"
REGISTRY = "artifactregistry.googleapis.com"
Mode = ar.Repository.Mode
CHANGEABLE = ("description", "labels", "cleanup_policies", "cleanup_policy_dry_run", "docker_config")
"""What an update may name."""
_PROPAGATION_PHASES = 2
"""A grant is not heard of at once. https://cloud.google.com/iam/docs/access-change-propagation"""


@dataclass
class Kept:
    """A repository with what is in it.

    known: what the registry has heard of its policy. is_going: it is being removed.
    """

    repository: ar.Repository
    images: Images = field(default_factory=Images)
    policy: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    known: policy_pb2.Policy = field(default_factory=policy_pb2.Policy)
    is_going: bool = False


class Repositories:
    """address: HOST:PORT of the registry. forget: removes all images of a path from it."""

    def __init__(
        self,
        project: Project,
        later: Later,
        operations: LongRunning,
        address: str,
        forget: Callable[[str], None],
    ) -> None:
        self._project = project
        self._later = later
        self._operations = operations
        self._address = address
        self._forget = forget
        self._kept: dict[str, Kept] = {}

    def reset(self) -> None:
        self._kept.clear()

    def at(self, path: str) -> Kept | None:
        """The repository whose images are at PROJECT/REPOSITORY."""
        uri = f"{self._address}/{path}"
        found = (each for each in list(self._kept.values()) if each.repository.registry_uri == uri)
        return next((each for each in found if not each.is_going), None)

    def contents(self) -> Iterator[Thing]:
        """Repositories, and the images in them."""
        for kept in list(self._kept.values()):
            name = kept.repository.name.rpartition("/")[2]
            yield Thing("artifactregistry:repository", name, dict(kept.repository.labels))
            for image in kept.images:
                yield Thing("artifactregistry:image", f"{name}/{image.name}@{image.manifest.digest}")

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
        place = self._place(request.parent, "artifactregistry.repositories.create")
        check(place, request.repository_id, request.repository)
        name = f"projects/{self._project.id}/locations/{place.location}/repositories/{request.repository_id}"
        if name in self._kept:
            raise ApiError(Code.ALREADY_EXISTS, "the repository already exists")
        made = ar.Repository(request.repository)
        if made.format_ != ar.Repository.Format.DOCKER or made.mode > Mode.STANDARD_REPOSITORY:
            raise ApiError(Code.UNIMPLEMENTED, "Only standard repositories of the format DOCKER are rehearsed.")
        if self.at(path := f"{self._project.id}/{request.repository_id}"):
            raise ApiError(Code.UNIMPLEMENTED, "One name in two locations is not rehearsed.")
        made.name, made.registry_uri = name, f"{self._address}/{path}"
        made.mode = Mode(Mode.STANDARD_REPOSITORY)
        made.create_time = made.update_time = now()
        self._kept[name] = Kept(made)
        return self._operations.begin(f"{place.parent}/operations", 1, lambda: made)

    def _get(self, request: ar.GetRepositoryRequest) -> ar.Repository:
        return self._described(self._find(request.name, "artifactregistry.repositories.get"))

    def _list(self, request: ar.ListRepositoriesRequest) -> ar.ListRepositoriesResponse:
        place = self._place(request.parent, "artifactregistry.repositories.list")
        if request.filter or request.order_by:
            raise ApiError(Code.UNIMPLEMENTED, "Filters are not rehearsed.")
        begin = f"projects/{self._project.id}/locations/{place.location}/"
        found = [self._described(each) for name, each in sorted(self._kept.items()) if name.startswith(begin)]
        return ar.ListRepositoriesResponse(repositories=found)

    def _update(self, request: ar.UpdateRepositoryRequest) -> ar.Repository:
        kept = self._find(request.repository.name, "artifactregistry.repositories.update")
        check_changed(request.repository)
        for path in request.update_mask.paths:
            if path not in CHANGEABLE:
                raise ApiError(Code.INVALID_ARGUMENT, f"The field {path} cannot be updated.")
            setattr(kept.repository, path, getattr(request.repository, path))
        kept.repository.update_time = now()
        return self._described(kept)

    def _delete(self, request: ar.DeleteRepositoryRequest) -> operations_pb2.Operation:
        kept = self._find(request.name, "artifactregistry.repositories.delete")
        name = kept.repository.name
        if kept.is_going:
            raise ApiError(Code.FAILED_PRECONDITION, f"The repository {name} is being deleted.")
        kept.is_going = True

        def remove() -> empty_pb2.Empty:
            self._forget(kept.repository.registry_uri.partition("/")[2])
            self._kept.pop(name, None)
            return empty_pb2.Empty()

        return self._operations.begin(f"{Place.of(name).parent}/operations", 1, remove)

    def _images(self, request: ar.ListDockerImagesRequest) -> ar.ListDockerImagesResponse:
        kept = self._find(request.parent, "artifactregistry.dockerimages.list")
        return ar.ListDockerImagesResponse(docker_images=list(kept.images.described(kept.repository)))

    def _policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        return self._find(request.resource, "artifactregistry.repositories.getIamPolicy").policy

    def _set_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        kept = self._find(request.resource, "artifactregistry.repositories.setIamPolicy")
        if request.policy.etag not in (b"", kept.policy.etag):
            what = "There were concurrent policy changes. Please retry the whole read-modify-write."
            raise ApiError(Code.ABORTED, what)
        kept.policy.CopyFrom(request.policy)
        kept.policy.etag = str(now().ToNanoseconds()).encode()
        self._later.after(_PROPAGATION_PHASES, lambda: kept.known.CopyFrom(kept.policy))
        return kept.policy

    def _described(self, kept: Kept) -> ar.Repository:
        described = ar.Repository(kept.repository)
        described.size_bytes = sum(image.size for image in kept.images)
        return described

    def _find(self, name: str, permission: str) -> Kept:
        place = self._place(name, permission)
        known = f"projects/{self._project.id}/locations/{place.location}/{place.rest}"
        if known not in self._kept:
            raise ApiError(Code.NOT_FOUND, "Requested entity was not found.")
        return self._kept[known]

    def _place(self, name: str, permission: str) -> Place:
        place = Place.of(name)
        if not self._project.is_called(place.project):
            raise denied(permission, name)
        return place
