"""What a shell completes for a target: values that are known on this machine, without a request to the platform.

The target's declaration names a function with the type `CompletionSource`. It imports no SDK, since a user waits for it
after each TAB, and what it raises means that there is nothing to offer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeAlias

from mldeploy.core.files import read_text

_SECTION = re.compile(r"\[(.+)\]")


class CompletedOption(StrEnum):
    """The options, and the argument of `rollback`, whose values depend on the target."""

    APP = "--app"
    INSTANCE = "--instance"
    RELEASE = "REVISION"
    CONTEXT = "--context"
    PROFILE = "--profile"
    REGION = "--region"


class CompletionValue(NamedTuple):
    """A value that may follow the option. help: a description of a few words."""

    value: str
    help: str = ""


@dataclass(frozen=True)
class CompletionRequest:
    """target: the target's name. app: the app in the folder; "" if it is unknown or not needed for the option."""

    option: CompletedOption
    target: str
    app: str = ""


CompletionSource: TypeAlias = Callable[[CompletionRequest], Iterable[CompletionValue]]


def section_names(path: Path) -> list[str]:
    """Return the names of the sections of an INI file, which may be damaged; none if it cannot be read."""
    try:
        lines = read_text(path, errors="replace").splitlines()
    except OSError:
        return []
    return [match[1].strip() for line in lines if (match := _SECTION.match(line))]
