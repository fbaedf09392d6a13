"""Secrets and their versions. https://cloud.google.com/secret-manager/docs/reference/rpc"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.cloud import secretmanager_v1 as sm
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import empty_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.repositories import wrong_labels
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.policies import PolicyWriter, ResourcePolicy
from mldeploy.rehearsal.gcp.project import StandInProject
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"
SECRETS = "secretmanager.googleapis.com"
ACCESSORS = frozenset(("roles/secretmanager.secretAccessor", "roles/secretmanager.admin", "roles/owner"))
"""Roles that may read a version. roles/editor may not. https://cloud.google.com/secret-manager/docs/access-control"""
LATEST = "latest"
_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/secrets/(?P<secret>[A-Za-z0-9_-]{1,255})(?:/versions/(?P<version>\w+))?"
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_MOST_BYTES = 65536
State = sm.SecretVersion.State


@dataclass
class StoredVersion:
    """A version with its content."""

    version: sm.SecretVersion
    content: bytes


@dataclass
class RehearsedSecret:
    """A secret. versions: by number, from 1."""

    secret: sm.Secret
    versions: list[StoredVersion] = field(default_factory=list)
    policy: ResourcePolicy = field(default_factory=ResourcePolicy)

    def find(self, version: str) -> StoredVersion | None:
        """Find a version by its number, or the latest one."""
        if version == LATEST:
            return self.versions[-1] if self.versions else None
        number = int(version) if version.isdecimal() else 0
        return self.versions[number - 1] if 0 < number <= len(self.versions) else None


