"""As much of the Dockerfile's language as a user's own file asks for: where its stages begin, and on what.

The engine has the last word on everything else. Reference: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mldeploy.project.dockerfile import escape, instructions

_COPY_FROM = re.compile(r"(?:--\S+\s+)*--from=(\S+)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")


def label(labels: Mapping[str, str], sign: str = "\\") -> str:
    """A LABEL instruction, on one line."""
    return "LABEL " + " ".join(f'{name}="{_quoted(value, sign)}"' for name, value in labels.items())


def _quoted(value: str, sign: str) -> str:
    return re.sub(r'["$\\`]', lambda match: sign + match[0], " ".join(value.split()))


def labelled(text: str, every: Mapping[str, str], last: Mapping[str, str]) -> str:
    """The same Dockerfile with labels at the start of every stage, and more at the end of the last."""
    lines = text.splitlines()
    sign = escape(lines)
    ends = [each.end for each in instructions(text) if each.keyword == "FROM"]
    for end in reversed(ends):
        lines.insert(end, label(every, sign))
    return "\n".join((*lines, label(last, sign), ""))


def bases(text: str, args: Mapping[str, str]) -> tuple[str, ...]:
    """The images that a Dockerfile starts from or copies from, without its own stages; `args` are the build's."""
    known: dict[str, str] = {}
    stages = {"scratch"}
    found: dict[str, None] = {}
    for each in instructions(text):
        words = [word for word in each.rest.split() if not word.startswith("--")]
        if each.keyword == "ARG" and stages == {"scratch"} and not found:
            name, _, default = each.rest.partition("=")
            known[name] = args.get(name, default.strip("\"'"))
        elif each.keyword == "FROM" and words:
            found.setdefault(_substituted(words[0], known))
            stages.update(word.lower() for word in words[2:3])
        elif each.keyword == "COPY" and (source := _COPY_FROM.match(each.rest)) and not source[1].isdigit():
            found.setdefault(source[1])
    return tuple(image for image in found if image and image.lower() not in stages)


def _substituted(word: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        given = known.get(match[1] or match[2], "")
        operator, other = match[3] or "", match[4] or ""
        if operator.endswith("-"):
            return given or other
        return other if operator.endswith("+") and given else "" if operator else given

    return _VARIABLE.sub(value, word.strip("\"'"))
