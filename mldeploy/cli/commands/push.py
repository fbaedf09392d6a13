"""`mldeploy login` and `mldeploy push`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.results import ASSUMED, STEPS, AssumedDocument, StepDocument, step_documents
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style
from mldeploy.ui.text import size

if TYPE_CHECKING:
    from mldeploy.image.types import Image


@dataclass(frozen=True)
class LoginDocument(Document):
    """`login`."""

    target: Annotated[str, "deployment target"]
    user: Annotated[str, "account of the credentials, as the platform names it"]
    place: Annotated[tuple[str, ...], "scope of the credentials: account, region"]
    registry: Annotated[str, "address of the registry"]
    expires: Annotated[str, "expiry of the registry credentials; ISO 8601, UTC"]
    stored: Annotated[str | None, "file or program that stores them for the `docker` command; null if not stored"]


@dataclass(frozen=True)
class PushDocument(Document):
    """`push`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    image: Annotated[Image, "pushed image, with the digest that the registry confirmed"]
    steps: Annotated[tuple[StepDocument, ...], STEPS]
    assumed: Annotated[tuple[AssumedDocument, ...], ASSUMED] = ()


def login(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    docker_config: Annotated[
        bool, typer.Option("--docker-config", help="Also store the credentials for the `docker` command.")
    ] = False,
) -> None:
    """Check registry credentials and show the account.

    `push` and `deploy` get credentials by themselves. Nothing is stored without `--docker-config`.

    Examples:
        mldeploy login --target ecr
        mldeploy login --target ecr --docker-config
    """
    from mldeploy.cli.deployment import as_registry
    from mldeploy.cli.open_deployment import open_deployment
    from mldeploy.image.registry.docker_config import store

    credentials = open_deployment(run, target, as_registry).login()
    registry = credentials.registry
    document = LoginDocument(
        target=target,
        user=credentials.user,
        place=credentials.place,
        registry=registry.address,
        expires=registry.expires,
        stored=store(registry) if docker_config else None,
    )
    run.output.result(document, lambda page: _print_login(document, page, run.commands(target)))


def push(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    registry_auth: options.RegistryAuth = None,
    replace: options.Replace = False,
    no_check: options.NoCheck = False,
) -> None:
    """Build and check the image, and push it to the target's registry.

    Nothing is uploaded before the image has passed its check; an image that has passed it is not checked again.
    Creates the repository if it does not exist, uploads only missing layers, and verifies the digest.

    Examples:
        mldeploy push --target ecr
        mldeploy push --target gar --rehearse
    """
    from mldeploy.cli.app_routes import merge_steps, settle_routes
    from mldeploy.cli.deployment import as_registry
    from mldeploy.cli.open_deployment import prepare_deployment
    from mldeploy.cli.workspace import exit_if_interrupted, report_sweep
    from mldeploy.core import verbs

    settings = options.build_overrides(platform, base_image)
    deployment = prepare_deployment(
        run, target, (*settings, *options.registry_auth(target, registry_auth)), require=as_registry
    )
    # On a target that also runs the app, the later steps are not probed and nothing is swept.
    sweep = deployment.swept if deployment.goal is None else None
    with deployment.locked(run) as work:
        deployment, listed = settle_routes(run, deployment, deployment.require_push(), work)
        goal = deployment.require_push()
        gates = deployment.require_gates(goal, check=not no_check)
        done = verbs.deploy(goal, report_sweep(work, goal, gates), gates=gates, sweep=sweep, replace=replace)
    document = PushDocument(
        app=deployment.app,
        target=deployment.target,
        image=done.out,
        steps=step_documents(merge_steps(listed, done.steps)),
        assumed=deployment.assumed,
    )
    command, terse = run.commands(target), run.output.mode.quiet
    run.output.result(document, lambda page: _print_push(document, page, command, terse=terse))
    exit_if_interrupted(run, work.cancel)


def _print_login(document: LoginDocument, page: Page, command: Callable[[str], str]) -> None:
    page.line("account   ", (document.user, Style.STRONG), f" in {', '.join(document.place)}")
    expires = f"  until {document.expires}" if document.expires else ""
    page.line("registry  ", document.registry, (expires, Style.DIM))
    if document.stored:
        page.line("stored    ", document.stored)
    page.line("push      ", command("push"))


def _print_push(document: PushDocument, page: Page, command: Callable[[str], str], *, terse: bool) -> None:
    """Print the result. terse: only the reference."""
    image = document.image
    if terse:
        page.line(image.reference)
        return
    page.line()
    page.line((image.reference, Style.STRONG), f"  {image.platform}  {size(image.size)}")
    page.line("remove  ", command("destroy"))
