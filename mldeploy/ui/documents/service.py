"""What is said of what runs: `status`, `ps`, `logs`, `open`, `predict`, `stop`, `exec`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mldeploy.ui.documents import Document


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
class StatusDocument(Document):
    """`status`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    url: Annotated[str | None, "where it answers; null while nothing runs"]
    since: Annotated[str | None, "when what answers there was started; ISO 8601, UTC"]
    steps: Annotated[tuple[FoundDocument, ...], "needs first"]
    instances: Annotated[tuple[InstanceDocument, ...], "the one that answers first"]


@dataclass(frozen=True)
class InstancesDocument(Document):
    """`ps`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    instances: Annotated[tuple[InstanceDocument, ...], "the one that answers first"]


@dataclass(frozen=True)
class LogsDocument(Document):
    """`logs`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    lines: Annotated[tuple[str, ...], "oldest first"]


@dataclass(frozen=True)
class OpenDocument(Document):
    """`open`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was looked at"]
    url: Annotated[str, "where it answers"]
    opened: Annotated[bool, "a browser was started"]


@dataclass(frozen=True)
class PredictDocument(Document):
    """`predict`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was asked"]
    url: Annotated[str, "the address that was asked"]
    request: Annotated[object, "the JSON that was sent; a list where rows were sent one after the other"]
    answer: Annotated[object, "the app's own JSON; a list of as many answers as rows were sent"]


@dataclass(frozen=True)
class StopDocument(Document):
    """`stop`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target that was stopped"]
    stopped: Annotated[bool, "something was running"]


@dataclass(frozen=True)
class ExecDocument(Document):
    """`exec`."""

    app: Annotated[str, "the app's name"]
    target: Annotated[str, "the target where it runs"]
    exit_status: Annotated[int, "that of the command, which is mldeploy's own, too"]
    stdout: Annotated[str, "what it wrote there"]
    stderr: Annotated[str, "what it wrote there"]
