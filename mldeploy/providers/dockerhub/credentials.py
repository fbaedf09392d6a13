"""Who we are to Docker Hub: two variables, or what `docker login` has left. Nothing is written anywhere."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

from docker import auth
from docker.errors import DockerException

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.image.registry.docker_config import config_path
from mldeploy.providers.dockerhub.errors import HubCredentialsError

USERNAME, TOKEN = "DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"
WHERE = "Docker Hub"


@dataclass(frozen=True)
class HubCredentials:
    """user: a user, or an organization whose own token it is; `docker login` also takes an e-mail address."""

    user: str
    token: Secret


def find_credentials(endpoints: Endpoints) -> HubCredentials:
    """The first that there are. Asks nobody but a credential helper. Raises HubCredentialsError."""
    user, token = endpoints.credential("username"), endpoints.credential("token")
    if user and token:
        return HubCredentials(user.reveal(), token)
    credentials = _read_variables() or _read_docker_login()
    if credentials is not None:
        return credentials
    what = f"no credentials: neither in {USERNAME} and {TOKEN}, nor a `docker login` in {config_path()}"
    todo = (
        "Make an access token in the account's settings on Docker Hub (Read, Write, Delete), and set both variables, "
        "or run `docker login`."
    )
    raise HubCredentialsError(WHERE, what, todo)


def _read_variables() -> HubCredentials | None:
    user, token = os.environ.get(USERNAME, ""), os.environ.get(TOKEN, "")
    if user and token:
        return HubCredentials(user, Secret(token))
    if user or token:
        there, missing = (USERNAME, TOKEN) if user else (TOKEN, USERNAME)
        raise HubCredentialsError(WHERE, f"{there} is set, and {missing} is not", "Set both of them, or neither.")
    return None


def _read_docker_login() -> HubCredentials | None:
    """Docker's own file, and the helper or the store that it names."""
    try:
        entry = _find_docker_entry()
    except DockerException as error:
        todo = f"Correct {config_path()}, or set {USERNAME} and {TOKEN}."
        raise HubCredentialsError(WHERE, f"what `docker login` has left cannot be read: {error}", todo) from error
    user, password = _read_field(entry, "username"), _read_field(entry, "password")
    if user and password:
        return HubCredentials(user, Secret(password))
    if _read_field(entry, "identitytoken"):
        todo = f"Set {USERNAME} and {TOKEN} to an access token of Docker Hub's."
        raise HubCredentialsError(WHERE, "`docker login` has left an identity token, which is none for the API", todo)
    return None


def _find_docker_entry() -> dict[str, str | None]:
    """The CLI calls Docker Hub by a URL, in older files by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the error that follows reports a missing helper
        config = auth.load_config()
        return config.resolve_authconfig(auth.INDEX_URL) or config.resolve_authconfig(auth.INDEX_NAME) or {}


def _read_field(entry: dict[str, str | None], name: str) -> str:
    """The SDK spells the same key in several ways."""
    return next((value for key, value in entry.items() if key.lower() == name and value), "")
