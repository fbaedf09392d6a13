"""The recording and the pictures of the documentation are small, and the recording plays without a script."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.media import LARGEST, LONGEST_COMMAND, LONGEST_PAUSE, shorten

FOLDER = Path(__file__).parents[2] / "docs" / "media"


def test_the_files_are_small_and_self_contained() -> None:
    files = list(FOLDER.iterdir())
    assert {"first-deployment.svg", "model-page.png", "model-page-phone.png"} <= {file.name for file in files}
    assert [file.name for file in files if file.stat().st_size > LARGEST] == []
    for file in FOLDER.glob("*.svg"):
        text = file.read_text(encoding="utf-8")
        assert "<script" not in text, file.name
        assert 'href="http' not in text, file.name


def test_pauses_and_long_commands_are_shortened_and_the_text_stays() -> None:
    events = [(0.0, "$ ls\r\n"), (60.0, "one\r\n"), (60.1, "\x1b]0;next\x07")]
    events += [(61 + 0.5 * count, f"{count}") for count in range(40)]
    lines = [json.dumps({"version": 2}), *(json.dumps([time, "o", text]) for time, text in events)]
    header, *shown = map(json.loads, shorten("\n".join(lines)).splitlines())
    assert header == {"version": 2}
    assert "".join(text for _, _, text in shown) == "$ ls\r\none\r\n" + "".join(map(str, range(40)))
    assert shown[1][0] == LONGEST_PAUSE
    assert shown[-1][0] - shown[2][0] <= LONGEST_COMMAND + 0.1
