"""The shell lines of each page work, typed one after the other, from the top of the page to its end.

Lines for a cloud are rehearsed. `docs/tried-commands.md` lists what is not run, and why (`scripts/tried_commands.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mldeploy.config.environments import environment_key
from mldeploy.image.engine import Engine
from tests.docs.pages import PAGES, lines_of
from tests.docs.reader import Reader
from tests.docs.trial import NOT_RUN, Trial
from tests.docs.trials import TRIALS
from tests.names import app_name, record, remove_app

pytestmark = pytest.mark.engine
_ENVIRONMENTS = ("staging", "production")


def _parameters() -> Iterator[object]:
    for name, trial in TRIALS.items():
        yield pytest.param(trial, id=name, marks=() if trial.is_quick else pytest.mark.exhaustive)


@contextmanager
def _reader(trial: Trial, tmp_path: Path) -> Iterator[Reader]:
    """A reader in a prepared folder. Nothing that he deploys is left."""
    folder, name = tmp_path / "folder", app_name()
    folder.mkdir()
    trial.prepare(folder)
    reader = Reader(tmp_path / "home", folder, name, dict(trial.variables))
    names = [name, *(record(environment_key(name, each)) for each in _ENVIRONMENTS)]
    try:
        yield reader
    finally:
        reader.type("mldeploy rehearse down")
        engine = Engine.connect()
        for each in names:
            remove_app(engine, each)
        engine.client.close()


@pytest.mark.parametrize("trial", [*_parameters()])
def test_the_lines_of_a_page_work_as_written(trial: Trial, tmp_path: Path) -> None:
    with _reader(trial, tmp_path) as reader:
        for line in trial.lines():
            if trial.anew:
                reader.folder = tmp_path / f"folder{len(list(tmp_path.iterdir()))}"
                reader.folder.mkdir()
                trial.prepare(reader.folder)
            for extra in trial.before.get(line.text, ()):
                _type(reader, extra, (0,))
            _type(reader, line.text, trial.expected.get(line.text, (0,)))


def _type(reader: Reader, line: str, codes: tuple[int, ...]) -> None:
    result = reader.type(line)
    assert result.code in codes, f"$ {line}\nexit code {result.code}\n{result.out}\n{result.err}"
    assert "Traceback" not in result.err


def test_every_line_is_run_or_has_a_reason_why_not() -> None:
    lines = [line for page in PAGES for line in lines_of(page) if line.calls_mldeploy]
    tried = {line.text for trial in TRIALS.values() for line in trial.lines()}
    assert len(tried) > 150
    assert [line for line in lines if line.text not in (*tried, *NOT_RUN)] == []


def test_no_reason_and_no_exception_outlives_its_line() -> None:
    for trial in TRIALS.values():
        assert {*trial.before, *trial.expected} - {line.text for line in trial.lines()} == set(), trial.page
    assert set(NOT_RUN) - {line.text for page in PAGES for line in lines_of(page)} == set()
