"""`mldeploy manifests` and `mldeploy policy`: documents for other tools and people."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import CommandRun
from mldeploy.providers.capabilities import PolicyPart
from mldeploy.ui.documents import Document

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment
    from mldeploy.ui.page import Page


ALL = "all"
"""`--part`: all policies as one document."""


@dataclass(frozen=True)
class ManifestsDocument(Document):
    """`manifests`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    manifests: Annotated[tuple[object, ...], "in the order in which they are applied"]
    left_out: Annotated[tuple[str, ...], "kind and name of the manifests that contain secrets"]


@dataclass(frozen=True)
class PolicyDocument(Document):
    """`policy`."""

    app: Annotated[str, "name of the app"]
    target: Annotated[str, "deployment target"]
    policy: Annotated[object, "policy in the platform's own language"]
    documents: Annotated[
        tuple[PolicyPart, ...], "documents for the configuration, each within the platform's size limit; AWS only"
    ] = ()
    commands: Annotated[tuple[str, ...], "shell commands that create and attach the documents"] = ()
    warnings: Annotated[tuple[str, ...], "what the policy does not limit"] = ()


def manifests(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", metavar="IMAGE", help="Image, by digest. Default: the pushed image.", show_default=False
        ),
    ] = None,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Include manifests that contain secrets.")
    ] = False,
) -> None:
    """Print the Kubernetes manifests of a deployment as YAML for `kubectl apply -f -`.

    The image is given by its digest in the registry, so push it first. With --image, neither a cluster nor a Docker
    Engine is needed. Manifests that contain secrets are named but not printed.

    Examples:
        mldeploy manifests --target kubernetes
        mldeploy manifests --target kubernetes | kubectl diff -f -
        mldeploy manifests -t kubernetes --image host/app@sha256:… > app.yaml
    """
    from mldeploy.cli.app_routes import recall_latest_routes
    from mldeploy.cli.deployment import as_having_manifests
    from mldeploy.cli.open_deployment import prepare_deployment

    is_given = image is not None
    opened = prepare_deployment(
        run, target, require=as_having_manifests, verbose=False, may_build=False, may_stay_offline=is_given
    )
    deployment = recall_latest_routes(opened)
    rendered = deployment.manifests(image or _find_pushed_image(run, deployment), secrets=show_secrets)
    document = ManifestsDocument(
        app=deployment.app, target=deployment.target, manifests=rendered.documents, left_out=rendered.left_out
    )
    run.output.result(document, lambda page: page.line("\n".join(_yaml_lines(document))))


def policy(
    run: CommandRun,
    target: options.Target = options.DEFAULT_TARGET,
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="FEATURE",
            help="Also allow secrets (cloudrun, fargate), load-balancer, autoscaling, boundary, given-roles or "
            "previews (fargate). Repeatable.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            "--part",
            metavar="NAME",
            help="Print only this document. all: all policies as one, for an inline policy of a role.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the least-privilege policy that mldeploy needs for this app on the target.

    Give it to the administrator who grants permissions. On AWS it is an IAM policy for one app, account and region, in
    several documents where it would be too long, and the commands that attach them as managed policies.

    Examples:
        mldeploy policy --target fargate
        mldeploy policy --target fargate --with given-roles
    """
    from mldeploy.cli.deployment import as_having_policy
    from mldeploy.cli.open_deployment import open_deployment

    deployment = open_deployment(run, target, as_having_policy)
    policies = deployment.policy_set(features or ())
    document = policies.whole if part == ALL else deployment.policy()
    shown = _choose_parts(policies.parts, part)
    result = PolicyDocument(deployment.app, deployment.target, document, shown, policies.commands, policies.warnings)
    run.output.result(result, lambda page: _print_policy(page, result))
    if policies.parts and not part:
        _explain_policy(run, result, features or ())


def _choose_parts(parts: tuple[PolicyPart, ...], name: str | None) -> tuple[PolicyPart, ...]:
    from mldeploy.cli.errors import UsageError

    if name == ALL:
        return ()
    chosen = tuple(each for each in parts if name in (None, each.name))
    if name and not chosen:
        known = ", ".join(each.name for each in parts) or "none: the policy is one document"
        raise UsageError("--part", f"there is no document {name!r}", f"Documents: {known}.")
    return chosen


def _print_policy(page: Page, result: PolicyDocument) -> None:
    """A single document is printed as plain JSON, so that it can be saved."""
    if len(result.documents) < 2:
        document = result.documents[0].document if result.documents else result.policy
        _print_json(page, document)
        return
    for each in result.documents:
        page.line(f"# {each.name} ({each.kind}): {each.purpose}")
        _print_json(page, each.document)


def _print_json(page: Page, document: object) -> None:
    import json

    for line in json.dumps(document, indent=2).splitlines():
        page.verbatim(line)


def _explain_policy(run: CommandRun, result: PolicyDocument, features: Sequence[str]) -> None:
    command = run.commands(result.target)("policy")
    flags = "".join(f" --with {each}" for each in features)
    run.output.info("")
    for each in result.documents:
        run.output.info(f"{command}{flags} --part {each.name} > {each.name}.json")
    for line in result.commands:
        run.output.info(line)
    for text in result.warnings:
        run.output.warn(text)


def _yaml_lines(document: ManifestsDocument) -> Iterator[str]:
    import yaml

    class PlainDumper(yaml.SafeDumper):
        """Writes no anchors: each document must be complete."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    for name in document.left_out:
        yield f"# {name} contains secrets and is left out. Use --show-secrets to print it."
    yield yaml.dump_all(document.manifests, Dumper=PlainDumper, sort_keys=False, explicit_start=True).rstrip()


def _find_pushed_image(run: CommandRun, deployment: AppDeployment) -> str:
    """Return the image of the current files by its digest in the registry. Raises AbsentError if it is not pushed."""
    from mldeploy.cli.workspace import show_walk
    from mldeploy.core import verbs
    from mldeploy.image.types import Image
    from mldeploy.providers.errors import AbsentError, without_manifests
    from mldeploy.ui.output import ProgressDetail

    if deployment.push is None:
        raise without_manifests(deployment.target)
    with show_walk(run, ProgressDetail.PROBES) as (events, cancel):
        looks = verbs.look(deployment.push, deployment.cloud, cancel, events)
    for look in looks:
        if look.doubt is not None:
            raise look.doubt
        if look.step is deployment.push and look.seen is not None and isinstance(look.seen.out, Image):
            return look.seen.out.reference
    todo = f"Run `{run.commands(deployment.target)('push')}`, or choose an image with --image NAME@sha256:…"
    raise AbsentError(deployment.app, "the image of the current files is not in the registry", todo)
