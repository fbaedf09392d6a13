"""The AWS account: its credentials, region and clients. Credentials come from the standard chain or a stand-in."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ProfileNotFound
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.core.errors import translate_exceptions
from mldeploy.image.engine import Engine
from mldeploy.providers.aws.errors import AwsCredentialsError, aws_errors
from mldeploy.providers.aws.settings import AwsSettings

if TYPE_CHECKING:  # the stubs are for development alone
    from types_boto3_ecr import ECRClient
    from types_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient

ATTEMPTS = 5
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
METADATA_SERVICE = "http://169.254.169.254"
METADATA_SECONDS = 0.3
MACHINE_ROLE = "iam-role"
"""The SDK's name of what asks the metadata service, the last in its chain."""
WHERE = "AWS"


class BotoClientOptions(TypedDict):
    """What every client is made with: `session.client("ecs", **account.options)`."""

    config: Config
    endpoint_url: str | None
    verify: str | None


@dataclass(frozen=True)
class AwsAccount:
    """An account that has accepted our credentials. id: 12 digits. user: an ARN. Clients are made from `session`."""

    id: str
    user: str
    region: str
    session: boto3.Session
    options: BotoClientOptions

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`: the second part of every ARN."""
        return self.user.split(":")[1]

    @property
    def scope(self) -> tuple[str, str]:
        return self.id, self.region


def authenticate(table: str, settings: AwsSettings, endpoints: Endpoints) -> AwsAccount:
    """Read the credentials and the region, and verify them with GetCallerIdentity: one request.

    table: the name of the settings (`target.ecr`) in messages. Raises AwsCredentialsError, ConfigError, AwsError.
    """
    core = _open_stand_in_session(endpoints) if endpoints.credentials else _open_user_session(settings.profile)
    region = endpoints.region or settings.region or _read_region(core, table)
    core.set_config_variable("region", region)
    core.register_component("data_loader", _load_service_models(core.get_config_variable("data_path")))
    session = boto3.Session(botocore_session=core)
    retries = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    bundle = str(endpoints.ca_bundle) if endpoints.ca_bundle else None
    options: BotoClientOptions = {"config": retries, "endpoint_url": endpoints.url or None, "verify": bundle}
    with aws_errors(f"{WHERE}, region {region}", "sts"):
        identity = session.client("sts", **options).get_caller_identity()
    return AwsAccount(identity["Account"], identity["Arn"], region, session, options)


@cache
def _load_service_models(data_path: str | None) -> Loader:
    """The SDK's service models. Reading them takes 0.3 s; all sessions of a process share them."""
    return create_loader(data_path)


def _open_stand_in_session(endpoints: Endpoints) -> Session:
    """A session with a stand-in's credentials. It ignores the user's AWS files, which may be broken."""
    variables = {name: (None, None, value, None) for name, value in _NO_FILES.items()}
    core = Session(session_vars=variables)
    credentials = {name: value.reveal() for name, value in endpoints.credentials}
    core.set_credentials(
        credentials["aws_access_key_id"], credentials["aws_secret_access_key"], credentials.get("aws_session_token")
    )
    return core


_NO_FILES = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}


def _unknown_profile(core: Session, profile: str) -> AwsCredentialsError:
    what = f"there is no profile {profile or os.environ.get('AWS_PROFILE')!r} in {_config_files(core)}"
    known = ", ".join(core.available_profiles) or "none"
    return AwsCredentialsError(WHERE, what, f"Profiles that there are: {known}.")


def _open_user_session(profile: str) -> Session:
    """A session with the user's credentials; they are not verified yet."""
    core = Session(profile=profile or None)
    with aws_errors(WHERE, "sts"), translate_exceptions(ProfileNotFound, lambda _: _unknown_profile(core, profile)):
        core.get_component("credential_provider").remove(MACHINE_ROLE)
        if core.get_credentials() is None and _has_metadata_service(core):
            core = Session(profile=profile or None)
        credentials = core.get_credentials()
    if credentials is None:
        raise _missing_credentials(core)
    return core


def _has_metadata_service(core: Session) -> bool:
    """Whether the machine has a metadata service, so that it may have a role. The SDK waits for seconds without one."""
    address = urlsplit(core.get_config_variable("ec2_metadata_service_endpoint") or METADATA_SERVICE)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), METADATA_SECONDS).close()
    except OSError:
        return False
    return True


def _missing_credentials(core: Session) -> AwsCredentialsError:
    profile = core.get_config_variable("profile") or "default"
    what = (
        "no credentials were found: not in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        f"not in the profile {profile!r} of {_config_files(core)}, and this machine has no role of AWS"
    )
    todo = "Sign in (`aws configure sso`, then `aws sso login`), set the variables, or name a profile: --profile."
    return AwsCredentialsError(WHERE, what, todo)


def _config_files(core: Session) -> str:
    return " and ".join(str(core.get_config_variable(name)) for name in ("credentials_file", "config_file"))


def _read_region(core: Session, table: str) -> str:
    """AWS_REGION first, as in AWS's other tools; then AWS_DEFAULT_REGION and the profile, as in the SDK."""
    if region := os.environ.get("AWS_REGION") or core.get_config_variable("region"):
        return str(region)
    profile = core.get_config_variable("profile") or "default"
    what = f"no region is set: neither in AWS_REGION or AWS_DEFAULT_REGION nor in the profile {profile!r}"
    raise ConfigError(f"{table}.region", what, "Name one: --region eu-west-1.")


@dataclass(frozen=True)
class AwsCloud:
    """An account in a region, for one app, and the engine that builds for it. Clients may be used from several threads.

    repository: the path of the app's repository.
    """

    engine: Engine
    account: AwsAccount
    app: str
    repository: str
    ecr: ECRClient
    tagging: ResourceGroupsTaggingAPIClient

    @classmethod
    def of(cls, engine: Engine, account: AwsAccount, app: str, repository: str) -> AwsCloud:
        """With all clients made. Raises nothing: no call is made."""
        session, options = account.session, account.options
        tagging = session.client("resourcegroupstaggingapi", **options)
        return cls(engine, account, app, repository, session.client("ecr", **options), tagging)
