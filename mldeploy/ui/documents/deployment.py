"""What is said of a deployment as a whole: `deploy`, `plan`, `destroy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document
from mldeploy.ui.documents.image import AssumedDocument, ImageDocument, StepDocument


@dataclass(frozen=True)
class DeployDocument(Document):
    """`deploy` and `run-local`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "where it was deployed to"]
    url: Annotated[str, "where it answers"]
    image: Annotated[ImageDocument, "what answers there"]
    steps: Annotated[tuple[StepDocument, ...], "in the order in which they ended"]
    remarks: Annotated[tuple[str, ...], "what is worth knowing of how it got there"]
    gap_seconds: Annotated[float | None, "how long the address was silent during the change; null if nothing changed"]
    assumed: Annotated[
        tuple[AssumedDocument, ...], "what the configuration leaves open, and was found in the folder"
    ] = ()


@dataclass(frozen=True)
class ChangeDocument:
    """What a deployment would do to one thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]
    title: Annotated[str, "what the terminal shows"]
    intent: Annotated[str, "`create`, `update`, `replace`, `unchanged`, `remove`, `refuse`, or `open`: not known yet"]
    reasons: Annotated[tuple[str, ...], "what differs"]


@dataclass(frozen=True)
class CostDocument:
    """One thing that is billed."""

    what: Annotated[str, "what is billed"]
    monthly: Annotated[float | None, "US dollars a month; null if no source says"]
    how: Annotated[str, "what that is the product of, or why it is not known"]
    source: Annotated[str, "where the price stands"]
    date: Annotated[str, "when it was read there"]


@dataclass(frozen=True)
class EstimateDocument:
    """What the whole costs a month, as far as it is known."""

    region: Annotated[str, "where the prices hold"]
    known: Annotated[float, "US dollars a month for what is known, without taxes, discounts and free tiers"]
    items: Annotated[tuple[CostDocument, ...], "what is billed"]


@dataclass(frozen=True)
class PlanDocument(Document):
    """`plan`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    noop: Annotated[bool, "a deployment would change nothing"]
    changes: Annotated[tuple[ChangeDocument, ...], "needs first"]
    assumed: Annotated[
        tuple[AssumedDocument, ...], "what the configuration leaves open, and was found in the folder"
    ] = ()
    costs: Annotated[EstimateDocument | None, "what it costs a month; null where nobody bills"] = None


@dataclass(frozen=True)
class PolicyDocument(Document):
    """`policy`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target whose permissions these are"]
    policy: Annotated[object, "the document, in the platform's own policy language"]


@dataclass(frozen=True)
class ManifestsDocument(Document):
    """`manifests`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that they are for"]
    manifests: Annotated[tuple[object, ...], "in the order in which they are applied"]
    left_out: Annotated[tuple[str, ...], "kind and name of those that hold secrets"]


@dataclass(frozen=True)
class ResourceDocument:
    """One thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]


@dataclass(frozen=True)
class DestroyDocument(Document):
    """`destroy`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was cleared"]
    removed: Annotated[tuple[ResourceDocument, ...], "what was removed now"]
