"""What a deployment would change, and what a removal removed."""

from __future__ import annotations

from mldeploy.core.step import Resource
from mldeploy.core.verbs import Change
from mldeploy.providers.costs import Estimate
from mldeploy.ui.documents.deployment import ChangeDocument, CostDocument, EstimateDocument, ResourceDocument


def change(planned: Change) -> ChangeDocument:
    key = planned.resource.key.name
    return ChangeDocument(planned.resource.kind, key, planned.title, planned.intent.value, planned.reasons)


def estimate(found: Estimate) -> EstimateDocument:
    items = (CostDocument(each.what, each.monthly, each.how, each.source, each.date) for each in found.items)
    return EstimateDocument(found.region, round(found.known, 2), tuple(items))


def resource(thing: Resource) -> ResourceDocument:
    return ResourceDocument(thing.kind, thing.key.name)
