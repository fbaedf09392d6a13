"""`destroy`."""

from __future__ import annotations

from dataclasses import replace

from mldeploy.cli import session, workplace
from mldeploy.cli.describe import deployment as describe
from mldeploy.cli.errors import UsageError
from mldeploy.cli.run import Run
from mldeploy.config.errors import ConfigError
from mldeploy.core import verbs
from mldeploy.core.graph import steps_of
from mldeploy.core.step import Resource
from mldeploy.image.registry.steps import PushedImage, RepositoryStep
from mldeploy.image.steps import BuiltImage
from mldeploy.ui.documents.deployment import DestroyDocument
from mldeploy.ui.plain import of_removal
from mldeploy.ui.views import deployment as views


def destroy(run: Run, target: str, app: str | None, *, keep_images: bool, yes: bool) -> None:
    """Remove what is there, once the user has agreed."""
    deployment = _deployment(run, target, app)
    keep = _images(deployment) if keep_images else frozenset()
    doomed = [each for each in _doomed(deployment) if each.kind not in keep]
    if doomed and not yes:
        _ask(run, deployment, doomed)
    named = [step.resource for step in steps_of(deployment.last)]
    with deployment.locked(run) as work:
        told = replace(work, events=of_removal(work.events, doomed))
        destroyed = verbs.destroy(deployment.kinds, told, named=named, inventory=deployment.inventory, keep=keep)
    document = DestroyDocument(deployment.app, deployment.target, tuple(map(describe.resource, destroyed.removed)))
    run.output.result(document, lambda page: views.destroyed(document, page))
    workplace.unless_stopped(run, work.cancel)


def _deployment(run: Run, target: str, app: str | None) -> session.Deployment[object]:
    if app is not None:
        return session.named(run, target, app)
    try:
        return session.known(run, target)
    except ConfigError as error:
        todo = f"{error.todo}\nOr name the app to remove: `mldeploy destroy --app NAME`.".lstrip()
        raise ConfigError(error.where, error.what, todo) from error


def _doomed(deployment: session.Deployment[object]) -> list[Resource]:
    """What would go. What others may stand on is in the journal, too, but it stays."""
    found = dict.fromkeys((*deployment.begun, *deployment.inventory()))
    staying = {kind for kind, step in deployment.kinds.items() if step.stays}
    return [each for each in found if each.kind not in staying]


def _images(deployment: session.Deployment[object]) -> frozenset[str]:
    """The kinds of the app's images, and of where they are kept."""
    kinds = deployment.kinds.items()
    return frozenset(kind for kind, step in kinds if issubclass(step, BuiltImage | PushedImage | RepositoryStep))


def _ask(run: Run, deployment: session.Deployment[object], doomed: list[Resource]) -> None:
    if not run.output.is_dialogue:
        what = f"{deployment.app} would be removed from {deployment.target}, and there is nobody to ask"
        raise UsageError("mldeploy destroy", what, "Say --yes if that is meant.")
    facts = (f"This removes {deployment.app} from {deployment.target}:", *(f"  {each}" for each in doomed))
    if not run.output.confirmed("Remove all of it?", default=False, facts=facts):
        raise UsageError("mldeploy destroy", "nothing was removed", "")
