"""Whether the lists of dependencies, the models and the image agree."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.version import Version

from mldeploy.project.detect.dependencies.dependency import (
    LOCKS,
    Dependency,
    DependencyList,
    Origin,
    marker_applies,
    parse_version,
    target_environment,
)
from mldeploy.project.detect.dependencies.distributions import MISNAMED, NOT_ON_LINUX, with_dependencies
from mldeploy.project.detect.findings import Detected, Remark, Severity, Source
from mldeploy.project.detect.models.model_list import Model
from mldeploy.project.detect.tree import Tree

_BACKPORTS = frozenset({
    "typing", "dataclasses", "contextvars", "asyncio", "uuid", "pathlib", "argparse", "statistics",
    "importlib-metadata", "enum34", "secrets", "unittest", "ssl", "test", "token", "code", "profile", "parser",
})  # fmt: skip
_IMPORTANT = 3
_FREEZE = "Write a requirements.txt in its environment: `{} python -m pip freeze > requirements.txt`."
_UNREAD = {
    "pdm.lock": "Write a requirements.txt from it: `pdm export --prod -o requirements.txt`.",
    "pixi.toml": _FREEZE.format("pixi run"),
    "conda-lock.yml": _FREEZE.format("conda run"),
}
_SYSTEM = "If the app needs it, name the Debian package of the same library: `system_packages` in [build]."
_GPU = "Where there is a GPU, set `gpu = true` in [build]: PyTorch's own packages then bring it."


def check_list(listed: DependencyList, python: str) -> Iterator[Remark]:
    """What is wrong with the list that counts, by itself."""
    yield from listed.remarks
    yield from _check_pins(listed, python)
    yield from _check_duplicates(listed)
    yield from _check_names(listed, python)
    for name, source in listed.left_out:
        what = f"{name} is a package of conda alone: pip cannot install it, so it is left out"
        todo = _GPU if name.startswith(("cuda", "cudnn", "nccl", "pytorch-cuda")) else _SYSTEM
        yield Remark("conda-only", Severity.WARNING, source, what, todo)


def find_unread_locks(tree: Tree, chosen: DependencyList) -> Iterator[Remark]:
    """Locks of tools that no list is read from, where no other one pins the packages."""
    if chosen.origin in LOCKS or chosen.origin is Origin.REQUIREMENTS:
        return
    for name, todo in _UNREAD.items():
        if tree.get(name):
            what = "is not read: the versions that it pins are not those of the image"
            yield Remark("lock-unread", Severity.WARNING, Source(name), what, todo)


def compare_lists(chosen: DependencyList, others: Iterable[DependencyList]) -> Iterator[Remark]:
    """Where another list pins what the one that counts does not allow."""
    included = {each.source.path for each in (*chosen.dependencies, *chosen.constraints)}
    for other in others:
        for each in other.dependencies if other.path not in included else ():
            for mine in chosen.of(each.name):
                if _excludes(mine, each) or _excludes(each, mine):
                    yield _contradiction(mine, each)


def _excludes(one: Dependency, other: Dependency) -> bool:
    return other.pin is not None and not one.allows(other.pin)


def _contradiction(mine: Dependency, other: Dependency) -> Remark:
    what = f"asks for {mine.name}{mine.specifier}, but {other.source} asks for {other.name}{other.specifier}"
    todo = f"{mine.source.path} is what is installed; make the two say the same."
    return Remark("dependency-differs", Severity.WARNING, mine.source, what, todo)


def _check_pins(listed: DependencyList, python: str) -> Iterator[Remark]:
    if listed.origin in LOCKS or listed.origin is Origin.IMPORTS:
        return
    image = target_environment(python)
    loose = [
        each
        for each in listed.dependencies
        if not (each.url or each.line or each.specifier.startswith("==="))
        and each.name not in listed.versions
        and marker_applies(each.marker, image)
    ]
    if loose:
        names = ", ".join(f"{each.name}{each.specifier}" for each in loose[:_IMPORTANT])
        more = f" and {len(loose) - _IMPORTANT} more" if len(loose) > _IMPORTANT else ""
        what = f"does not pin {names}{more}: another day installs other versions"
        todo = "Write `NAME==VERSION`, or compile the list: `uv pip compile`, `pip freeze`."
        yield Remark("dependency-unpinned", Severity.WARNING, loose[0].source, what, todo)


def _check_duplicates(listed: DependencyList) -> Iterator[Remark]:
    """One distribution with two requirements that no version meets, as far as a pin shows it."""
    seen: dict[str, dict[tuple[str, str, str], Dependency]] = {}
    for each in (*listed.dependencies, *listed.constraints):
        forms = seen.setdefault(each.name, {})
        form = (each.specifier, each.url, each.line)
        if each.marker or form in forms or len(forms) == _MOST_FORMS:
            continue
        if other := next((known for known in forms.values() if _contradicts(each, known)), None):
            what = f"asks for {each.name}{each.specifier}, but {other.source} asks for {other.name}{other.specifier}"
            todo = "No version is both: keep one of the two lines."
            yield Remark("dependency-contradiction", Severity.ERROR, each.source, what, todo)
        forms[form] = each


_MOST_FORMS = 20
"""So many requirements of one distribution are compared, each with all others: thousands would take minutes."""


def _contradicts(one: Dependency, other: Dependency) -> bool:
    pin, required = (one.pin, other) if one.pin else (other.pin, one)
    return pin is not None and not required.allows(pin)


def _check_names(listed: DependencyList, python: str) -> Iterator[Remark]:
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


def list_model_versions(models: Iterable[Detected[Model]]) -> dict[str, str]:
    """The version of each library that made the models; of several models, that of the one that the source names."""
    ordered = sorted(models, key=lambda each: each.value.used)
    versions = ((name, parse_version(made_by)) for each in ordered for name, made_by in each.value.versions)
    return {name: known.public for name, known in versions if known}


def pin_to_models(listed: DependencyList, models: Iterable[Detected[Model]]) -> DependencyList:
    """The list with the version that made a model for each library that the list leaves open."""
    made_by = list_model_versions(models)

    def pin(each: Dependency) -> Dependency:
        known = parse_version(made_by.get(each.name, ""))
        is_open = known and not (each.pin or each.url or each.line or each.is_included or each.hashes or each.index)
        if known and is_open and each.name not in listed.versions and each.allows(known):
            return replace(each, specifier=f"=={known}")
        return each

    return replace(listed, dependencies=tuple(pin(each) for each in listed.dependencies))


def check_models(listed: DependencyList, models: Iterable[Detected[Model]]) -> Iterator[Remark]:
    """Whether the libraries that a model needs would be installed, at the versions that made it."""
    names = with_dependencies(listed.names)
    for detected in models:
        model = detected.value
        missing = [name for name in model.libraries if name not in names]
        is_whole = listed.origin is not Origin.IMPORTS and not listed.is_computed
        if missing and is_whole and (model.used or detected.certainty > 1):
            what = f"needs {', '.join(missing)}, which {listed.path} does not list"
            todo = f"Add {'it' if len(missing) == 1 else 'them'} to {listed.path}."
            yield Remark("model-library-missing", Severity.WARNING, detected.source, what, todo)
        for name, made_by in model.versions:
            known = parse_version(made_by)
            if known:
                yield from _check_model_version(listed, detected.source, name, known)


def _check_model_version(listed: DependencyList, source: Source, name: str, made_by: Version) -> Iterator[Remark]:
    """A remark unless what would be installed is what made the model."""
    entries = listed.of(name)
    pin = listed.versions.get(name)
    if pin and pin.release[:2] != made_by.release[:2]:
        at = next((each.source for each in entries if each.pin), source)
        what = f"was made by {name} {made_by}, but {at} installs {pin}: it may not load, or answer otherwise"
        todo = f"Write `{name}=={made_by}` in {listed.path or 'requirements.txt'}, or train the model again with {pin}."
        yield Remark("model-version", Severity.WARNING, source, what, todo)
    elif not pin and any(not each.allows(made_by) for each in entries):
        what = f"was made by {name} {made_by}, which {entries[0].source} does not allow ({entries[0].specifier})"
        yield Remark("model-version", Severity.WARNING, source, what, f"Write `{name}=={made_by}` there.")
    elif not pin and entries:
        what = f"was made by {name} {made_by}, but {entries[0].source} leaves the version open"
        yield Remark("model-version", Severity.WARNING, source, what, f"Write `{name}=={made_by}` there.")
