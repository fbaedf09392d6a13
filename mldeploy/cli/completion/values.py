"""The values that a shell completes after an option, from what is known on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import typer

from mldeploy.cli.options import DEFAULT_TARGET
from mldeploy.providers import registry
from mldeploy.providers.completion import CompletedOption, CompletionRequest, CompletionSource, CompletionValue

BUILDERS = (
    CompletionValue("auto", "BuildKit where it is installed"),
    CompletionValue("buildkit", "docker buildx"),
    CompletionValue("classic", "the builder of the Docker Engine"),
)


def list_values(kind: str, context: typer.Context, typed: str) -> list[tuple[str, str]]:
    """Return the values of a parameter that begin with `typed`, with a description each. kind: a key of VALUES.

    Sends nothing to a cloud. A source that fails has no values.
    """
    return [(each.value, each.help) for each in VALUES[kind](context) if each.value.startswith(typed)]


def _targets(_context: typer.Context) -> Iterable[CompletionValue]:
    return [CompletionValue(name) for name in registry.names()]


def _builders(_context: typer.Context) -> Iterable[CompletionValue]:
    return BUILDERS


def _account_values(option: CompletedOption) -> Callable[[typer.Context], Iterable[CompletionValue]]:
    """Values for the account options. Without `--target`, of all targets: it may follow."""

    def values(context: typer.Context) -> Iterator[CompletionValue]:
        given = _given_target(context)
        for target in (given,) if given else registry.names():
            if target != DEFAULT_TARGET:  # it has none of them, and needs an engine
                yield from _ask_target(CompletionRequest(option, target))

    return values


def _apps(context: typer.Context) -> Iterator[CompletionValue]:
    target = _given_target(context) or DEFAULT_TARGET
    if context.params.get("rehearse"):  # the journals of a simulator are its own
        return
    with suppress(Exception):
        yield from _recorded_apps(target)
    yield from _ask_target(CompletionRequest(CompletedOption.APP, target))


def _recorded_apps(target: str) -> Iterator[CompletionValue]:
    """Yield the apps with a journal for the target, and where they come from."""
    from mldeploy.config.paths import state_folder  # noqa: PLC0415 - not for every option
    from mldeploy.core.origin import NO_FOLDER, read_origin  # noqa: PLC0415

    state = state_folder()
    for folder in sorted({each.parent for each in state.glob("*/*.journal") if _target_of(each) == target}):
        app = unquote(folder.name)
        origin = read_origin(state, app)
        yield CompletionValue(app, "" if origin is None or origin.folder == NO_FOLDER else str(origin))


def _target_of(journal: Path) -> str:
    return unquote(journal.stem.partition("@")[0])


def _instances(context: typer.Context) -> Iterable[CompletionValue]:
    target = _given_target(context) or DEFAULT_TARGET
    return _ask_target(CompletionRequest(CompletedOption.INSTANCE, target, _app_name(context)))


def _releases(context: typer.Context) -> Iterator[CompletionValue]:
    from mldeploy.config.seen_releases import recorded_releases  # noqa: PLC0415 - not for every option

    target, app = _given_target(context) or DEFAULT_TARGET, _app_name(context)
    if not app or context.params.get("rehearse"):
        return
    if target != DEFAULT_TARGET:
        yield from (CompletionValue(each) for each in recorded_releases(app, target))
    yield from _ask_target(CompletionRequest(CompletedOption.RELEASE, target, app))


def _environments(context: typer.Context) -> Iterator[CompletionValue]:
    """Yield the environments in the configuration of the folder."""
    from mldeploy.config.load import list_environments  # noqa: PLC0415 - not for every option

    with suppress(Exception):
        yield from (CompletionValue(name) for name in list_environments(_given_folder(context)))


VALUES: Mapping[str, Callable[[typer.Context], Iterable[CompletionValue]]] = {
    "--target": _targets,
    "--builder": _builders,
    "--env": _environments,
    CompletedOption.APP: _apps,
    CompletedOption.INSTANCE: _instances,
    CompletedOption.RELEASE: _releases,
    **{
        each: _account_values(each)
        for each in (CompletedOption.CONTEXT, CompletedOption.PROFILE, CompletedOption.REGION)
    },
}


def _ask_target(request: CompletionRequest) -> list[CompletionValue]:
    """Return what the target's own source knows; nothing if it cannot be loaded or fails."""
    with suppress(Exception):
        if path := registry.declaration(request.target).completion:
            source = cast("CompletionSource", registry.load_declared(request.target, path))
            return [CompletionValue(*each) for each in source(request)]
    return []


def _given_target(context: typer.Context) -> str:
    source = context.get_parameter_source("target")
    return str(context.params["target"]) if source is not None and source.name == "COMMANDLINE" else ""


def _app_name(context: typer.Context) -> str:
    """Return the name of the app in the folder; "" without one. A repository is not cloned for a completion."""
    from mldeploy.config.environments import environment_override  # noqa: PLC0415 - not for every option
    from mldeploy.config.load import load  # noqa: PLC0415

    with suppress(Exception):
        return load(_given_folder(context), environment_override(_given(context, "environment") or None)).app.name
    return ""


def _given_folder(context: typer.Context) -> Path:
    return Path(_given(context, "folder")).expanduser()


def _given(context: typer.Context, name: str) -> str:
    """Return the value of a shared option, which may stand before the command's name; "" if it is not given."""
    contexts = (context, context.parent)
    return next((str(each.params[name]) for each in contexts if each and each.params.get(name)), "")
