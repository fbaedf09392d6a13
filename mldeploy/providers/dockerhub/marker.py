"""How a repository on Docker Hub, which knows no labels, says whose it is: by a part of its short description."""

from __future__ import annotations

import re

from mldeploy.image.labels import belonging
from mldeploy.providers.dockerhub.settings import TARGET

LONGEST = 100
"""Characters of a description: https://docs.docker.com/reference/api/hub/latest/schemas/repo_creation_request/"""
_LABEL = re.compile(r"(mldeploy\.(?:app|target))=([^\s,;]+)")


def description(app: str) -> str:
    """What a repository is created with. Its longest, with an app's name of 40 characters, has room to spare."""
    return f"By mldeploy: {' '.join(f'{name}={value}' for name, value in belonging(app, TARGET).items())}"


def foreign(found: str, app: str) -> tuple[str, ...]:
    """What a description lacks to be this app's, a readable line each: nothing if it is. More may stand beside it."""
    labels = dict(_LABEL.findall(found))
    return tuple(
        f"{name} {labels.get(name) or 'absent'} → {value}"
        for name, value in belonging(app, TARGET).items()
        if labels.get(name) != value
    )


def is_marked(found: str) -> bool:
    """Whether mldeploy made it for any app."""
    return bool(_LABEL.search(found))
