"""Env files are read as `docker run --env-file` reads them, and no message tells what they hold."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.config.env_file import read_env_file, uses_dotenv
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret

SECRET = "hunter2-secret"


def read(folder: Path, text: str | bytes) -> dict[str, str]:
    path = folder / "app.env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {name: secret.reveal() for name, secret in read_env_file(path, "app.env_file").items()}


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", {}),
        ("# comment\n\n   \n\t# indented comment\n", {}),
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ('A="quoted" # not a comment', {"A": '"quoted" # not a comment'}),
        ("A= spaces kept  ", {"A": " spaces kept  "}),
        ("  A=1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=b=c", {"A": "b=c"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        (b"\xef\xbb\xbfA=1", {"A": "1"}),
        ("my.key-2=ü", {"my.key-2": "ü"}),
        ("export=1", {"export": "1"}),
    ],
)
def test_a_line_is_a_variable(tmp_path: Path, text: str | bytes, entries: dict[str, str]) -> None:
    assert read(tmp_path, text) == entries


def test_a_name_alone_takes_its_value_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    assert read(tmp_path, "TOKEN\n") == {"TOKEN": SECRET}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("export A=1", "is not NAME=value"),
        (f"={SECRET}", "is not NAME=value"),
        (f"A ={SECRET}", "is not NAME=value"),
        (f"-----BEGIN {SECRET}-----", "is not NAME=value"),
        (SECRET, "names a variable that is not set here"),
        (f"A={SECRET}\0", "holds a character that no variable can hold"),
    ],
)
def test_a_wrong_line_is_named_by_its_number_only(tmp_path: Path, line: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"# first\nB=2\n{line}\n")
    assert caught.value.where == f"{tmp_path / 'app.env'}: line 3"
    assert caught.value.what == what
    assert SECRET not in str(caught.value)


def test_a_value_from_the_environment_that_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "caf\udce9")
    with pytest.raises(ConfigError, match="line 1: holds a character"):
        read(tmp_path, "TOKEN")


def test_a_missing_file_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_env_file(tmp_path / "no.env", "--env-file")
    assert str(caught.value).startswith(f"--env-file: there is no file {tmp_path / 'no.env'}")


NAMES = st.text(string.ascii_letters + string.digits + "_.-", min_size=1)
VALUES = st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.dictionaries(NAMES, VALUES))
def test_what_is_written_is_read(tmp_path: Path, entries: dict[str, str]) -> None:
    assert read(tmp_path, "".join(f"{name}={value}\n" for name, value in entries.items())) == entries


def test_a_secret_shows_nothing() -> None:
    secret = Secret(SECRET)
    assert f"{secret} {secret!r} {secret:}" == "[REDACTED] [REDACTED] [REDACTED]"
    assert secret == Secret(SECRET)
    assert secret != Secret("other")


DOTENV = """# c
export API_KEY="abc def"
URL='http://x/#a'  # comment
MULTI="a\\nb"
LINES="one
two"
EMPTY=
BARE
PLAIN = spaced # comment
BASE=/srv
PATHS=${BASE}/data:${HOME_OF_NOBODY:-none}:$BASE
RAW='${BASE}'
"""


def test_a_file_of_dotenv_is_read_as_dotenv_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_text(DOTENV)
    read = read_env_file(path, "app.env_file", dotenv=True)
    for name in read:
        monkeypatch.delenv(name, raising=False)
    theirs = dotenv_values(path)
    assert {name: secret.reveal() for name, secret in read.items()} == {
        name: value for name, value in theirs.items() if value is not None
    }
    assert read["API_KEY"].reveal() == "abc def"


def test_a_file_of_dotenv_takes_nothing_from_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_SECRET", "hunter2")
    path = tmp_path / ".env"
    path.write_text("A=${MACHINE_SECRET}\n")
    assert read_env_file(path, "app.env_file", dotenv=True)["A"].reveal() == ""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from dotenv import load_dotenv\n", True),
        ("from pydantic_settings import BaseSettings\n", True),
        ("import os\n", False),
    ],
)
def test_an_app_that_uses_dotenv_is_recognized(source: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "shop" / "web").mkdir(parents=True)
    (tmp_path / "shop" / "web" / "settings.py").write_text(source)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "x.py").write_text("import dotenv")
    assert uses_dotenv(tmp_path) is expected
