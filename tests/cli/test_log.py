"""The log file and the screen hold no secret, wherever in an error it stands."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mldeploy.cli.errors import report_of
from mldeploy.cli.log import RedactingFormatter, record
from mldeploy.config.load import load
from mldeploy.config.secret import Secret
from mldeploy.core.errors import MldeployError
from mldeploy.core.events import Noted
from mldeploy.core.redaction import MARK, forget_all
from mldeploy.ui.output import Output, OutputMode
from mldeploy.ui.plain import OutputStream, PlainLines

PASSWORD = "s3cr3t/of-mine&yours"


def chained() -> Exception:
    error = MldeployError("somewhere", "failed", "")
    error.__cause__ = ValueError(f"cannot log in with {PASSWORD!r}")
    return error


def grouped() -> Exception:
    return ExceptionGroup(
        "several", [ExceptionGroup("inner", [OSError(5, f"https://u:{quote(PASSWORD, safe='')}@h/")])]
    )


def noted() -> Exception:
    error = RuntimeError("failed")
    error.add_note(f"the value was {PASSWORD}")
    return error


ERRORS: list[Callable[[], Exception]] = [
    lambda: MldeployError("registry", f"said {PASSWORD}", f"Do not use {PASSWORD}."),
    lambda: KeyError(PASSWORD),
    chained,
    grouped,
    noted,
]


@pytest.fixture(autouse=True)
def _known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project whose env file holds the password."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    forget_all()
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "mldeploy.toml").write_text('[app]\nenv_file = ".env"\n')
    (folder / ".env").write_text(f"KEY={PASSWORD}\n")
    load(folder)
    yield
    forget_all()


@pytest.mark.parametrize("make", ERRORS)
def test_neither_the_log_file_nor_the_screen_shows_it(make: Callable[[], Exception]) -> None:
    error = make()
    path = record(error, "deploy")
    assert path is not None
    out, err = io.StringIO(), io.StringIO()
    Output(OutputMode(json=True), io.StringIO(), out, err).error(report_of(error).details(None))
    written = path.read_text()
    assert MARK in written
    for text in (written, out.getvalue(), err.getvalue()):
        assert PASSWORD not in text
        assert quote(PASSWORD, safe="") not in text


def test_a_record_with_arguments_and_a_traceback() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter())
    logger = logging.getLogger("tests.cli.test_log")
    logger.addHandler(handler)
    try:
        raise ValueError(PASSWORD)
    except ValueError:
        logger.exception("sent %s and %r", PASSWORD, {"Authorization": PASSWORD})
    assert stream.getvalue().count(MARK) == 3
    assert PASSWORD not in stream.getvalue()


def test_progress_and_warnings() -> None:
    stream = io.StringIO()
    PlainLines(OutputStream.of(stream), terse=False)(Noted(f"the registry said {PASSWORD}", warning=True))
    Output(OutputMode(), io.StringIO(), io.StringIO(), stream).warn(f"it is {PASSWORD}")
    assert stream.getvalue() == f"warning: the registry said {MARK}\nwarning: it is {MARK}\n"


def test_the_log_file_commands_no_terminal() -> None:
    path = record(ValueError("\x1b]0;title\x07 \u202e"), "deploy")
    assert path is not None
    assert not {"\x1b", "\x07", "\u202e"} & set(path.read_text())


def test_a_registry_password_counts_from_its_first_use() -> None:
    Secret("t0ken-of-a-registry")
    path = record(ValueError("401 for t0ken-of-a-registry"), "push")
    assert path is not None
    assert "t0ken" not in path.read_text()
