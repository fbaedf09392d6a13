"""Labels and base images of Dockerfiles.

Only what a custom Dockerfile requires is parsed; the engine does the rest. Reference: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mldeploy.project.detect.starts.dockerfile import Stage, read_stages
from mldeploy.project.detect.starts.dockerfile_syntax import escape_character, parse_instructions, split_lines

_REFERENCE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/|\[[0-9A-Fa-f:]+\](?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
"""Standard: github.com/distribution/reference."""


@dataclass(frozen=True)
class BaseReference:
    """An image that a Dockerfile uses. line: where, from 1."""

    image: str
    line: int


def label(labels: Mapping[str, str], sign: str = "\\") -> str:
    """Return a LABEL instruction on one line."""
    return "LABEL " + " ".join(f'{name}="{_quoted(value, sign)}"' for name, value in labels.items())


def _quoted(value: str, sign: str) -> str:
    return re.sub(r'["$\\`]', lambda match: sign + match[0], " ".join(value.split()))


def labelled(text: str, every: Mapping[str, str], last: Mapping[str, str]) -> str:
    """Return the Dockerfile with labels `every` in each stage and `last` at the end.

    A file that ends within an instruction gets the last labels before it: what follows would be a part of it.
    """
    lines = split_lines(text)
    sign = escape_character(lines)
    instructions = tuple(parse_instructions(text))
    additions = [(each.end, label(every, sign)) for each in instructions if each.keyword == "FROM"]
    final = instructions[-1] if instructions else None
    end = final.line - 1 if final and final.is_open else len(lines) - (not lines[-1])
    for at, line in reversed([*additions, (end, label(last, sign))]):
        lines.insert(at, line)
    return "\n".join(lines) + ("\n" if lines[-1] else "")


def bases(text: str, args: Mapping[str, str], platform: str = "") -> tuple[str, ...]:
    """Return the images that the last stage of a Dockerfile is made of, without its stages.

    args and platform: of the build. An image whose name is only known in the build is left out, as is one for another
    platform: the builder gets it.
    """
    return tuple(each.image for each in list_bases(text, args, platform))


def list_bases(text: str, args: Mapping[str, str], platform: str = "") -> tuple[BaseReference, ...]:
    """Return the same images, each with the line that names it."""
    stages = read_stages(text, {**_platform_args(platform), **args})
    needed = _needed_stages(stages)
    references: dict[str, BaseReference] = {}
    for number in sorted(needed):
        stage = stages[number]
        images = [each for each in stage.uses if isinstance(each, str)]
        for image in [stage.image, *images] if stage.parent is None and stage.platform in {"", platform} else images:
            if _REFERENCE.fullmatch(image) and image != "scratch":
                references.setdefault(image, BaseReference(image, stage.source.line))
    return tuple(references.values())


def _needed_stages(stages: tuple[Stage, ...]) -> set[int]:
    """The numbers of the stages that the last one is made of."""
    needed: set[int] = set()
    pending = [len(stages) - 1] if stages else []
    while pending:
        number = pending.pop()
        if number not in needed:
            needed.add(number)
            stage = stages[number]
            pending += [each for each in (stage.parent, *stage.uses) if isinstance(each, int)]
    return needed


def _platform_args(platform: str) -> dict[str, str]:
    """The arguments that BuildKit predefines: https://docs.docker.com/build/building/variables/#pre-defined-build-arguments."""
    system, _, architecture = platform.partition("/")
    architecture, _, variant = architecture.partition("/")
    values = {"PLATFORM": platform, "OS": system, "ARCH": architecture, "VARIANT": variant}
    return {f"TARGET{name}": value for name, value in values.items()} if platform else {}
