"""Version constraints as other tools write them, in the terms of PEP 440."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def pep440(text: str) -> str:
    """Poetry's caret and tilde, its bare versions and its stars, as PEP 440 specifiers; PEP 440 stays as it is."""
    return ",".join(
        _pep440(part.strip()) for part in text.split("||", maxsplit=1)[0].split(",") if part.strip() not in {"", "*"}
    )


def _pep440(part: str) -> str:
    match = re.fullmatch(r"(\^|~(?!=)|==?(?!=)|)\s*v?(\d+(?:\.\d+)*)(\.\*)?([\w.+-]*)", part)
    if not match:
        return part
    sign, numbers, star, rest = match[1], match[2], match[3] or "", match[4]
    release = [int(number) for number in numbers.split(".") if len(number) < 10]
    if sign == "^":
        kept = next((index for index, number in enumerate(release) if number), len(release) - 1)
        return f">={numbers}{rest},<{_next(release[: kept + 1])}"
    if sign == "~":
        return f">={numbers}{rest},<{_next(release[:2])}"
    return f"=={numbers}{star}{rest}"


def _next(release: list[int]) -> str:
    return ".".join(map(str, [*release[:-1], release[-1] + 1])) if release else "1"


def conda(text: str) -> str:
    """conda's `=1.2`, `1.2.*`, `==1.2` and `=1.2.3=py38_0` as PEP 440; "" for what cannot be said there."""
    text = text.strip().partition(" ")[0] if not re.match(r"[<>=!~]", text.strip()) else text.replace(" ", "")
    exact = re.fullmatch(r"={1,2}(\d[\w.+!]*)=[\w.*]+", text)  # the last part is the build, which pip knows nothing of
    if exact:
        return f"=={exact[1]}"
    loose = re.fullmatch(r"=?(\d[\w.+!]*?)(\.\*|\*)?", text)
    text = f"=={loose[1]}.*" if loose and (text.startswith("=") or loose[2]) else f"=={text}" if loose else text
    return str(SpecifierSet(text)) if is_valid(text) else ""


def is_valid(text: str) -> bool:
    """Whether a text is a set of PEP 440 specifiers; an empty one is."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def pinned(text: str) -> Version | None:
    """The one version that a set of specifiers allows, if it names it: `==1.2.3`, `===1.2.3`."""
    match = re.fullmatch(r"\s*={2,3}\s*([^\s,*]+)\s*", text)
    return version(match[1]) if match else None


def version(text: str) -> Version | None:
    """A PEP 440 version, or None."""
    try:
        return Version(text)
    except InvalidVersion:
        return None


def allows(text: str, wanted: Version) -> bool:
    """Whether a set of specifiers allows a version; what is no set of specifiers allows all."""
    try:
        return SpecifierSet(text).contains(wanted, prereleases=True)
    except InvalidSpecifier:
        return True