class SecretManager:
    """All secrets of the project."""

    def __init__(
        self, project: StandInProject, conditions: ProjectConditions, iam: ProjectIam, policies: PolicyWriter
    ) -> None:
        self._project = project
        self._conditions = conditions
        self._iam = iam
        self._policies = policies
        self._secrets: dict[str, RehearsedSecret] = {}

    def reset(self) -> None:
        self._secrets.clear()

    def contents(self) -> Iterator[StandInObject]:
        """List the secrets."""
        for secret_id, stored in sorted(self._secrets.items()):
            yield StandInObject("secretmanager:secret", secret_id, dict(stored.secret.labels))

    def may_access(self, account: str, secret: str) -> bool:
        """Whether a service account may read a secret; False if there is no such secret. secret: its id."""
        member, stored = f"serviceAccount:{account}", self._secrets.get(secret)
        in_project = any(member in self._iam.members(role) for role in ACCESSORS)
        return stored is not None and (in_project or member in stored.policy.members(ACCESSORS))

    def content(self, secret: str, version: str) -> bytes | None:
        """The content of an enabled version; None if there is none."""
        stored = self._secrets.get(secret)
        found = stored.find(version) if stored else None
        return found.content if found is not None and found.version.state == State.ENABLED else None

    @property
    def methods(self) -> Methods:
        def of(name: str, permission: str, request: type, answer: Callable[..., object]) -> tuple[str, Method[Any]]:
            return f"{SERVICE}/{name}", Method(SECRETS, f"secretmanager.{permission}", request, answer)

        return dict(
            (
                of("CreateSecret", "secrets.create", sm.CreateSecretRequest, self._create),
                of("GetSecret", "secrets.get", sm.GetSecretRequest, self._get),
                of("ListSecrets", "secrets.list", sm.ListSecretsRequest, self._list),
                of("UpdateSecret", "secrets.update", sm.UpdateSecretRequest, self._update),
                of("DeleteSecret", "secrets.delete", sm.DeleteSecretRequest, self._delete),
                of("AddSecretVersion", "versions.add", sm.AddSecretVersionRequest, self._add),
                of("GetSecretVersion", "versions.get", sm.GetSecretVersionRequest, self._get_version),
                of("ListSecretVersions", "versions.list", sm.ListSecretVersionsRequest, self._list_versions),
                of("AccessSecretVersion", "versions.access", sm.AccessSecretVersionRequest, self._access),
                of("DisableSecretVersion", "versions.disable", sm.DisableSecretVersionRequest, self._disable),
                of("EnableSecretVersion", "versions.enable", sm.EnableSecretVersionRequest, self._enable),
                of("DestroySecretVersion", "versions.destroy", sm.DestroySecretVersionRequest, self._destroy),
                of("GetIamPolicy", "secrets.getIamPolicy", iam_policy_pb2.GetIamPolicyRequest, self._policy),
                of("SetIamPolicy", "secrets.setIamPolicy", iam_policy_pb2.SetIamPolicyRequest, self._set_policy),
            )
        )

    def _create(self, request: sm.CreateSecretRequest) -> sm.Secret:
        if not self._project.is_called(request.parent.removeprefix("projects/")):
            raise permission_denied("secretmanager.secrets.create", request.parent)
        if not _ID.fullmatch(request.secret_id):
            raise ApiError(Code.INVALID_ARGUMENT, f"Secret ID [{request.secret_id}] must match {_ID.pattern}.")
        for what in wrong_labels(request.secret.labels):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        if "replication" not in request.secret:
            raise ApiError(Code.INVALID_ARGUMENT, "Secret.replication must be provided.")
        name = f"projects/{self._project.number}/secrets/{request.secret_id}"
        if request.secret_id in self._secrets:
            raise ApiError(Code.ALREADY_EXISTS, f"Secret [{name}] already exists.")
        made = sm.Secret(request.secret)
        made.name, made.create_time, made.etag = name, _now(), _etag()
        self._secrets[request.secret_id] = RehearsedSecret(made)
        self._conditions.add(name)
        return made

    def _get(self, request: sm.GetSecretRequest) -> sm.Secret:
        stored = self._find(request.name, "secrets.get")
        if self._conditions.is_missing(stored.secret.name):
            raise ApiError(Code.NOT_FOUND, f"Secret [{stored.secret.name}] not found.")
        return stored.secret

    def _list(self, request: sm.ListSecretsRequest) -> sm.ListSecretsResponse:
        if not self._project.is_called(request.parent.removeprefix("projects/")):
            raise permission_denied("secretmanager.secrets.list", request.parent)
        wanted = re.fullmatch(r"labels\.([\w-]+)=([\w-]+)", request.filter.replace('"', "").replace(" ", ""))
        if request.filter and not wanted:
            raise ApiError(Code.UNIMPLEMENTED, "Of filters only labels.KEY=VALUE is rehearsed.")
        secrets = [each.secret for _, each in sorted(self._secrets.items())]
        chosen = [each for each in secrets if not wanted or each.labels.get(wanted[1]) == wanted[2]]
        return sm.ListSecretsResponse(secrets=chosen, total_size=len(chosen))

    def _update(self, request: sm.UpdateSecretRequest) -> sm.Secret:
        stored = self._find(request.secret.name, "secrets.update")
        for what in wrong_labels(request.secret.labels):
            raise ApiError(Code.INVALID_ARGUMENT, what)
        for path in request.update_mask.paths:
            if path not in ("labels", "annotations"):
                raise ApiError(Code.INVALID_ARGUMENT, f"The field {path} cannot be updated.")
            setattr(stored.secret, path, getattr(request.secret, path))
        stored.secret.etag = _etag()
        return stored.secret

    def _delete(self, request: sm.DeleteSecretRequest) -> empty_pb2.Empty:
        stored = self._find(request.name, "secrets.delete")
        del self._secrets[stored.secret.name.rpartition("/")[2]]
        return empty_pb2.Empty()

    def _add(self, request: sm.AddSecretVersionRequest) -> sm.SecretVersion:
        stored = self._find(request.parent, "versions.add")
        content = request.payload.data
        if not 0 < len(content) <= _MOST_BYTES:
            raise ApiError(Code.INVALID_ARGUMENT, f"Secret Payload must have 1 to {_MOST_BYTES} bytes.")
        name = f"{stored.secret.name}/versions/{len(stored.versions) + 1}"
        version = sm.SecretVersion(name=name, create_time=_now(), state=State.ENABLED, etag=_etag())
        stored.versions.append(StoredVersion(version, content))
        return version

    def _get_version(self, request: sm.GetSecretVersionRequest) -> sm.SecretVersion:
        return self._find_version(request.name, "versions.get").version

    def _list_versions(self, request: sm.ListSecretVersionsRequest) -> sm.ListSecretVersionsResponse:
        stored = self._find(request.parent, "versions.list")
        versions = [each.version for each in reversed(stored.versions)]
        return sm.ListSecretVersionsResponse(versions=versions, total_size=len(versions))

    def _access(self, request: sm.AccessSecretVersionRequest) -> sm.AccessSecretVersionResponse:
        stored = self._find_version(request.name, "versions.access")
        if stored.version.state != State.ENABLED:
            what = f"Secret Version [{stored.version.name}] is in {stored.version.state.name} state."
            raise ApiError(Code.FAILED_PRECONDITION, what)
        return sm.AccessSecretVersionResponse(name=stored.version.name, payload=sm.SecretPayload(data=stored.content))

    def _disable(self, request: sm.DisableSecretVersionRequest) -> sm.SecretVersion:
        return self._change(request.name, "versions.disable", State.DISABLED)

    def _enable(self, request: sm.EnableSecretVersionRequest) -> sm.SecretVersion:
        return self._change(request.name, "versions.enable", State.ENABLED)

    def _destroy(self, request: sm.DestroySecretVersionRequest) -> sm.SecretVersion:
        destroyed = self._change(request.name, "versions.destroy", State.DESTROYED)
        self._find_version(request.name, "versions.destroy").content = b""
        return destroyed

    def _change(self, name: str, permission: str, state: int) -> sm.SecretVersion:
        stored = self._find_version(name, permission)
        if stored.version.state == State.DESTROYED:
            what = f"Secret Version [{stored.version.name}] is in DESTROYED state."
            raise ApiError(Code.FAILED_PRECONDITION, what)
        stored.version.state, stored.version.etag = State(state), _etag()
        return stored.version

    def _policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        return self._find(request.resource, "secrets.getIamPolicy").policy.policy

    def _set_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        stored = self._find(request.resource, "secrets.setIamPolicy")
        return self._policies.write(stored.policy, request.policy)

    def _find_version(self, name: str, permission: str) -> StoredVersion:
        stored, version = self._find(name, permission), name.rpartition("/versions/")[2]
        found = stored.find(version)
        if found is None:
            what = f"Secret Version [{stored.secret.name}/versions/{version}] not found."
            raise ApiError(Code.NOT_FOUND, what)
        return found

    def _find(self, name: str, permission: str) -> RehearsedSecret:
        """Find a secret by its name or the name of a version. Raises ApiError."""
        parts = _NAME.fullmatch(name)
        if parts is None:
            raise ApiError(Code.INVALID_ARGUMENT, f"The resource name [{name}] is not valid.")
        if not self._project.is_called(parts["project"]):
            raise permission_denied(f"secretmanager.{permission}", name)
        if parts["secret"] not in self._secrets:
            what = f"Secret [projects/{self._project.number}/secrets/{parts['secret']}] not found."
            raise ApiError(Code.NOT_FOUND, what)
        return self._secrets[parts["secret"]]


def _now() -> Timestamp:
    now = Timestamp()
    now.GetCurrentTime()
    return now


def _etag() -> str:
    return f'"{_now().ToNanoseconds():x}"'
