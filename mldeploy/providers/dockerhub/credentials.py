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
from mldeploy.providers.dockerhub.errors import CredentialsError

USERNAME, TOKEN = "DOCKERHUB_USERNAME", "DOCKERHUB_TOKEN"
WHERE = "Docker Hub"


@dataclass(frozen=True)
class Credentials:
    """user: a user, or an organization whose own token it is; `docker login` also takes an e-mail address."""

    user: str
    token: Secret


def find(endpoints: Endpoints) -> Credentials:
    """The first that there are. Asks nobody but a credential helper. Raises CredentialsError."""
    user, token = endpoints.credential("username"), endpoints.credential("token")
    if user and token:
        return Credentials(user.reveal(), token)
    found = _of_variables() or _of_docker()
    if found is not None:
        return found
    what = f"no credentials were found: neither in {USERNAME} and {TOKEN}, nor a `docker login` in {config_path()}"
    todo = (
        "Make an access token in the account's settings on Docker Hub (Read, Write, Delete), and set both variables, "
        "or run `docker login`."
    )
    raise CredentialsError(WHERE, what, todo)


def _of_variables() -> Credentials | None:
    user, token = os.environ.get(USERNAME, ""), os.environ.get(TOKEN, "")
    if user and token:
        return Credentials(user, Secret(token))
    if user or token:
        there, missing = (USERNAME, TOKEN) if user else (TOKEN, USERNAME)
        raise CredentialsError(WHERE, f"{there} is set, and {missing} is not", "Set both of them, or neither.")
    return None


def _of_docker() -> Credentials | None:
    """Docker's own file, and the helper or the store that it names."""
    try:
        entry = _docker_entry()
    except DockerException as error:
        todo = f"Correct {config_path()}, or set {USERNAME} and {TOKEN}."
        raise CredentialsError(WHERE, f"what `docker login` has left cannot be read: {error}", todo) from error
    user, password = _entry(entry, "username"), _entry(entry, "password")
    if user and password:
        return Credentials(user, Secret(password))
    if _entry(entry, "identitytoken"):
        todo = f"Set {USERNAME} and {TOKEN} to an access token of Docker Hub's."
        raise CredentialsError(WHERE, "`docker login` has left an identity token, which is none for the API", todo)
    return None


def _docker_entry() -> dict[str, str | None]:
    """The CLI calls Docker Hub by a URL, in older files by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a helper is missing is said by the error that follows
        config = auth.load_config()
        return config.resolve_authconfig(auth.INDEX_URL) or config.resolve_authconfig(auth.INDEX_NAME) or {}


def _entry(entry: dict[str, str | None], name: str) -> str:
    """The SDK spells the same key in several ways."""
    return next((value for key, value in entry.items() if key.lower() == name and value), "")
