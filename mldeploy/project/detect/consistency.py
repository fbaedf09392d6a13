"""Whether the lists of dependencies, the models and the image agree."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from packaging.version import Version

from mldeploy.project.detect.dependency import LOCKS, Dependency, Listing, Origin, applies, target_environment
from mldeploy.project.detect.distributions import MISNAMED, NOT_ON_LINUX, closed
from mldeploy.project.detect.findings import Found, Remark, Severity, Source
from mldeploy.project.detect.models import Model
from mldeploy.project.detect.specifiers import version

_BACKPORTS = frozenset({
    "typing", "dataclasses", "contextvars", "asyncio", "uuid", "pathlib", "argparse", "statistics",
    "importlib-metadata", "enum34", "secrets", "unittest", "ssl", "test", "token", "code", "profile", "parser",
})  # fmt: skip
_IMPORTANT = 3
_SYSTEM = "If the app needs it, name the Debian package of the same library: `system_packages` in [build]."
_GPU = "Where there is a GPU, set `gpu = true` in [build]: PyTorch's own packages then bring it."


def of_listing(listed: Listing, python: str) -> Iterator[Remark]:
    """What is wrong with the list that counts, by itself."""
    yield from listed.remarks
    yield from _unpinned(listed, python)
    yield from _twice(listed)
    yield from _wrong_names(listed, python)
    for name, source in listed.left_out:
        what = f"{name} is a package of conda alone: pip cannot install it, so it is left out"
        todo = _GPU if name.startswith(("cuda", "cudnn", "nccl", "pytorch-cuda")) else _SYSTEM
        yield Remark("conda-only", Severity.WARNING, source, what, todo)


def between(chosen: Listing, others: Iterable[Listing]) -> Iterator[Remark]:
    """Where another list pins what the one that counts does not allow."""
    for other in others:
        for each in other.dependencies:
            for mine in chosen.of(each.name):
                if _excludes(mine, each) or _excludes(each, mine):
                    yield _contradiction(mine, each)


def _excludes(one: Dependency, other: Dependency) -> bool:
    return other.pin is not None and not one.allows(other.pin)


def _contradiction(mine: Dependency, other: Dependency) -> Remark:
    what = f"asks for {mine.name}{mine.specifier}, but {other.source} asks for {other.name}{other.specifier}"
    todo = f"{mine.source.path} is what is installed; make the two say the same."
    return Remark("dependency-differs", Severity.WARNING, mine.source, what, todo)


def _unpinned(listed: Listing, python: str) -> Iterator[Remark]:
    if listed.origin in LOCKS or listed.origin is Origin.IMPORTS:
        return
    image = target_environment(python)
    loose = [
        each
        for each in listed.dependencies
        if not each.url and each.name not in listed.versions and applies(each.marker, image)
    ]
    if loose:
        names = ", ".join(f"{each.name}{each.specifier}" for each in loose[:_IMPORTANT])
        more = f" and {len(loose) - _IMPORTANT} more" if len(loose) > _IMPORTANT else ""
        what = f"does not pin {names}{more}: another day installs other versions"
        todo = "Write `NAME==VERSION`, or compile the list: `uv pip compile`, `pip freeze`."
        yield Remark("dependency-unpinned", Severity.WARNING, loose[0].source, what, todo)


def _twice(listed: Listing) -> Iterator[Remark]:
    """One distribution with two requirements that no version meets, as far as a pin shows it."""
    seen: dict[str, list[Dependency]] = {}
    for each in (*listed.dependencies, *listed.constraints):
        for other in seen.setdefault(each.name, []):
            pin, wanted = (each.pin, other) if each.pin else (other.pin, each)
            if pin and not each.marker and not other.marker and not wanted.allows(pin):
                what = (
                    f"asks for {each.name}{each.specifier}, but {other.source} asks for {other.name}{other.specifier}"
                )
                todo = "No version is both: keep one of the two lines."
                yield Remark("dependency-contradiction", Severity.ERROR, each.source, what, todo)
        seen[each.name].append(each)


def _wrong_names(listed: Listing, python: str) -> Iterator[Remark]:
    for each in listed.dependencies:
        if each.name in NOT_ON_LINUX and not each.marker:
            what = f"asks for {each.name}, which exists only for Windows or macOS, while the image is Linux"
            yield Remark("requirement-platform", Severity.ERROR, each.source, what, "Remove the line.")
        elif each.name in MISNAMED:
            what = f"asks for {each.name}, which is not the package's name"
            yield Remark("requirement-name", Severity.ERROR, each.source, what, f"Write {MISNAMED[each.name]}.")
        elif each.name in sys.stdlib_module_names and each.name not in _BACKPORTS:
            what = f"asks for {each.name}, which is part of Python {python}"
            yield Remark("requirement-name", Severity.ERROR, each.source, what, "Remove the line.")


def of_models(listed: Listing, models: Iterable[Found[Model]]) -> Iterator[Remark]:
    """Whether the libraries that a model needs would be installed, at the versions that made it."""
    names = closed(listed.names)
    for found in models:
        model = found.value
        missing = [name for name in model.libraries if name not in names]
        if missing and listed.origin is not Origin.IMPORTS and (model.used or found.certainty > 1):
            what = f"needs {', '.join(missing)}, which {listed.path} does not list"
            todo = f"Add {'it' if len(missing) == 1 else 'them'} to {listed.path}."
            yield Remark("model-library-missing", Severity.WARNING, found.source, what, todo)
        for name, made_by in model.versions:
            known = version(made_by)
            if known:
                yield from _made_by(listed, found.source, name, known)


def _made_by(listed: Listing, source: Source, name: str, made_by: Version) -> Iterator[Remark]:
    """A remark unless what would be installed is what made the model."""
    said = listed.of(name)
    pin = listed.versions.get(name)
    if pin and pin.release[:2] != made_by.release[:2]:
        at = next((each.source for each in said if each.pin), source)
        what = f"was made by {name} {made_by}, but {at} installs {pin}: it may not load, or answer otherwise"
        todo = f"Write `{name}=={made_by}` in {listed.path or 'requirements.txt'}, or train the model again with {pin}."
        yield Remark("model-version", Severity.WARNING, source, what, todo)
    elif not pin and any(not each.allows(made_by) for each in said):
        what = f"was made by {name} {made_by}, which {said[0].source} does not allow ({said[0].specifier})"
        yield Remark("model-version", Severity.WARNING, source, what, f"Write `{name}=={made_by}` there.")
    elif not pin and said:
        what = f"was made by {name} {made_by}, but {said[0].source} installs whatever is newest"
        yield Remark("model-version", Severity.WARNING, source, what, f"Write `{name}=={made_by}` there.")
