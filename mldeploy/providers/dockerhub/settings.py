"""The table `[target.dockerhub]`, and what a repository may be called."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from mldeploy.config.errors import ConfigError
from mldeploy.config.kinds import FieldText
from mldeploy.config.settings import Project
from mldeploy.config.target import TargetSettings

TARGET = "dockerhub"
NAME_PATTERN = r"[a-z0-9]+(?:[._-][a-z0-9]+)*"
"""https://docs.docker.com/reference/api/hub/latest/schemas/repo_creation_request/"""
LEAST, MOST = 2, 255
"""Characters of a repository's name, by the same page."""


class DockerHubSettings(TargetSettings):
    """Docker Hub, for `mldeploy push --target dockerhub`. Needs no extra.

    Credentials: `DOCKERHUB_USERNAME` and `DOCKERHUB_TOKEN`, an access token of the user's or of an organization;
    otherwise what `docker login` has left.
    """

    namespace: Annotated[str, FieldText("the name of a user or an organization of Docker Hub, in lower case")] = Field(
        "",
        pattern=rf"^$|^{NAME_PATTERN}$",
        max_length=MOST,
        description="Whose repository it is: a user's or an organization's. If not set: the user's who logs in.",
        examples=["acme"],
    )
    repository: Annotated[
        str, FieldText("lower-case letters and digits, with single . _ - between them, 2 to 255 characters")
    ] = Field(
        "",
        pattern=rf"^$|^{NAME_PATTERN}$",
        max_length=MOST,
        description="The repository that the image is kept in. If not set: the app's name.",
        examples=["insurance"],
    )
    private: bool = Field(
        True,
        description="Whether nobody but the namespace's own people has the image. Docker Personal includes one private "
        "repository. Of a public one everybody may have the image, and the model in it.",
    )
    keep_images: int = Field(
        10,
        ge=1,
        le=1000,
        description="How many images the repository keeps, the last ones pushed. Older ones go after a push, if the "
        "token may delete. Tags that mldeploy did not make stay.",
    )


def repository_name(project: Project, settings: DockerHubSettings) -> str:
    """What the settings say, or the app's name. Raises ConfigError if Docker Hub would not have it."""
    name = settings.repository or project.app.name
    if is_name(name) and LEAST <= len(name) <= MOST:
        return name
    what = f"{name!r} is no name that a repository of Docker Hub can have"
    todo = 'Letters and digits in lower case, single . _ - between them, 2 characters at least: repository = "…".'
    raise ConfigError(f"target.{TARGET}.repository", what, todo)


def is_name(text: str) -> bool:
    """Whether a namespace or a repository can be called so."""
    return re.fullmatch(NAME_PATTERN, text) is not None
