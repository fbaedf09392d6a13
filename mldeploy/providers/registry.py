"""Finding a provider by the name that stands after `--target`, and what its package declares of the target.

Every target is an entry point of the group `mldeploy.providers`: ours in the metadata of mldeploy's own distribution,
which is read first and alone where that is enough, since reading that of every installed distribution takes longer than
a command with nothing to do.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points
from pkgutil import resolve_name
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, TypeAlias

from mldeploy import __version__
from mldeploy.providers.declaration import TargetDeclaration
from mldeploy.providers.errors import PluginError, UnknownTargetError

if TYPE_CHECKING:
    from mldeploy.providers.base import Provider  # a shell's completion lists the targets: it loads no engine

GROUP = "mldeploy.providers"
OURS = "mldeploy"
"""The distribution with the built-in targets."""
FIRST = "local"
"""The default target, which lists name first."""

AnyProvider: TypeAlias = "Provider[Any, Any]"
"""A provider chosen at run time. Its cloud and settings fit each other, and nobody else may look into them."""

_MEMBERS = ("name", "settings", "kinds", "connect", "place", "inventory")


def names() -> tuple[str, ...]:
    """Every known target, the built-in ones first."""
    return tuple(dict.fromkeys((*built_in(), *sorted(each.name for each in entry_points(group=GROUP)))))


def built_in() -> tuple[str, ...]:
    """The targets of mldeploy itself."""
    return tuple(sorted((each.name for each in _own_entries()), key=lambda name: (name != FIRST, name)))


def find(name: str) -> AnyProvider:
    """The provider of a target. Imports its SDK.

    Raises UnknownTargetError with the known names, PluginError if a provider or its SDK cannot be used.
    """
    entry = _find_entry(name)
    _require_extra(entry)
    return _load_own(entry) if _is_own(entry) else _load_plugin(entry)


def declaration(name: str) -> TargetDeclaration:
    """What the target's package declares of it. Imports no SDK. Raises UnknownTargetError, PluginError."""
    return _read_declaration(_find_entry(name))


def usable_declarations() -> Iterator[TargetDeclaration]:
    """The declarations of all targets, without those of packages that cannot be used."""
    for name in names():
        with suppress(PluginError):
            yield declaration(name)


def unusable(name: str, what: str) -> PluginError:
    """The error for a provider's package that does not keep to the interface."""
    return _unusable(_find_entry(name), what)


def requirement(name: str) -> tuple[str, str]:
    """The requirements, with versions, that install mldeploy and the target's provider; the second one may be "".

    Raises UnknownTargetError, PluginError.
    """
    entry = _find_entry(name)
    mine = f"{OURS}=={__version__}"
    if not _is_own(entry):
        return mine, f"{_with_extra(entry)}=={entry.dist.version}" if entry.dist else ""
    return f"{_with_extra(entry)}=={__version__}", ""


def load_declared(name: str, path: str) -> object:
    """Import what a target's declaration names by a path.

    A package that is not installed raises ModuleNotFoundError for a built-in target; anything else that keeps another
    package's object from being used raises PluginError.
    """
    entry = _find_entry(name)
    try:
        return resolve_name(path)
    except Exception as error:
        if _is_own(entry):
            raise
        raise _unusable(entry, f"{path} cannot be loaded ({_reason(error)})") from error


@functools.cache
def _own_entries() -> tuple[EntryPoint, ...]:
    try:
        return tuple(distribution(OURS).entry_points.select(group=GROUP))
    except PackageNotFoundError:
        return ()


def _is_own(entry: EntryPoint) -> bool:
    return entry in _own_entries()


def _find_entry(name: str) -> EntryPoint:
    for each in _own_entries():
        if each.name == name:
            return each
    for each in entry_points(group=GROUP, name=name):
        return each
    known = names()
    nearest = difflib.get_close_matches(name, known, n=1)
    what = f"unknown target {name!r}" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    raise UnknownTargetError("--target", what, f"Known targets: {', '.join(known)}.")


