"""The apps on the targets, as their platforms list them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mldeploy.cli.commands.apps import AppDocument
from mldeploy.cli.deployment import as_runtime
from mldeploy.cli.deployment_source import find_serving
from mldeploy.cli.log import listen
from mldeploy.cli.run import CommandRun
from mldeploy.config import load as config
from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.environments import split_environment_key
from mldeploy.config.paths import state_folder
from mldeploy.core.errors import MldeployError
from mldeploy.core.redaction import redact
from mldeploy.providers import registry
from mldeploy.providers.capabilities import HasCosts, ListedApp, ListsApps, Registry, Runtime
from mldeploy.providers.errors import AbsentError, WrongTargetError

if TYPE_CHECKING:
    from mldeploy.providers.registry import AnyProvider

ANYBODY = "mldeploy"
"""The name of the app for which a provider is connected to list all."""


@dataclass(frozen=True)
class TargetApps:
    """The apps on one target. problem: why it could not be listed; empty if it was."""

    target: str
    apps: tuple[AppDocument, ...] = ()
    problem: str = ""


def list_all_targets(run: CommandRun) -> tuple[TargetApps, ...]:
    """Return the apps on every target that runs apps. A target that cannot be listed has a problem instead."""
    listen(verbose=run.output.mode.verbose)
    with ThreadPoolExecutor(thread_name_prefix="apps") as pool:
        listed = pool.map(lambda name: _list_or_explain(run, name), registry.names())
        return tuple(each for each in listed if each is not None)


def list_target(run: CommandRun, target: str) -> TargetApps:
    """Return the apps on one target. Raises WrongTargetError for one that lists none, and what connecting raises."""
    listen(verbose=run.output.mode.verbose)
    provider = registry.find(target)
    if not isinstance(provider, ListsApps):
        does = "keeps images and runs no apps" if not isinstance(provider, Runtime) else "cannot list its apps"
        raise WrongTargetError(f"target {target}", does, "Choose another target, or leave --target out.")
    endpoints = PUBLIC
    if run.rehearse:
        from mldeploy.cli.stand_ins import start_for_target  # noqa: PLC0415 - only with `--rehearse`

        endpoints = start_for_target(target, state_folder()).endpoints
    settings = config.target_settings(run.folder, target, provider.settings, run.account(target))
    cloud = provider.connect(config.named(ANYBODY, "--app"), settings, endpoints)
    listed = sorted(provider.apps(cloud, settings), key=lambda each: each.name)
    return TargetApps(target, tuple(_describe(provider, each, endpoints) for each in listed))


def _list_or_explain(run: CommandRun, target: str) -> TargetApps | None:
    """Return None for a target that runs no apps."""
    try:
        return list_target(run, target)
    except WrongTargetError as error:
        is_registry = isinstance(registry.find(target), Registry) and not isinstance(registry.find(target), Runtime)
        return None if is_registry else TargetApps(target, problem=_in_a_line(error))
    except MldeployError as error:
        return TargetApps(target, problem=_in_a_line(error))
    except Exception as error:  # noqa: BLE001 - an SDK of one target must not fail the others
        return TargetApps(target, problem=redact(f"{type(error).__name__}: {error}".partition("\n")[0]))


def _describe(provider: AnyProvider, listed: ListedApp[Any], endpoints: Endpoints) -> AppDocument:
    split = split_environment_key(listed.name)
    bare = AppDocument(app=listed.name, target=provider.name, environment=split[1] if split else None)
    try:
        return _read(provider, listed, endpoints, bare)
    except AbsentError:  # it was removed meanwhile
        return bare
    except MldeployError as error:
        return replace(bare, problem=_in_a_line(error))


def _read(provider: AnyProvider, listed: ListedApp[Any], endpoints: Endpoints, bare: AppDocument) -> AppDocument:
    project = config.named(listed.name, "--app")
    cloud = provider.connect(project, listed.settings, endpoints)
    service = as_runtime(provider).service(cloud, project, listed.settings)
    release = find_serving(service)
    app = replace(bare, url=service.url())
    if listed.is_sized and isinstance(provider, HasCosts):
        estimate = provider.costs(cloud, project, listed.settings)
        is_known = any(item.monthly is not None for item in estimate.items)
        app = replace(app, monthly=round(estimate.known, 2) if is_known else None)
    if release is None:
        return app
    return replace(app, revision=release.revision, image=release.image, deployed=release.created or None)


def _in_a_line(error: MldeployError) -> str:
    return redact(f"{error.where}: {error.what}".partition("\n")[0])
