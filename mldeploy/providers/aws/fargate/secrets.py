"""The app's secrets in AWS Secrets Manager, which its task definitions reference by version.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html. A revision names the
version of each secret, so a task that is started again has the value of its revision, and a new value is a new
revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.core.monitor import Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.providers.aws.errors import DENIED_CODES, aws_errors, error_code
from mldeploy.providers.aws.fargate.cloud import FargateCloud
from mldeploy.providers.aws.fargate.errors import ignore_codes, translate_errors, wait_until_gone
from mldeploy.providers.aws.fargate.tags import TARGET, is_owned, owner_tags, read_tags, resource_name
from mldeploy.providers.recent_secrets import RecentSecrets
from mldeploy.providers.secret_store import StoredSecret, StoredSecretStep, given_to_app, require_size

if TYPE_CHECKING:  # the stubs are for development alone
    from types_boto3_secretsmanager.type_defs import DescribeSecretResponseTypeDef

SERVICE = "secretsmanager"
LIMIT = 65_536
"""Bytes of a value. https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html"""
NAME_SECONDS = 120.0
"""How long the name of a secret that was just deleted may stay taken: the deletion is asynchronous."""
ABSENT, TAKEN, INVALID = "ResourceNotFoundException", "ResourceExistsException", "InvalidRequestException"


@dataclass(frozen=True)
class SecretsManagerStore:
    """`mldeploy.providers.secret_store.SecretStore` in an account and region. Raises AwsError and its like."""

    cloud: FargateCloud
    limit: ClassVar[int] = LIMIT

    def list(self) -> tuple[StoredSecret, ...]:
        with aws_errors(f"secrets of {self.cloud.app}", SERVICE):
            return list_stored_secrets(self.cloud, self.cloud.app)

    def read(self, name: str) -> Secret | None:
        with aws_errors(f"secret {name}", SERVICE):
            described = _describe(self.cloud, self.cloud.app, name)
            return _read_value(self.cloud, described["ARN"]) if described and _is_kept(described, self.cloud) else None

    def write(self, name: str, value: Secret, monitor: Monitor) -> StoredSecret:
        """A secret that is scheduled for deletion is restored first. Raises RefusedError for one of somebody else."""
        require_size(name, value, self.limit)
        with aws_errors(f"secret {name}", SERVICE):
            _recent(self.cloud).note(name)
            for _ in monitor.attempts(every=2, within=NAME_SECONDS):
                described = _describe(self.cloud, self.cloud.app, name)
                if described is not None:
                    self._update(name, described, value)
                elif not self._create(name, value):
                    continue
                if written := _describe(self.cloud, self.cloud.app, name):
                    return _stored(written, name)
        what = "the name is still taken by a secret that was deleted"
        raise RefusedError(f"secret {name}", what, "Run the command again in a minute.")

    def remove(self, name: str, monitor: Monitor) -> bool:
        with aws_errors(f"secret {name}", SERVICE):
            return delete_secret(self.cloud, self.cloud.app, name, monitor)

    def resources(self, name: str) -> tuple[Resource, ...]:
        return (Resource(FargateSecret.kind, Key(name, (self.cloud.app,))),)

    def _create(self, name: str, value: Secret) -> bool:
        """Create the secret; False while the name is taken, also by a call whose answer was lost."""
        try:
            self.cloud.secrets.create_secret(
                Name=secret_id(self.cloud.app, name),
                Description=f"{name} of {self.cloud.app} on Fargate",
                SecretString=value.reveal(),
                Tags=[{"Key": key, "Value": text} for key, text in owner_tags(self.cloud.app).items()],
            )
        except ClientError as error:
            if error_code(error) not in (TAKEN, INVALID):
                raise
            return False
        return True

    def _update(self, name: str, described: DescribeSecretResponseTypeDef, value: Secret) -> None:
        if not is_owned(read_tags(described.get("Tags", ())), self.cloud.app):
            todo = "Remove it yourself, or choose another name for the app."
            raise RefusedError(f"secret {described['Name']}", "exists, and mldeploy did not create it", todo)
        if "DeletedDate" in described:
            self.cloud.secrets.restore_secret(SecretId=described["ARN"])
        if _read_value(self.cloud, described["ARN"]) != value:
            self.cloud.secrets.put_secret_value(SecretId=described["ARN"], SecretString=value.reveal())


def secret_prefix(app: str) -> str:
    """The first part of the names of an app's secrets. No name of an app has a slash."""
    return f"mldeploy/{app}/"


def secret_id(app: str, name: str) -> str:
    return f"{secret_prefix(app)}{name}"


def pinned_reference(stored: StoredSecret) -> str:
    """The secret in a task definition: its ARN, no JSON key, no stage, and the version."""
    return f"{stored.reference}:::{stored.version}"


