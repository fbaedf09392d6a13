"""Replays recorded requests against the stand-in, in this process and without controllers."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from mldeploy.rehearsal.containers.fake import FakeHost
from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.serving import Authority
from mldeploy.rehearsal.kubernetes.cluster import ClusterContext, StandInCluster

ANSWERS = Path(__file__).with_name("answers")
TOKEN = "admin"


def read_rows(name: str) -> list[dict[str, Any]]:
    """Read a file of recorded answers, one JSON document a line."""
    return [json.loads(line) for line in (ANSWERS / name).read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Answer:
    """The comparable part of an answer: status, reason, and the fields that its causes name."""

    status: int
    reason: str = ""
    causes: tuple[str, ...] = ()

    @classmethod
    def recorded(cls, row: dict[str, Any]) -> Answer:
        return cls(row["status"], row["reason"], tuple(row.get("causes", ())))

    @classmethod
    def given(cls, response: TestResponse) -> Answer:
        try:
            document = response.get_json(silent=True) if response.status_code >= 400 else {}
        finally:
            response.close()
        details = (document or {}).get("details") or {}
        causes = {each.get("field", "") for each in details.get("causes") or ()}
        return cls(response.status_code, (document or {}).get("reason", ""), tuple(sorted(causes)))


@dataclass
class Replay:
    """A client of a stand-in. connection: stands for the client's socket."""

    client: Client
    connection: socket.socket

    def send(
        self, method: str, path: str, body: object = None, *, token: str = TOKEN, content_type: str = "", **more: Any
    ) -> Answer:
        """Send a request and return the comparable part of the answer. body: a text is sent as it is."""
        headers = {"Authorization": f"Bearer {token}", **(more.get("headers") or {})}
        data = body if isinstance(body, str | None) else json.dumps(body)
        response = self.client.open(
            path,
            method=method,
            query_string=more.get("query"),
            headers={name: value for name, value in headers.items() if value != "Bearer "},
            data=data,
            content_type=content_type or "application/json",
            environ_overrides={"werkzeug.socket": self.connection},
        )
        return Answer.given(response)

    def create(self, document: dict[str, Any]) -> Answer:
        """Create an object in a dry run."""
        return self.send(
            "POST", collection_path(document), document, query={"dryRun": "All", "fieldValidation": "Strict"}
        )


def collection_path(document: dict[str, Any]) -> str:
    """Return the path of all objects of a document's kind in its namespace."""
    version, kind = document["apiVersion"], document["kind"]
    plural = "ingresses" if kind == "Ingress" else f"{kind.lower()}s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/{plural}" if kind == "Namespace" else f"{root}/namespaces/dx/{plural}"


def mutate(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy with another value at a path of keys and indices. An index after the last one appends."""
    document = copy.deepcopy(base)
    node: Any = document
    *parents, last = [each.replace("~1", "/") for each in path.split("/")]
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
    if not isinstance(node, list):
        node[last] = value
    elif int(last) < len(node):
        node[int(last)] = value
    else:
        node.append(value)
    return document


@contextmanager
def replaying(folder: Path, *, harsh: bool = False) -> Iterator[Replay]:
    """Yield a client of a cluster whose controllers do not run."""
    folder.mkdir(parents=True, exist_ok=True)
    addresses, authority = PublicAddressPool("127.87.0."), Authority(folder)
    context = ClusterContext(
        "replay", FakeHost(addresses), addresses, authority, CallLog(), 0.0, real=False, harsh=harsh
    )
    cluster = StandInCluster(context, lambda token: token == TOKEN)
    cluster.reset()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Replay(Client(cluster), ours)
