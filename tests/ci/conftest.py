"""A repository for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ci import repo as repos


@pytest.fixture
def empty(tmp_path: Path) -> repos.Repo:
    """Nothing but an app, which nobody has configured."""
    made = repos.repo(tmp_path / "insurance")
    made.put("app.py", repos.APP)
    return made


@pytest.fixture
def repo(tmp_path: Path) -> repos.Repo:
    return repos.app(tmp_path / "insurance")
