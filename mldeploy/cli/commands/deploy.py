"""`mldeploy deploy` and `mldeploy run-local`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.results import ASSUMED, ENVIRONMENT, STEPS, AssumedDocument, StepDocument, list_layers, step_documents
from mldeploy.cli.rollout.canary_documents import AgreementDocument, CanaryState, print_worst
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import size

if TYPE_CHECKING:
    from collections.abc import Callable

    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.cli.rollout.canary_placement import PlacedCanary
    from mldeploy.config.override import Overrides
    from mldeploy.core.monitor import Cancel
    from mldeploy.core.verbs import Deployed, DeploymentFailedError, Done
    from mldeploy.image.promotion import ImageSource
    from mldeploy.image.types import Image
    from mldeploy.providers.base import Address
    from mldeploy.providers.errors import PortTakenError

LISTED_LAYERS = 4
"""`build` lists all layers."""


@dataclass(frozen=True)
class DeployDocument(Document):
    """`deploy` and `run-local`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    url: Annotated[str, "URL of the app"]
    image: Annotated[Image, "deployed image"]
    steps: Annotated[tuple[StepDocument, ...], STEPS]
    remarks: Annotated[tuple[str, ...], "notes on the deployment"]
    gap_seconds: Annotated[float | None, "downtime during the switch in seconds; null if nothing changed"]
    assumed: Annotated[tuple[AssumedDocument, ...], ASSUMED] = ()
    environment: Annotated[str | None, ENVIRONMENT] = None
    canary: Annotated[CanaryState | None, "the canary that stands beside the serving version; null if none does"] = None
    agreement: Annotated[AgreementDocument | None, "of both versions; null without a canary or a sample"] = None


@dataclass(frozen=True)
class DeployChoices:
    """The flags of `deploy` that override no setting.

    check: before a push. canary: percent of the requests. confirmed: the name of a protected environment. image: a
    folder with an image that is not built here.
    """

    replace: bool = False
    check: bool = True
    canary: int | None = None
    sample: str | None = None
    confirmed: str | None = None
    image: Path | None = None


def run_local(
    run: CommandRun,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    replace: options.Replace = False,
    confirm: options.Confirm = None,
) -> None:
    """Run the app on this machine. Same as `deploy --target local`.

    Examples:
        mldeploy run-local
        mldeploy run-local --port 8000
    """
    deploy(run, options.DEFAULT_TARGET, port, host, platform, base_image, replace, confirm=confirm)


