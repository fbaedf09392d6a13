"""`mldeploy plan`."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from mldeploy.cli import options
from mldeploy.cli.results import ASSUMED, ENVIRONMENT, AssumedDocument
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document
from mldeploy.ui.page import Page, Style

if TYPE_CHECKING:
    from mldeploy.core.verbs import Change
    from mldeploy.providers.capabilities import CostItem, Estimate, UsageCost

INTENT_STYLES = {
    "unchanged": Style.DIM,
    "create": Style.GOOD,
    "update": Style.WARN,
    "replace": Style.WARN,
    "remove": Style.BAD,
    "refuse": Style.BAD,
    "open": Style.DIM,
}


@dataclass(frozen=True)
class ChangeDocument:
    """A planned change of one resource."""

    kind: Annotated[str, "kind of resource; stable"]
    name: Annotated[str, "name of the resource"]
    title: Annotated[str, "title on the terminal"]
    intent: Annotated[str, "`create`, `update`, `replace`, `unchanged`, `remove`, `refuse` or `open` (not known yet)"]
    reasons: Annotated[tuple[str, ...], "differences"]


@dataclass(frozen=True)
class EstimateDocument:
    """Monthly costs, as far as they are known."""

    region: Annotated[str, "region of the prices"]
    known: Annotated[float, "US dollars per month for the known items, without taxes, discounts and free tiers"]
    items: Annotated[tuple[CostItem, ...], "billed items"]
    usage: Annotated[tuple[UsageCost, ...], "costs of requests, where they are billed"] = ()


@dataclass(frozen=True)
class PlanDocument(Document):
    """`plan`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    noop: Annotated[bool, "a deployment would change nothing"]
    changes: Annotated[tuple[ChangeDocument, ...], "dependencies first"]
    assumed: Annotated[tuple[AssumedDocument, ...], ASSUMED] = ()
    costs: Annotated[EstimateDocument | None, "monthly costs; null if the target is not billed"] = None
    environment: Annotated[str | None, ENVIRONMENT] = None
    access: Annotated[str, "who may send requests: `public`, `key` or `iam`"] = "public"


def plan(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    port: options.Port = None,
    host: options.Host = None,
    platform: options.Platform = None,
    base_image: options.BaseImage = None,
    registry_auth: options.RegistryAuth = None,
) -> None:
    """Show what `deploy` would change, and why, without changing anything.

    Also shows the monthly costs on targets whose prices are known.

    Examples:
        mldeploy plan
        mldeploy plan --target fargate
    """
    from mldeploy.cli.access import describe_access
    from mldeploy.cli.app_routes import recall_settled
    from mldeploy.cli.open_deployment import prepare_deployment
    from mldeploy.cli.workspace import show_walk
    from mldeploy.core import verbs
    from mldeploy.ui.output import ProgressDetail

    overrides = options.overrides(target, port, host, platform, base_image)
    deployment = prepare_deployment(
        run, target, (*overrides, *options.registry_auth(target, registry_auth)), may_build=False
    )
    with show_walk(run, ProgressDetail.PROBES) as (events, cancel):
        deployment = recall_settled(run, deployment, deployment.last, deployment.cloud, cancel)
        planned = verbs.plan(
            deployment.last,
            deployment.cloud,
            cancel,
            gates=deployment.gates(deployment.last),
            begun=deployment.journaled,
            sweep=deployment.swept,
            events=events,
        )
    costs = deployment.costs()
    document = PlanDocument(
        app=deployment.app,
        target=deployment.target,
        noop=planned.is_noop,
        changes=tuple(map(_change_document, planned.changes)),
        assumed=deployment.assumed,
        costs=_estimate_document(costs) if costs else None,
        environment=deployment.environment,
        access=deployment.project.app.access,
    )
    access = describe_access(deployment)
    for each in deployment.project.served:
        if each.proof_summary:
            run.output.info(f"{each.path}: {each.proof_summary}")
    run.output.result(document, lambda page: _print_plan(document, page, deployment.verb, access))


def _change_document(change: Change) -> ChangeDocument:
    return ChangeDocument(
        kind=change.resource.kind,
        name=change.resource.key.name,
        title=change.title,
        intent=change.intent.value,
        reasons=change.reasons,
    )


def _estimate_document(estimate: Estimate) -> EstimateDocument:
    return EstimateDocument(
        region=estimate.region, known=round(estimate.known, 2), items=estimate.items, usage=estimate.usage
    )


def _print_plan(document: PlanDocument, page: Page, verb: str, access: str) -> None:
    """Print the plan. verb: the command that would carry it out. access: who may send requests; "" for a registry."""
    if document.environment:
        page.line("environment  ", document.environment)
    if document.noop:
        page.line(f"{document.app} on {document.target} is up to date: `{verb}` would change nothing.")
    else:
        _print_changes(document, page, verb)
    if access:
        page.line(f"Access: {access}.")
    if document.costs:
        _print_costs(document.costs, page)


def _print_changes(document: PlanDocument, page: Page, verb: str) -> None:
    page.line((document.app, Style.STRONG), f" on {document.target}: `{verb}` would")
    width = max(len(_intent_label(change)) for change in document.changes)
    for change in document.changes:
        intent = (_intent_label(change).ljust(width), INTENT_STYLES.get(change.intent, Style.DIM))
        page.line("  ", intent, f"  {change.title}", (f"  {change.name}", Style.DIM))
        for reason in change.reasons:
            page.line("  ", " " * width, (f"  {reason}", Style.DIM))


def _intent_label(change: ChangeDocument) -> str:
    return {"unchanged": "keep", "open": "later"}.get(change.intent, change.intent)


def _print_costs(estimate: EstimateDocument, page: Page) -> None:
    page.line()
    page.line("Costs at least ", (f"${estimate.known:.2f} per month", Style.STRONG), f" in {estimate.region}.")
    rows = [
        (
            f"${item.monthly:.2f}" if item.monthly is not None else "unknown",
            item.what,
            item.how,
            f"{item.source} ({item.date})" if item.source else "",
        )
        for item in estimate.items
    ]
    page.table(("PER MONTH", "FOR", "CALCULATION", "PRICE SOURCE"), rows)
    if estimate.usage:
        page.line()
        usage = [
            (f"${each.dollars:,.2f}", each.what, each.how, f"{each.source} ({each.date})") for each in estimate.usage
        ]
        page.table(("COSTS", "FOR", "CALCULATION", "PRICE SOURCE"), usage)
