"""What a sign is: a pattern of log lines, the cause that it reveals, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class About(StrEnum):
    """The subject of a cause."""

    START = "start"
    MODEL = "model"
    PORT = "port"
    HEALTH = "health"
    GOLDEN = "golden row"
    MEMORY = "memory"


@dataclass(frozen=True)
class Sign:
    """A log line that reveals a cause. The texts may use the pattern's groups and {requirements}, the file's path."""

    pattern: str
    cause: str
    todo: str
    about: About = About.START


RETRAIN = "Pin in {requirements} the {library} that the model was trained with, or train it again."
"""The remedy for a model of another version. {library}: a distribution."""
PIN = "Two packages do not fit together: pin in {requirements} the versions that the app was written with."
PYTHON = "Choose the Python that the app was written for with `base_image` in [build] of mldeploy.toml."
