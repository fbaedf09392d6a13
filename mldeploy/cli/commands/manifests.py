"""`mldeploy manifests` and `mldeploy policy`: documents for other tools and people."""

# ruff: noqa: PLC0415 - `--help` must not load any SDK

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mldeploy.cli import options
from mldeploy.cli.run import CommandRun
from mldeploy.ui.documents import Document

if TYPE_CHECKING:
    from mldeploy.cli.deployment import AppDeployment


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

    The image is given by its digest in the registry, so push it first. Manifests that contain secrets are named but
    not printed.

    Examples:
        mldeploy manifests --target kubernetes
        mldeploy manifests --target kubernetes | kubectl diff -f -
    """
    from mldeploy.cli.app_routes import recall_latest_routes
    from mldeploy.cli.deployment import as_having_manifests, prepare_deployment

    deployment = recall_latest_routes(
        prepare_deployment(run, target, require=as_having_manifests, verbose=False, may_build=False)
    )
    rendered = deployment.manifests(image or _find_pushed_image(run, deployment), secrets=show_secrets)
    document = ManifestsDocument(
        app=deployment.app, target=deployment.target, manifests=rendered.documents, left_out=rendered.left_out
    )
    run.output.result(document, lambda page: page.line("\n".join(_yaml_lines(document))))


def policy(run: CommandRun, target: options.Target = options.DEFAULT_TARGET) -> None:
    """Print the least-privilege policy that mldeploy needs for this app on the target.

    Give it to the administrator who grants permissions. On AWS it is an IAM policy for one app, account and region.

    Examples:
        mldeploy policy --target fargate
    """
    import json

    from mldeploy.cli.deployment import as_having_policy, open_deployment

    deployment = open_deployment(run, target, as_having_policy)
    document = PolicyDocument(app=deployment.app, target=deployment.target, policy=deployment.policy())
    text = json.dumps(document.policy, indent=2)
    run.output.result(document, lambda page: page.line(text))


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
