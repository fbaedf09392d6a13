"""Pins that cannot be installed, or that cannot load the model: what a build or a start would stop at.

The tables below hold what the index has at the time of writing. They are asked instead of the index, since `init` works
without a network; a package that is not in them is left to the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mldeploy.project.detect.dependencies.dependency import (
    Dependency,
    DependencyList,
    marker_applies,
    specifier_allows,
    target_environment,
)
from mldeploy.project.detect.dependencies.distributions import LIMITS
from mldeploy.project.detect.dependencies.wheels import find_python, has_wheel
from mldeploy.project.detect.findings import Detected, Remark, Severity, Source
from mldeploy.project.detect.models.model_list import Model

_TORCH: Final = frozenset({"torch", "torchvision", "torchaudio"})
_LOCAL: Final = re.compile(r"={2,3}\s*[\w.]+\+(?P<build>cu\d+|cpu|rocm[\d.]+|xpu)")


def check_pins(
    listed: DependencyList, models: Iterable[Detected[Model]], python: str, imports: Mapping[str, Source]
) -> Iterator[Remark]:
    """Yield a remark for each pin that the image's Python, the index, a model or an import of the app contradicts.

    python: the feature release of the image, "" if it is not known.
    """
    image = target_environment(python or "3")
    here = [each for each in listed.dependencies if marker_applies(each.marker, image)]
    made_by = {name: version for each in models for name, version in each.value.versions}
    for each in here:
        yield from _check_wheel(each, python, made_by.get(each.name, ""))
        yield from _check_build(each, listed)
    for detected in models:
        yield from _check_modules(detected, here, listed)
    yield from _check_limits(here, imports)


def _check_wheel(each: Dependency, python: str, made_by: str) -> Iterator[Remark]:
    pin = each.pin
    if pin is None or each.url or each.line or has_wheel(each.name, pin, python):
        return
    other = find_python(each.name, pin)
    what = f"pins {each.name}=={pin}, which has no wheel for Python {python}: the build would have to compile it"
    ways = ["Pin a version that has one" + (", and train the model again with it" if made_by else "")]
    if other:
        ways.append(f'choose an image with Python {other}: `base_image = "python:{other}-slim-bookworm"` in [build]')
    yield Remark("pin-without-wheel", Severity.ERROR, each.source, what, "; or ".join(ways) + ".")


def _check_build(each: Dependency, listed: DependencyList) -> Iterator[Remark]:
    """`torch==2.3.0+cu121` is in PyTorch's own index alone."""
    match = _LOCAL.search(each.specifier)
    if match is None or each.name not in _TORCH or each.index or listed.has_index:
        return
    build = match["build"]
    plain = re.sub(r"\+.*", "", each.specifier)
    what = f"asks for {each.name}{each.specifier}, which the default index does not have, and names no other index"
    todo = f"Write `{each.name}{plain}` (the image gets the build for the processor)"
    if build != "cpu":
        todo += ", with `gpu = true` in [build] for a GPU"
    yield Remark("pin-without-index", Severity.ERROR, each.source, what, f"{todo}; or add PyTorch's index for {build}.")


def _check_modules(detected: Detected[Model], here: list[Dependency], listed: DependencyList) -> Iterator[Remark]:
    """What a pickle imports is not in the version that would be installed."""
    for needed in detected.value.modules:
        for each in here:
            pin = each.pin or listed.versions.get(each.name)
            if each.name != needed.distribution or pin is None or specifier_allows(needed.specifier, pin):
                continue
            is_newer = pin < min(Version(part.version) for part in SpecifierSet(needed.specifier))
            age = "a newer" if is_newer and not needed.specifier.startswith("<") else "an older"
            what = (
                f"imports {needed.module}, which {each.name} {pin} ({each.source}) does not have: "
                f"it was saved with {age} version, and does not load"
            )
            todo = f"Write `{each.name}{needed.specifier}` there, or save the model again with {each.name} {pin}."
            yield Remark("model-version", Severity.ERROR, detected.source, what, todo)


def _check_limits(here: list[Dependency], imports: Mapping[str, Source]) -> Iterator[Remark]:
    """An import that the newest version of its distribution has no more."""
    for module, (name, limit) in LIMITS.items():
        for each in here if module in imports else ():
            if each.name == name and (each.pin is None or not specifier_allows(limit, each.pin)):
                if each.pin is None and "<" in each.specifier:
                    continue
                what = f"asks for {name}{each.specifier}, but {imports[module]} imports {module}, which it has no more"
                severity = Severity.WARNING if each.pin is None else Severity.ERROR
                yield Remark("import-removed", severity, each.source, what, f"Write `{name}{limit}`.")
