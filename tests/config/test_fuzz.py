"""Whatever stands in files and variables: settings, or a ConfigError that says where and what, and no secret."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mldeploy.config.env_file import read_env_file
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import TABLES, load
from mldeploy.config.override import Override, variable
from mldeploy.config.reference import toml

SECRET = "hunter2-secret"
arbitrarily = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)

KEYS = [f"{table}.{key}" for table, model in TABLES.items() for key in model.model_fields]
BARE_KEYS = st.one_of(
    st.sampled_from([*TABLES, "target", "tool", *(key.partition(".")[2] for key in KEYS)]),
    st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=8),
)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1g", "app:app", "/x", "a.joblib", "linux/amd64", "~", "~x/y", "..", "\0", "python:3", ""]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(BARE_KEYS, inner, max_size=3), max_leaves=8
)
TABLES_OF = st.dictionaries(BARE_KEYS, st.dictionaries(BARE_KEYS, VALUES, max_size=4) | VALUES, max_size=4)


def documents(tables: Mapping[str, object]) -> str:
    return "".join(f"{key} = {toml(value)}\n" for key, value in tables.items())


def said_of(read: Callable[[], object]) -> str:
    """What the error says that `read` raises, after checking that it can be shown; else what `read` returns."""
    try:
        return repr(read())
    except ConfigError as caught:
        error = caught
    assert error.where
    assert error.what
    assert all(char.isprintable() or char == "\n" for char in str(error))
    return str(error)


def loads_or_says_why(folder: Path, *overrides: Override) -> None:
    said_of(lambda: load(folder, overrides))


@arbitrarily
@given(data=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(data=b"\xff\xfe[\x00a\x00")
@example(data=b"[app]\nport = 1e999")
@example(data=b"a" * 100 + b".a" * 2000 + b" = 1")
def test_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mldeploy.toml").write_bytes(data)
    loads_or_says_why(tmp_path)


@arbitrarily
@given(tables=TABLES_OF)
def test_valid_toml(tmp_path: Path, tables: Mapping[str, object]) -> None:
    (tmp_path / "mldeploy.toml").write_text(documents(tables), encoding="utf-8")
    loads_or_says_why(tmp_path)


@arbitrarily
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_of_any_key(tmp_path: Path, key: str, value: object) -> None:
    (tmp_path / "mldeploy.toml").write_text(f"{key} = {toml(value)}\n", encoding="utf-8")
    loads_or_says_why(tmp_path)


@arbitrarily
@given(depth=st.integers(1, 3000), brackets=st.sampled_from(["[]", "{a=}"]), key=st.sampled_from([*KEYS, "target.x.y"]))
def test_any_depth(tmp_path: Path, depth: int, brackets: str, key: str) -> None:
    opening, closing = brackets[:-1], brackets[-1]
    (tmp_path / "mldeploy.toml").write_text(f"{key} = {opening * depth}1{closing * depth}\n")
    loads_or_says_why(tmp_path)


@arbitrarily
@given(key=st.sampled_from(KEYS), text=st.text(st.characters(exclude_characters="\0")))
def test_any_text_of_any_flag(tmp_path: Path, key: str, text: str) -> None:
    loads_or_says_why(tmp_path, Override(key, text, "--flag"))


@contextmanager
def variables(entries: Mapping[str, str]) -> Iterator[None]:
    os.environ.update(entries)
    try:
        yield
    finally:
        for name in entries:
            del os.environ[name]


NAMES = st.one_of(
    st.sampled_from([variable(key) for key in KEYS]),
    st.text(st.characters(exclude_characters="\0=", exclude_categories=["Cs"])).map(lambda text: f"MLDEPLOY_{text}"),
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.just("caf\udce9")


@arbitrarily
@given(entries=st.dictionaries(NAMES, TEXTS, max_size=3))
def test_variables(tmp_path: Path, entries: Mapping[str, str]) -> None:
    with variables(entries):
        loads_or_says_why(tmp_path)


@arbitrarily
@given(lines=st.lists(st.binary(max_size=20) | st.just(SECRET.encode()) | st.just(b"A=" + SECRET.encode()), max_size=5))
def test_env_files(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "app.env").write_bytes(b"\n".join(lines))
    assert SECRET not in said_of(lambda: read_env_file(tmp_path / "app.env", "app.env_file"))


@arbitrarily
@given(tables=TABLES_OF, where=st.sampled_from(["app.env", "app.env.A", "app.env.A.B", "build.args.A"]), data=st.data())
def test_no_secret_is_ever_quoted(
    tmp_path: Path, tables: Mapping[str, object], where: str, data: st.DataObject
) -> None:
    secret = data.draw(st.sampled_from([SECRET, [SECRET], {"A": SECRET}, [[SECRET, 1]]]))
    others = documents({key: value for key, value in tables.items() if key not in {"app", "build"}})
    (tmp_path / "mldeploy.toml").write_text(f"{others}{where} = {toml(secret)}\n", encoding="utf-8")
    assert SECRET not in said_of(lambda: load(tmp_path).app)


@pytest.mark.parametrize("key", KEYS)
def test_the_keys_of_the_fuzz_exist(tmp_path: Path, key: str) -> None:
    """A misspelt key would make the tests above pass for nothing."""
    (tmp_path / "mldeploy.toml").write_text(f"{key} = 1979-05-27\n")
    with pytest.raises(ConfigError, match="must be"):
        load(tmp_path)
