"""The stand-in answers what a real API server has answered.

`answers/` was recorded on 2026-11-30 from an API server 1.36.2, whose controller manager was not running:
`bases.json` has one valid object of each kind, `mutations.jsonl` the answer to its creation in a dry run with one field
changed, `sequence.jsonl` the answers to requests in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.replay import ANSWERS, Answer, Replay, mutate, read_rows, replaying

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