def deploy(  # noqa: PLR0913, PLR0917 - one parameter per option
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    replace: options.Replace = False,
    no_rollback: options.NoRollback = False,
    registry_auth: options.RegistryAuth = None,
    no_check: options.NoCheck = False,
    confirm: options.Confirm = None,
    canary: Annotated[
        int | None,
        typer.Option(
            "--canary",
            metavar="PERCENT",
            min=1,
            max=99,
            help="Start the new version beside the serving one and give it this share of the requests.",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="FILE",
            help="With a canary: CSV file of rows for which both versions must agree. "
            "Default: the sample of the model, or the golden row.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            "--image",
            metavar="DIR",
            help="Deploy the image that `build --save DIR` wrote. Nothing is built or started on this machine.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Build and check the image, deploy it to the target and print the URL.

    Run it again to resume an interrupted deployment or to deploy a change. Resources that are up to date are not
    changed.

    The image is checked as by `mldeploy build` before it is pushed, while the target's resources are created. An image
    that has passed its check is not checked again.

    A new version gets traffic only after it is healthy and returns the golden row's answer. Otherwise the old version
    is kept or restored.

    `--canary 10` starts the new version beside the serving one, compares the answers of both, and gives it 10 % of the
    requests. `mldeploy canary promote` gives it the rest, `mldeploy canary abort` removes it. With
    `strategy = "canary"` in [rollout], `deploy` goes through the steps by itself.

    `--image DIR` deploys an image that another machine built and checked with `mldeploy build --save DIR`: a CI job can
    hold credentials and run nothing of the app.

    Examples:
        mldeploy deploy
        mldeploy deploy --canary 10
        mldeploy deploy --target fargate --region eu-central-1
        mldeploy deploy --target fargate --rehearse
    """
    settings = options.overrides(target, port, host, platform, base_image)
    rollback = options.given((f"target.{target}.rollback", False if no_rollback else None, "--no-rollback"))
    overrides = (*settings, *rollback, *options.registry_auth(target, registry_auth))
    _deploy(run, target, overrides, DeployChoices(replace, not no_check, canary, sample, confirm, image))


def _deploy(run: CommandRun, target: str, overrides: Overrides, choices: DeployChoices) -> None:
    """Deploy. If the port is taken, ask for another one, before anything is built, and go on with that."""
    from mldeploy.cli.deployment_source import record_source
    from mldeploy.cli.example_request import suggest_request
    from mldeploy.cli.open_deployment import keep_chosen_port
    from mldeploy.cli.workspace import exit_if_interrupted
    from mldeploy.config.override import Override
    from mldeploy.core.verbs import DeploymentFailedError
    from mldeploy.providers.errors import PortTakenError

    try:
        deployment, document, cancel = _walk(run, target, overrides, choices)
    except (DeploymentFailedError, PortTakenError) as error:
        port = _ask_for_other_port(run, error)
        if port is None:
            raise
        chosen = Override(f"target.{target}.port", port, "--port")
        _deploy(run, target, (*overrides, chosen), choices)
        return
    keep_chosen_port(run, deployment, overrides)
    record_source(deployment, document.image.reference)
    command, terse = run.commands(target), run.output.mode.quiet
    request = suggest_request(deployment.project, {each.key for each in deployment.assumed})
    requires_key = deployment.project.app.own_key is not None
    run.output.result(
        document,
        lambda page: _print_deployment(document, page, command, request, terse=terse, requires_key=requires_key),
    )
    exit_if_interrupted(run, cancel)


def _walk(
    run: CommandRun, target: str, overrides: Overrides, choices: DeployChoices
) -> tuple[AppDeployment, DeployDocument, Cancel]:
    from dataclasses import replace

    from mldeploy.cli.access import ensure_keys
    from mldeploy.cli.app_routes import recall_latest_routes, settle_routes
    from mldeploy.cli.deployment import as_runtime
    from mldeploy.cli.open_deployment import prepare_deployment
    from mldeploy.cli.protection import confirm_first_deployment
    from mldeploy.cli.rollout.canary_placement import choose_canary, place_canary
    from mldeploy.cli.rollout.traffic import as_splitting, refuse_canary
    from mldeploy.cli.workspace import report_sweep
    from mldeploy.core import verbs

    require = as_runtime if choices.canary is None else as_splitting
    source = _take_image(run, overrides, choices.image) if choices.image else None
    deployment = prepare_deployment(run, target, overrides, require=require, precheck=True, may_build=source is None)
    if source is not None:
        deployment = replace(recall_latest_routes(deployment), image=source)
    goal = deployment.require_goal()
    deployment.require_gates(goal, check=choices.check)
    plan = choose_canary(run, deployment, choices.canary, choices.sample)
    if plan is None:
        refuse_canary(deployment)
    confirm_first_deployment(run, deployment, choices.confirmed)
    with deployment.locked(run) as work:
        deployment = ensure_keys(deployment, work)
        goal = deployment.require_goal()
        deployment, listed = (deployment, ()) if source else settle_routes(run, deployment, goal, work)
        if plan is not None:
            placed = place_canary(deployment, work, plan, check=choices.check)
            return deployment, _canary_document(deployment, placed, listed), work.cancel
        goal = deployment.require_goal()
        gates = deployment.require_gates(goal, check=choices.check)
        session = report_sweep(work, goal, gates)
        done = verbs.deploy(goal, session, gates=gates, sweep=deployment.swept, replace=choices.replace)
    return deployment, _deploy_document(deployment, done, listed), work.cancel


def _take_image(run: CommandRun, overrides: Overrides, folder: Path) -> ImageSource:
    """Load the image of a folder into the engine. Raises UsageError if there is none."""
    from mldeploy.cli.image_handover import load_image
    from mldeploy.cli.workspace import connect_engine, inspect_folder
    from mldeploy.image.promotion import ImageSource

    project = inspect_folder(run, overrides, verbose=False).project
    return ImageSource(load_image(connect_engine(run, project).cloud.engine, project, folder))


def _canary_document(deployment: AppDeployment, placed: PlacedCanary, listed: tuple[Done, ...]) -> DeployDocument:
    from mldeploy.cli.app_routes import merge_steps
    from mldeploy.image.types import Image

    release, outcome = placed.steps.out.release, placed.outcome
    address = outcome.address
    state = CanaryState.of(outcome.split)
    serves = () if state or address else (f"revision {release.revision} serves already; there is nothing to try",)
    return DeployDocument(
        app=deployment.app,
        target=deployment.target,
        url=address.url if address else deployment.service.url() or "",
        image=Image(release.image, release.image.partition("@")[2], "", 0, ()),
        steps=step_documents(merge_steps(listed, placed.steps.steps)),
        remarks=(*serves, *(address.remarks if address else ())),
        gap_seconds=address.gap_seconds if address else None,
        assumed=deployment.assumed,
        canary=state,
        environment=deployment.environment,
        agreement=AgreementDocument.of(outcome.agreement),
    )


def _deploy_document(deployment: AppDeployment, done: Deployed[Address], listed: tuple[Done, ...]) -> DeployDocument:
    from mldeploy.cli.app_routes import merge_steps

    address = done.out
    return DeployDocument(
        app=deployment.app,
        target=deployment.target,
        url=address.url,
        image=address.image,
        steps=step_documents(merge_steps(listed, done.steps)),
        remarks=address.remarks,
        gap_seconds=address.gap_seconds,
        assumed=deployment.assumed,
        environment=deployment.environment,
    )


def _ask_for_other_port(run: CommandRun, error: DeploymentFailedError | PortTakenError) -> int | None:
    """Return the free port that the user accepts if the port of the deployment is taken."""
    from mldeploy.providers.errors import PortTakenError

    failures = (error,) if isinstance(error, PortTakenError) else (failure for _, failure in error.failures)
    taken = next((each for each in failures if isinstance(each, PortTakenError)), None)
    if taken is None or not taken.free_port or not run.output.is_interactive:
        return None
    question = f"Port {taken.port} is used by {taken.owner}. Use port {taken.free_port} instead?"
    return taken.free_port if run.output.confirm(question, default=True) else None


def _print_deployment(
    document: DeployDocument,
    page: Page,
    command: Callable[[str], str],
    request: str,
    *,
    terse: bool,
    requires_key: bool,
) -> None:
    """Print the result. request: the command that sends a prediction; "" if there is no route for one.

    terse: only the URL, for `$(…)` in a shell.
    """
    if terse:
        page.line(document.url)
        return
    page.line()
    page.line((document.app, Style.STRONG), " is running at ", (document.url, Style.LINK))
    page.line()
    if document.agreement:
        page.line("compare  ", document.agreement.summary)
        print_worst(document.agreement, page)
    if document.canary:
        page.line("canary   ", str(document.canary))
        page.line("promote  ", command("canary promote"))
        page.line("abort    ", command("canary abort"))
        return
    shown_size = f"  {size(document.image.size)}" if document.image.size else ""
    page.line("image    ", document.image.reference, (shown_size, Style.DIM))
    if any(step.kind == "image" and step.action == "created" for step in document.steps):
        layers = list_layers(document.image)[:LISTED_LAYERS]
        sizes = (f"{instruction} {size(layer_size)}" for instruction, layer_size in layers)
        page.line("         ", (" · ".join(sizes), Style.DIM))
    if document.environment:
        page.line("env      ", document.environment)
    for remark in document.remarks:
        page.line("note     ", remark)
    page.line(*(("predict  ", command(request)) if request else ("open     ", command("open"))))
    if requires_key:
        page.line("key      ", command("keys show"))
    page.line("logs     ", command("logs -f"))
    page.line("remove   ", command("destroy"))
