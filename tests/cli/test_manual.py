"""The manual is the code's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.cli import manual
from mldeploy.cli.app import PANELS
from mldeploy.core.errors import ExitCode

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_manual_is_current() -> None:
    assert manual.main(["--check", str(DOCS)]) == 0


def test_a_stale_manual_is_named_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "commands.md").write_text("old")
    assert manual.main(["--check", str(tmp_path)]) == 1
    assert "commands.md" in capsys.readouterr().err
    assert manual.main([str(tmp_path)]) == 0
    assert manual.main(["--check", str(tmp_path)]) == 0


def test_every_command_has_its_document_and_every_code_its_line() -> None:
    assert set(manual.DOCUMENTS) == {name for commands in PANELS.values() for name in commands}
    lines = manual.exit_codes().splitlines()
    assert all(any(line.startswith(f"| {code.value} | `{code.name}` |") for line in lines) for code in ExitCode)
