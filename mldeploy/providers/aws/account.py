"""Whose account, which region, and how its services are called: the standard chain, or a stand-in's credentials."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from typing import TypedDict
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.errors import ConfigError
from mldeploy.providers.aws.errors import CredentialsError, aws_errors, translated
from mldeploy.providers.aws.settings import AwsSettings

ATTEMPTS = 5
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
METADATA_SERVICE = "http://169.254.169.254"
METADATA_SECONDS = 0.3
MACHINE_ROLE = "iam-role"
"""The SDK's name of what asks the metadata service, the last in its chain."""
WHERE = "AWS"


class Options(TypedDict):
    """What every client is made with: `session.client("ecs", **account.options)`."""

    config: Config
    endpoint_url: str | None
    verify: str | None


@dataclass(frozen=True)
class Account:
    """An account that has accepted our credentials. id: 12 digits. user: an ARN. Clients are made from `session`."""

    id: str
    user: str
    region: str
    session: boto3.Session
    options: Options

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`: the second part of every ARN."""
        return self.user.split(":")[1]

    @property
    def place(self) -> tuple[str, str]:
        return self.id, self.region


def enter(table: str, settings: AwsSettings, endpoints: Endpoints) -> Account:
    """Find the credentials and the region, and ask AWS whose they are: one call.

    table: the settings' own (`target.ecr`), for what is said of them. Raises CredentialsError, ConfigError, AwsError.
    """
    core = _given(endpoints) if endpoints.credentials else _found(settings.profile)
    region = endpoints.region or settings.region or _region(core, table)
    core.set_config_variable("region", region)
    core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
    session = boto3.Session(botocore_session=core)
    retries = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )
    bundle = str(endpoints.ca_bundle) if endpoints.ca_bundle else None
    options: Options = {"config": retries, "endpoint_url": endpoints.url or None, "verify": bundle}
    with aws_errors(f"{WHERE}, region {region}", "sts"):
        identity = session.client("sts", **options).get_caller_identity()
    return Account(identity["Account"], identity["Arn"], region, session, options)


@cache
def _descriptions(data_path: str | None) -> Loader:
    """What the SDK knows of AWS's services: it takes 0.3 s to read, and is the same for every session of a process."""
    return create_loader(data_path)


def _given(endpoints: Endpoints) -> Session:
    """A session with a stand-in's credentials. What the user has in files does not matter there: it may be broken."""
    own = {name: (None, None, value, None) for name, value in _NO_FILES.items()}
    core = Session(session_vars=own)
    given = {name: value.reveal() for name, value in endpoints.credentials}
    core.set_credentials(given["aws_access_key_id"], given["aws_secret_access_key"], given.get("aws_session_token"))
    return core


_NO_FILES = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}


def _found(profile: str) -> Session:
    """A session with the user's credentials, found but not yet tried."""
    core = Session(profile=profile or None)
    try:
        core.get_component("credential_provider").remove(MACHINE_ROLE)
        if core.get_credentials() is None and _has_metadata_service(core):
            core = Session(profile=profile or None)
        found = core.get_credentials()
    except ProfileNotFound as error:
        what = f"there is no profile {profile or os.environ.get('AWS_PROFILE')!r} in {_files(core)}"
        known = ", ".join(core.available_profiles) or "none"
        raise CredentialsError(WHERE, what, f"Profiles that there are: {known}.") from error
    except BotoCoreError as error:
        raise translated(WHERE, "sts", error) from error
    if found is None:
        raise _nothing_found(core)
    return core


def _has_metadata_service(core: Session) -> bool:
    """Whether this is a machine of AWS, whose role can be asked for. The SDK alone would wait for seconds elsewhere."""
    address = urlsplit(core.get_config_variable("ec2_metadata_service_endpoint") or METADATA_SERVICE)
    try:
        socket.create_connection((address.hostname or "", address.port or 80), METADATA_SECONDS).close()
    except OSError:
        return False
    return True


def _nothing_found(core: Session) -> CredentialsError:
    profile = core.get_config_variable("profile") or "default"
    what = (
        "no credentials were found: not in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        f"not in the profile {profile!r} of {_files(core)}, and this machine has no role of AWS"
    )
    todo = "Sign in (`aws configure sso`, then `aws sso login`), set the variables, or name a profile: --profile."
    return CredentialsError(WHERE, what, todo)


def _files(core: Session) -> str:
    return " and ".join(str(core.get_config_variable(name)) for name in ("credentials_file", "config_file"))


def _region(core: Session, table: str) -> str:
    """The SDK looks at AWS_DEFAULT_REGION and the profile; AWS's other tools look at AWS_REGION first."""
    if found := os.environ.get("AWS_REGION") or core.get_config_variable("region"):
        return str(found)
    profile = core.get_config_variable("profile") or "default"
    what = f"no region was found: neither in AWS_REGION or AWS_DEFAULT_REGION nor in the profile {profile!r}"
    raise ConfigError(f"{table}.region", what, "Name one: --region eu-west-1.")