def list_stored_secrets(cloud: FargateCloud, app: str) -> tuple[StoredSecret, ...]:
    """The app's secrets, sorted by name. Raises ClientError.

    ListSecrets may leave out those of the last five minutes, so each that was written here is looked up by its name:
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
    """
    prefix = secret_prefix(app)
    pages = cloud.secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
    listed = {each["Name"] for page in pages for each in page["SecretList"] if each["Name"].startswith(prefix)}
    names = sorted({*(each.removeprefix(prefix) for each in listed), *_recent(cloud).read()})
    described = ((name, _describe(cloud, app, name)) for name in names)
    return tuple(_stored(each, name) for name, each in described if each is not None and _is_kept(each, cloud))


def list_app_secrets(cloud: FargateCloud, app: str, monitor: Monitor | None = None) -> tuple[StoredSecret, ...]:
    """The secrets that the app gets. Raises ClientError.

    A policy of an earlier version of mldeploy does not allow the call. Whoever has it deploys as before, unless the
    app's newest revision has such secrets. monitor: is told of that.
    """
    return given_to_app(_list_if_allowed(cloud, app, monitor))


def _list_if_allowed(cloud: FargateCloud, app: str, monitor: Monitor | None) -> tuple[StoredSecret, ...]:
    try:
        return list_stored_secrets(cloud, app)
    except ClientError as error:
        if error_code(error) not in DENIED_CODES or _has_references(cloud, app):
            raise
        if monitor is not None:
            text = f"The app gets no stored secrets: {error.operation_name} is not allowed. See `mldeploy policy`."
            monitor.note(text, warning=True)
        return ()


def list_owned_names(cloud: FargateCloud, app: str) -> tuple[str, ...]:
    """The names of all secrets of the app, for a removal. Raises as `list_app_secrets` does."""
    return tuple(each.name for each in _list_if_allowed(cloud, app, None))


def delete_secret(cloud: FargateCloud, app: str, name: str, monitor: Monitor) -> bool:
    """Delete a secret of ours with all of its versions, so that its name is free, and return once it is gone."""
    described = _describe(cloud, app, name)
    if described is None or not is_owned(read_tags(described.get("Tags", ())), app):
        _recent(cloud).forget(name)
        return False
    cloud.secrets.delete_secret(SecretId=described["ARN"], ForceDeleteWithoutRecovery=True)
    wait_until_gone(monitor, f"secret {name}", lambda: _describe(cloud, app, name) is None)
    _recent(cloud).forget(name)
    return True


def _describe(cloud: FargateCloud, app: str, name: str) -> DescribeSecretResponseTypeDef | None:
    with ignore_codes(ABSENT):
        return cloud.secrets.describe_secret(SecretId=secret_id(app, name))
    return None


def _is_kept(described: DescribeSecretResponseTypeDef, cloud: FargateCloud) -> bool:
    """It is ours, and not scheduled for deletion."""
    return "DeletedDate" not in described and is_owned(read_tags(described.get("Tags", ())), cloud.app)


def _read_value(cloud: FargateCloud, arn: str) -> Secret | None:
    """The current value, empty if it is no text; None for a secret that was deleted meanwhile."""
    with ignore_codes(ABSENT, INVALID):
        return Secret(cloud.secrets.get_secret_value(SecretId=arn).get("SecretString", ""))
    return None


def _stored(described: DescribeSecretResponseTypeDef, name: str) -> StoredSecret:
    versions = described.get("VersionIdsToStages", {}).items()
    current = next((version for version, stages in versions if "AWSCURRENT" in stages), "")
    changed = described["LastChangedDate"].astimezone(UTC).isoformat(timespec="seconds")
    return StoredSecret(name, described["ARN"], changed, current)


def _has_references(cloud: FargateCloud, app: str) -> bool:
    """Whether the app's newest revision has secrets of the store."""
    family = resource_name(app)
    arns = cloud.ecs.list_task_definitions(familyPrefix=family, sort="DESC", maxResults=1)["taskDefinitionArns"]
    return any(f":secret:{secret_prefix(app)}" in each for arn in arns for each in _list_references(cloud, arn))


def _list_references(cloud: FargateCloud, revision: str) -> Iterator[str]:
    definition = cloud.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    for container in definition.get("containerDefinitions", ()):
        yield from (each["valueFrom"] for each in container.get("secrets", ()))


def _recent(cloud: FargateCloud) -> RecentSecrets:
    return RecentSecrets(cloud.app, TARGET, cloud.account.scope)


@translate_errors(SERVICE)
@dataclass(frozen=True, eq=False)
class FargateSecret(StoredSecretStep[FargateCloud]):
    """A secret of the app in Secrets Manager."""

    kind: ClassVar[str] = "fargate-secret"

    @staticmethod
    def undo(cloud: FargateCloud, key: Key, monitor: Monitor) -> bool:
        (app,) = key.scope
        return delete_secret(cloud, app, key.name, monitor)
