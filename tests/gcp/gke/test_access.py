"""Where a cluster's certificate stands, which the SDK's websockets take from a file alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mldeploy.providers.gcp.gke.access import kept


def test_a_certificate_is_kept_once_and_mended_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = Path(kept("one"))
    assert path.read_text() == "one"
    path.write_text("of somebody else")
    assert kept("one") == str(path)
    assert path.read_text() == "one"
    assert Path(kept("two")).read_text() == "two"
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 2
