"""The distributions that are installed where the app was developed: which import is whose, at which version."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from mldeploy.project.detect.specifiers import version


@dataclass(frozen=True)
class Environment:
    """Site folders, in the order in which Python searches them. They are only read."""

    paths: tuple[str, ...]

    @classmethod
    def running(cls) -> Environment:
        """The environment in which this runs."""
        return cls(tuple(path for path in sys.path if path))

    @classmethod
    def inside(cls, root: Path, names: Iterable[str]) -> Environment | None:
        """The first virtual environment among the folder's own, if it has one."""
        for name in names:
            sites = [*root.glob(f"{name}/lib/python3*/site-packages"), *root.glob(f"{name}/Lib/site-packages")]
            if sites:
                return cls(tuple(str(site) for site in sorted(sites)))
        return None

    @cached_property
    def versions(self) -> Mapping[str, Version]:
        """The version of each distribution, by its normalized name."""
        return {name: known for name, each in self._distributions.items() if (known := version(each.version))}

    @cached_property
    def providers(self) -> Mapping[str, tuple[str, ...]]:
        """The distributions that provide each top-level import."""
        found: dict[str, list[str]] = {}
        for name, each in self._distributions.items():
            for module in _top_level(each):
                found.setdefault(module, []).append(name)
        return {module: tuple(sorted(names)) for module, names in found.items()}

    @cached_property
    def _distributions(self) -> dict[str, Distribution]:
        found: dict[str, Distribution] = {}
        for each in distributions(path=list(self.paths)):
            name = each.metadata["Name"] if each.metadata else None
            if name:
                found.setdefault(canonicalize_name(name), each)
        return found


def _top_level(distribution: Distribution) -> set[str]:
    """As `importlib.metadata.packages_distributions`, which can only look at the interpreter's own search path."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    files = () if declared else distribution.files or ()
    names = {
        file.parts[0].partition(".")[0]
        for file in files
        if file.suffix in {".py", ".so", ".pyd"} or len(file.parts) > 1
    }
    return set(declared) or {name for name in names if name.isidentifier()}
