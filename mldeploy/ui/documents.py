"""What each command says under `--json`, and what its text on a terminal is written from.

Each field's text is the manual's (docs/commands.md). A field is never renamed or given another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class LayerDocument:
    """One instruction's part of an image."""

    instruction: Annotated[str, "what made it"]
    size: Annotated[int, "bytes, uncompressed"]


@dataclass(frozen=True)
class ImageDocument:
    """An image."""

    reference: Annotated[str, "`name:tag`, or `name@sha256:…` once pushed"]
    digest: Annotated[str, "the registry's digest, or the engine's image id where nothing has been pushed"]
    platform: Annotated[str, "`linux/amd64`"]
    size: Annotated[int, "bytes, uncompressed"]
    layers: Annotated[tuple[LayerDocument, ...], "the newest last"]


@dataclass(frozen=True)
class StepDocument:
    """What was done to one thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]
    title: Annotated[str, "what the terminal shows"]
    action: Annotated[str, "`created`, `updated`, `unchanged` or `removed`"]
    seconds: Annotated[float, "wall time of this step alone"]


@dataclass(frozen=True)
class BuildDocument:
    """`build`."""

    app: Annotated[str, "the app's name"]
    image: Annotated[ImageDocument, "the image for the files as they are now"]
    steps: Annotated[tuple[StepDocument, ...], "in the order in which they ended"]


@dataclass(frozen=True)
class StoredImageDocument:
    """One image on the engine."""

    reference: Annotated[str, "`name:tag`"]
    digest: Annotated[str, "the engine's image id"]
    size: Annotated[int, "bytes, uncompressed"]
    created: Annotated[str, "ISO 8601, UTC"]
    in_use: Annotated[bool, "a container stands on it, so it is never pruned"]
    current: Annotated[bool, "it is what answers now on this machine"]


@dataclass(frozen=True)
class ImagesDocument:
    """`images`."""

    app: Annotated[str, "the app's name"]
    images: Annotated[tuple[StoredImageDocument, ...], "what is on the engine now, the newest first"]
    removed: Annotated[tuple[str, ...], "references that `--prune` removed"]


@dataclass(frozen=True)
class DeployDocument:
    """`deploy` and `run-local`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "where it was deployed to"]
    url: Annotated[str, "where it answers"]
    image: Annotated[ImageDocument, "what answers there"]
    steps: Annotated[tuple[StepDocument, ...], "in the order in which they ended"]
    remarks: Annotated[tuple[str, ...], "what is worth knowing of how it got there"]
    gap_seconds: Annotated[float | None, "how long the address was silent during the change; null if nothing changed"]


@dataclass(frozen=True)
class ChangeDocument:
    """What a deployment would do to one thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]
    title: Annotated[str, "what the terminal shows"]
    intent: Annotated[str, "`create`, `update`, `replace`, `unchanged`, `remove`, `refuse`, or `open`: not known yet"]
    reasons: Annotated[tuple[str, ...], "what differs"]


@dataclass(frozen=True)
class PlanDocument:
    """`plan`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    noop: Annotated[bool, "a deployment would change nothing"]
    changes: Annotated[tuple[ChangeDocument, ...], "needs first"]


@dataclass(frozen=True)
class InstanceDocument:
    """One copy of the app: a container, a task, a pod."""

    name: Annotated[str, "the platform's name for it"]
    image: Annotated[str, "what it runs"]
    state: Annotated[str, "the platform's own word: `running`, `exited`"]
    health: Annotated[str, "`healthy`, `unhealthy`, `starting`, or empty if nobody asks it"]
    url: Annotated[str, "where it answers; empty if nowhere"]
    started: Annotated[str, "ISO 8601, UTC"]
    restarts: Annotated[int, "how often the platform had to start it again"]
    memory: Annotated[int, "bytes in use, 0 if unknown"]


@dataclass(frozen=True)
class FoundDocument:
    """One thing of a deployment, as it was found."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]
    title: Annotated[str, "what the terminal shows"]
    state: Annotated[str, "`present`, `differs`, `foreign`, `absent`, `open` (not known yet) or `unknown` (no answer)"]
    remarks: Annotated[tuple[str, ...], "what differs, or why it could not be asked"]


@dataclass(frozen=True)
class StatusDocument:
    """`status`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    url: Annotated[str | None, "where it answers; null while nothing runs"]
    since: Annotated[str | None, "when what answers there was started; ISO 8601, UTC"]
    steps: Annotated[tuple[FoundDocument, ...], "needs first"]
    instances: Annotated[tuple[InstanceDocument, ...], "the one that answers first"]


@dataclass(frozen=True)
class InstancesDocument:
    """`ps`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    instances: Annotated[tuple[InstanceDocument, ...], "the one that answers first"]


@dataclass(frozen=True)
class LogsDocument:
    """`logs`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    lines: Annotated[tuple[str, ...], "oldest first"]


@dataclass(frozen=True)
class OpenDocument:
    """`open`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    url: Annotated[str, "where it answers"]
    opened: Annotated[bool, "a browser was started"]


@dataclass(frozen=True)
class PredictDocument:
    """`predict`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was asked"]
    url: Annotated[str, "the address that was asked"]
    request: Annotated[object, "the JSON that was sent"]
    answer: Annotated[object, "the app's own JSON"]


@dataclass(frozen=True)
class StopDocument:
    """`stop`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was stopped"]
    stopped: Annotated[bool, "something was running"]


@dataclass(frozen=True)
class ResourceDocument:
    """One thing."""

    kind: Annotated[str, "stable name of the kind of thing"]
    name: Annotated[str, "the thing's own name"]


@dataclass(frozen=True)
class DestroyDocument:
    """`destroy`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was cleared"]
    removed: Annotated[tuple[ResourceDocument, ...], "what was removed now"]


@dataclass(frozen=True)
class VersionDocument:
    """`version`."""

    version: Annotated[str, "mldeploy's own"]
    python: Annotated[str, "the Python that runs it"]


@dataclass(frozen=True)
class TextDocument:
    """What has no form of its own: `--help`."""

    text: Annotated[str, "as the terminal shows it"]


@dataclass(frozen=True)
class Problem:
    """What went wrong."""

    code: Annotated[int, "the exit code"]
    name: Annotated[str, "the exit code's name"]
    where: Annotated[str, "a file and key, a step, a resource"]
    what: Annotated[str, "the fact"]
    todo: Annotated[str, "what to do about it; may be empty"]
    log: Annotated[str | None, "the file with the traceback; null if there is none"] = None


@dataclass(frozen=True)
class ErrorDocument:
    """Any command that failed."""

    error: Annotated[Problem, "what went wrong first"]


Document = (
    BuildDocument
    | ImagesDocument
    | DeployDocument
    | PlanDocument
    | StatusDocument
    | InstancesDocument
    | LogsDocument
    | OpenDocument
    | PredictDocument
    | StopDocument
    | DestroyDocument
    | VersionDocument
    | TextDocument
    | ErrorDocument
)
