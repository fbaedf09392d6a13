"""The stand-in answers what a real API server has answered.

`answers/` was recorded on 2026-11-30 from an API server 1.36.2, whose controller manager was not running:
`bases.json` has one valid object of each kind, `mutations.jsonl` the answer to its creation in a dry run with one field
changed, `sequence.jsonl` the answers to requests in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.replay import ANSWERS, TOKEN, Answer, Replay, mutate, read_rows, replaying

BASES = json.loads((ANSWERS / "bases.json").read_text(encoding="utf-8"))


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    with replaying(tmp_path / "cluster") as made:
        made.send("POST", "/api/v1/namespaces", {"metadata": {"name": "dx"}})
        made.send("POST", "/api/v1/namespaces/dx/serviceaccounts", {"metadata": {"name": "default"}})
        yield made


@pytest.mark.parametrize("kind", BASES)
def test_a_change_of_one_field_is_answered_as_by_a_real_server(replay: Replay, kind: str) -> None:
    assert replay.create(BASES[kind]).status == 201
    for row in read_rows("mutations.jsonl"):
        if row["kind"] == kind:
            answer = replay.create(mutate(BASES[kind], row["path"], row["value"]))
            assert answer == Answer.recorded(row), f"{row['path']} := {json.dumps(row['value'])}"


OTHERWISE = {
    "SSA container without name": "a list with an item that has no key is merged in another order here",
    "hpa v1 path": "autoscaling/v1 is not served here",
    "watch single": "the watch path, deprecated since 1.11, is not served here",
    "get with watch=true on name": "the recorder gave up on this watch",
    "gateway api": "it is an extension, which the recorded cluster did not have",
    "as bot: unknown path": "an unknown path is 404 here before it is authorized",
    "pod over cpu quota": "without a controller manager, the recorded quota had no status",
    "pod without requests under quota": "as above",
    "second pod over quota": "as above",
}
"""Recorded requests that the stand-in answers otherwise, and why."""
BOT = "system:serviceaccount:dx:bot"


def test_requests_in_their_order_are_answered_as_by_a_real_server(replay: Replay) -> None:
    others = []
    for row in read_rows("sequence.jsonl"):
        answer = send_recorded(replay, row)
        if answer != Answer.recorded(row) and row["name"] not in OTHERWISE:
            others.append((row["name"], answer, Answer.recorded(row)))
    assert not others


def send_recorded(replay: Replay, row: dict[str, Any]) -> Answer:
    """Send a recorded request. What the service account `bot` sent is sent on its behalf."""
    name = row["name"]
    token = "" if name.startswith("no token") or name.endswith("no token") else TOKEN
    headers = dict(row.get("headers") or {})
    if name.startswith("as bot"):
        headers["Impersonate-User"] = BOT
    if name.endswith("bad token"):
        token = "nonsense"
    query, content = row.get("query"), row.get("content_type", "")
    return replay.send(
        row["method"], row["path"], row.get("body"), token=token, content_type=content, headers=headers, query=query
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/template/spec/containers", [None]),
        ("spec/template/spec/volumes", [None]),
        ("spec/selector/matchExpressions", [{"key": "a", "operator": "Is"}]),
        ("metadata/annotations", {"a": "x" * (256 << 10)}),
    ],
)
def test_what_made_the_stand_in_fail_is_refused(replay: Replay, path: str, value: object) -> None:
    assert replay.create(mutate(BASES["Deployment"], path, value)).status == 422


@pytest.mark.parametrize("data", ["é", "YQ", "Y Q=="])
def test_a_text_that_is_no_base64_is_refused(replay: Replay, data: str) -> None:
    assert replay.create(mutate(BASES["Secret"], "data", {"a": data})).status == 400


def test_a_namespace_without_metadata_is_refused(replay: Replay) -> None:
    assert replay.send("POST", "/api/v1/namespaces", {"kind": "Namespace"}).status == 422
