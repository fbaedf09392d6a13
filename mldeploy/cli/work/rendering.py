"""`manifests`: what a deployment would send, word for word."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from mldeploy.cli import session, workplace
from mldeploy.cli.run import Run
from mldeploy.cli.session import Deployment
from mldeploy.core import verbs
from mldeploy.image.types import Image
from mldeploy.providers.errors import AbsentError, without_manifests
from mldeploy.ui.documents.deployment import ManifestsDocument
from mldeploy.ui.output import Shown


class _Plain(yaml.SafeDumper):
    """Without anchors: every document stands for itself."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def manifests(run: Run, target: str, image: str | None, *, secrets: bool) -> None:
    """Print them as YAML that `kubectl apply -f -` takes; what holds secrets only on request."""
    deployment = session.complete(run, target, aloud=False)
    if deployment.manifests is None:
        raise without_manifests(target)
    reference = image or _pushed(run, deployment)
    found = deployment.manifests(reference, secrets)
    document = ManifestsDocument(deployment.app, deployment.target, found.documents, found.left_out)
    run.output.result(document, lambda page: page.line("\n".join(_lines(document))))


def _lines(document: ManifestsDocument) -> Iterator[str]:
    for each in document.left_out:
        yield f"# {each} is left out, since it holds secrets: --show-secrets prints it."
    yield yaml.dump_all(document.manifests, Dumper=_Plain, sort_keys=False, explicit_start=True).rstrip()


def _pushed(run: Run, deployment: Deployment[object]) -> str:
    """The image of these very files, by the digest that the registry has it under. Raises AbsentError."""
    if deployment.push is None:
        raise without_manifests(deployment.target)
    with workplace.watched(run, Shown.LOOKING) as (events, cancel):
        looks = verbs.look(deployment.push, deployment.cloud, cancel, events)
    for each in looks:
        if each.doubt is not None:
            raise each.doubt
        if each.step is deployment.push and each.seen is not None and isinstance(each.seen.out, Image):
            return each.seen.out.reference
    todo = f"Push it (`{run.commands(deployment.target)('push')}`), or name an image: --image NAME@sha256:…"
    raise AbsentError(deployment.app, "the image of these files is not in the registry yet", todo)
