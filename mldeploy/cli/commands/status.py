"""`mldeploy status`, `mldeploy ps` and `mldeploy open`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mldeploy.cli import options
from mldeploy.cli.results import ENVIRONMENT
from mldeploy.cli.rollout.canary_documents import CanaryState
from mldeploy.cli.run import CommandRun
from mldeploy.core.redaction import redact
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import age, size

if TYPE_CHECKING:
    from mldeploy.core.verbs import StepView
    from mldeploy.providers.base import Instance, Release

STATE_STYLES = {
    "present": Style.GOOD,
    "differs": Style.WARN,
    "foreign": Style.WARN,
    "absent": Style.DIM,
    "open": Style.DIM,
    "unknown": Style.BAD,
}


@dataclass(frozen=True)
class ProbedDocument:
    """The state of one resource."""

    kind: Annotated[str, "kind of resource; stable"]
    name: Annotated[str, "name of the resource"]
    title: Annotated[str, "title on the terminal"]
    state: Annotated[str, "`present`, `differs`, `foreign`, `absent`, `open` (not known yet) or `unknown` (no answer)"]
    remarks: Annotated[tuple[str, ...], "differences, or why the state is unknown"]


@dataclass(frozen=True)
class StatusDocument(Document):
    """`status`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    url: Annotated[str | None, "URL of the app; null while it does not run"]
    since: Annotated[str | None, "start of the serving instance; ISO 8601, UTC"]
    steps: Annotated[tuple[ProbedDocument, ...], "dependencies first"]
    instances: Annotated[tuple[Instance, ...], "the serving one first"]
    models: Annotated[tuple[str, ...], "of an app without code: which path serves each model, and why"] = ()
    environment: Annotated[str | None, ENVIRONMENT] = None
    release: Annotated[Release | None, "serving release, with its git commit; null if none serves"] = None
    canary: Annotated[CanaryState | None, "the canary beside the serving version; null if there is none"] = None


@dataclass(frozen=True)
class InstancesDocument(Document):
    """`ps`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    instances: Annotated[tuple[Instance, ...], "the serving one first"]
    canary: Annotated[CanaryState | None, "the canary beside the serving version; null if there is none"] = None


@dataclass(frozen=True)
class OpenDocument(Document):
    """`open`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    url: Annotated[str, "URL of the app"]
    opened: Annotated[bool, "a browser was opened"]