# the declaration ------------------------------------------------------------------------------------------------------


def _read_declaration(entry: EntryPoint) -> TargetDeclaration:
    """The one in the package that holds the provider's module, or in one further out; a bare one if there is none."""
    for package in _packages(entry):
        try:
            module = import_module(package)
        except Exception as error:
            if _is_own(entry):
                raise
            raise _not_loaded(entry, error) from error
        targets = getattr(module, "TARGETS", ())  # which an unrelated package may have for something else
        for each in targets if isinstance(targets, tuple | list) else ():
            if isinstance(each, TargetDeclaration) and each.name == entry.name:
                return each
    return TargetDeclaration(entry.name)


def _packages(entry: EntryPoint) -> Iterator[str]:
    """The packages that hold the provider's module, the innermost first; the module itself if none does."""
    package = entry.module.rpartition(".")[0] or entry.module
    while package:
        yield package
        package = package.rpartition(".")[0]


# the provider ---------------------------------------------------------------------------------------------------------


def _require_extra(entry: EntryPoint) -> None:
    """Import the provider's module. Raises PluginError with the command that installs what is missing."""
    declared = _read_declaration(entry)
    if not declared.extra:
        return
    try:
        import_module(entry.module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == entry.module.partition(".")[0]:
            return  # a defect of its package: the same error follows
        raise _missing_package(entry, missing) from error
    except Exception:  # noqa: BLE001 - the same error follows where the provider is loaded
        return


def explain_missing_package(error: ModuleNotFoundError) -> PluginError | None:
    """Return the error that names the extra to install, if the package of a target tried to import what is missing.

    Only for targets of other packages: a provider may import its SDK when it first needs it.
    """
    importing = {str(frame.f_globals.get("__name__")).partition(".")[0] for frame, _ in walk_tb(error.__traceback__)}
    for entry in entry_points(group=GROUP):
        package = entry.module.partition(".")[0]
        if package in importing and package not in (OURS, (error.name or "").partition(".")[0]):
            with suppress(PluginError):
                return _missing_package(entry, error.name or "") if _read_declaration(entry).extra else None
    return None


def _missing_package(entry: EntryPoint, package: str) -> PluginError:
    what = f"the packages for this target are not installed ({package} is missing)"
    return PluginError(f"target {entry.name}", what, f"Run `pip install '{_with_extra(entry)}'`.")


def _load_own(entry: EntryPoint) -> AnyProvider:
    provider: AnyProvider = entry.load()
    return provider


def _load_plugin(entry: EntryPoint) -> AnyProvider:
    from mldeploy.providers.capabilities import Registry, Runtime  # noqa: PLC0415 - as above

    try:
        provider: AnyProvider = entry.load()
    except Exception as error:
        raise _not_loaded(entry, error) from error
    lacks = next((member for member in _MEMBERS if not hasattr(provider, member)), "")
    if not lacks and not isinstance(provider, Registry | Runtime):
        lacks = "goal and service, nor login and push"
    if lacks:
        what = f"{entry.value} of the package {_package(entry)} is not a provider: it has no {lacks}"
        raise _unusable(entry, what)
    return provider


def _not_loaded(entry: EntryPoint, error: Exception) -> PluginError:
    return _unusable(entry, f"its package {_package(entry)} cannot be loaded ({_reason(error)})")


def _unusable(entry: EntryPoint, what: str) -> PluginError:
    return PluginError(f"target {entry.name}", what, f"Update or uninstall the package {_package(entry)}.")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.module


def _with_extra(entry: EntryPoint) -> str:
    """The distribution of the provider with its extra: `mldeploy[aws]`."""
    extra = _read_declaration(entry).extra
    return f"{OURS if _is_own(entry) else _package(entry)}{extra and f'[{extra}]'}"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
