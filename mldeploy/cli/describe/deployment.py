"""What a deployment would change, and what a removal removed."""

from __future__ import annotations

from mldeploy.core.step import Resource
from mldeploy.core.verbs import Change
from mldeploy.ui.documents.deployment import ChangeDocument, ResourceDocument


def change(planned: Change) -> ChangeDocument:
    key = planned.resource.key.name
    return ChangeDocument(planned.resource.kind, key, planned.title, planned.intent.value, planned.reasons)


def resource(thing: Resource) -> ResourceDocument:
    return ResourceDocument(thing.kind, thing.key.name)