def status(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Show what is deployed and its URL.

    Examples:
        mldeploy status
        mldeploy status --target fargate --json
    """
    from mldeploy.cli.app_routes import recall_latest_routes
    from mldeploy.cli.deployment_source import find_serving, with_sources
    from mldeploy.cli.open_deployment import prepare_deployment
    from mldeploy.cli.rollout.traffic import read_split
    from mldeploy.cli.workspace import show_walk
    from mldeploy.core import verbs
    from mldeploy.ui.output import ProgressDetail

    deployment = recall_latest_routes(prepare_deployment(run, target, verbose=False, may_build=False))
    with show_walk(run, ProgressDetail.PROBES) as (events, cancel):
        looks = verbs.look(deployment.last, deployment.cloud, cancel, events)
    service = deployment.service if deployment.goal else None
    url = service.url() if service else None
    instances = service.instances() if service else ()
    serving = find_serving(service) if service and url else None
    document = StatusDocument(
        app=deployment.app,
        target=deployment.target,
        url=url,
        since=next((instance.started for instance in instances if url), None),
        steps=tuple(map(_probed, looks)),
        instances=instances,
        models=tuple(f"{each.path}: {each.proof_summary}" for each in deployment.project.served if each.proof),
        environment=deployment.environment,
        release=with_sources(deployment, (serving,))[0] if serving else None,
        canary=CanaryState.of(read_split(deployment)),
    )
    run.output.result(document, lambda page: print_status(document, page, run.commands(target), deployment.verb))


def ps(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """List the instances of the app, running and stopped.

    Examples:
        mldeploy ps
        mldeploy ps --target kubernetes
    """
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.cli.rollout.traffic import read_split

    deployment = open_deployment(run, target, as_runtime)
    document = InstancesDocument(
        app=deployment.app,
        target=deployment.target,
        instances=deployment.service.instances(),
        canary=CanaryState.of(read_split(deployment)),
    )
    run.output.result(document, lambda page: _print_ps(document, page, run.commands(target)))


def open_url(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Print the URL of the app and open it in the browser, if there is one.

    Examples:
        mldeploy open
        mldeploy open --target fargate
    """
    import webbrowser

    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.config.access_keys import KEY

    deployment = open_deployment(run, target, as_runtime)
    url = deployment.require_url(run)
    if deployment.project.app.access == KEY:
        run.output.info(f"Its pages ask for an access key: `{run.commands(target)('keys show')}`.")
    opened = run.output.is_terminal and _has_display() and webbrowser.open(url)
    document = OpenDocument(app=deployment.app, target=deployment.target, url=url, opened=opened)
    run.output.result(document, lambda page: page.line(url))


def _has_display() -> bool:
    """Return whether a browser can open a window, rather than take over the terminal."""
    import os
    import sys

    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _probed(look: StepView[object]) -> ProbedDocument:
    resource = look.step.resource
    state, remarks = _state(look)
    return ProbedDocument(
        kind=resource.kind, name=resource.key.name, title=look.step.title, state=state, remarks=remarks
    )


def _state(look: StepView[object]) -> tuple[str, tuple[str, ...]]:
    if look.doubt is not None:
        return "unknown", (redact(str(look.doubt) or repr(look.doubt)),)
    if look.waits:
        return "open", ()
    if look.seen is None:
        return "absent", ()
    differs = (*look.seen.replace, *look.seen.drift)
    if differs and not look.seen.ours:
        return "foreign", (*differs, "not created by mldeploy")
    return "differs" if differs else "present", differs


def print_status(document: StatusDocument, page: Page, command: Callable[[str], str], verb: str) -> None:
    """Print the status. verb: the command for this target; a registry has an image, but runs no app."""
    from mldeploy.cli.deployment_source import format_source

    app = (document.app, Style.STRONG)
    if document.url:
        since = f"  started {age(document.since)}" if document.since else ""
        how = " does not answer at " if _is_silent(document) else " is running at "
        page.line(app, how, (document.url, Style.LINK), (since, Style.DIM))
    elif verb == "deploy":
        page.line(app, f" is not running on {document.target}. Run `{command('deploy')}` to start it.")
    else:
        page.line(app, f" on {document.target} (run `{command(verb)}` to push its image)")
    if document.environment:
        page.line("environment  ", document.environment)
    if document.release and (source := format_source(document.release)):
        page.line("source       ", source)
    if document.canary:
        _print_split(document.canary, page, command)
    page.line()
    width = max((len(step.state) for step in document.steps), default=0)
    for step in document.steps:
        state = (step.state.ljust(width), STATE_STYLES.get(step.state, Style.DIM))
        page.line("  ", state, f"  {step.title}", (f"  {step.name}", Style.DIM))
        for line in "\n".join(step.remarks).splitlines():
            page.line("  ", " " * width, (f"  {line}", Style.DIM))
    for line in document.models:
        page.line("  ", " " * width, (f"  {line}", Style.DIM))
    if document.instances:
        page.line()
        _print_instances(document.instances, page)


def _is_silent(document: StatusDocument) -> bool:
    """Whether the last step reported that the URL does not answer."""
    from mldeploy.providers.base import SILENT

    return bool(document.steps) and SILENT in document.steps[-1].remarks


def _print_ps(document: InstancesDocument, page: Page, command: Callable[[str], str]) -> None:
    if document.instances:
        _print_instances(document.instances, page)
        if document.canary:
            page.line()
            _print_split(document.canary, page, command)
    else:
        page.line(f"{document.app} has no instances on {document.target}. Run `{command('deploy')}`.")


def _print_split(canary: CanaryState, page: Page, command: Callable[[str], str]) -> None:
    page.line(
        ("canary", Style.WARN), f": {canary}. `{command('canary promote')}` or `{command('canary abort')}` ends it."
    )


def _print_instances(instances: Sequence[Instance], page: Page) -> None:
    rows = [
        (
            instance.name,
            instance.state + (f" ({instance.health})" if instance.health else ""),
            instance.url,
            age(instance.started) if instance.started else "",
            str(instance.restarts),
            size(instance.memory) if instance.memory else "",
            instance.image,
        )
        for instance in instances
    ]
    page.table(("NAME", "STATE", "URL", "STARTED", "RESTARTS", "MEMORY", "IMAGE"), rows)
