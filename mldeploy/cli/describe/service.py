"""What was found, and what runs."""

from __future__ import annotations

from mldeploy.core.verbs import Look
from mldeploy.providers.base import Instance, Release
from mldeploy.ui.documents.releases import ReleaseDocument
from mldeploy.ui.documents.service import FoundDocument, InstanceDocument


def found(look: Look[object]) -> FoundDocument:
    resource, title = look.step.resource, look.step.title
    state, remarks = _state(look)
    return FoundDocument(resource.kind, resource.key.name, title, state, remarks)


def _state(look: Look[object]) -> tuple[str, tuple[str, ...]]:
    if look.doubt is not None:
        return "unknown", (str(look.doubt) or repr(look.doubt),)
    if look.waits:
        return "open", ()
    if look.seen is None:
        return "absent", ()
    differs = (*look.seen.replace, *look.seen.drift)
    if differs and not look.seen.ours:
        return "foreign", (*differs, "mldeploy did not make it")
    return "differs" if differs else "present", differs


def instance(running: Instance) -> InstanceDocument:
    return InstanceDocument(
        running.name,
        running.image,
        running.state,
        running.health,
        running.url,
        running.started,
        running.restarts,
        running.memory,
    )


def release(made: Release) -> ReleaseDocument:
    return ReleaseDocument(made.revision, made.image, made.created, made.state, made.url)
