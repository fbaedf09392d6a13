"""The golden row: a request with its expected answer. A new version must give that answer before it gets traffic."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeGuard, cast

from mldeploy.config.text import quoted
from mldeploy.core.files import UnreadableError, read_text
from mldeploy.core.parsing import NestingError, parse_json
from mldeploy.project.errors import ProjectError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

ROUNDING: dict[str, Json] = {"relative": 1e-6}
"""The tolerance of a row that names none: another processor, or another build of a library, rounds otherwise."""

_KEYS = ("path", "request", "expect", "tolerance")
_REMEDY = (
    'A golden row is {"path": "/predict_api", "request": {…}, "expect": {…}, '
    '"tolerance": {"relative": 0.001, "absolute": 0}}.'
)


@dataclass(frozen=True)
class Golden:
    """A request, as JSON for a POST to `path`, and the answer that it must get.

    A number of the answer may differ from `expect` by `absolute`, or by `relative` times the expected number, whichever
    is more.
    """

    path: str
    request: Json
    expect: Json
    relative: float
    absolute: float


def load_golden(path: Path) -> Golden:
    """The golden row in a JSON file. Raises ProjectError."""
    try:
        document = cast("Json", parse_json(read_text(path), constants=False))
    except FileNotFoundError as error:
        raise ProjectError(str(path), "there is no such file", "Create it, or correct check.golden.") from error
    except UnreadableError as error:
        raise ProjectError(str(path), error.what, "Make it a readable JSON file, or correct check.golden.") from error
    except NestingError as error:
        raise ProjectError(str(path), "is nested too deeply", _REMEDY) from error
    except ValueError as error:
        raise ProjectError(str(path), f"is not valid JSON: {_parse_reason(error)}", _REMEDY) from error
    return _parse_golden(document, str(path))


def compare_answer(golden: Golden, answer: Json) -> str | None:
    """The first difference between an answer and the golden one, with its location, or None if the answer is right.

    Keys that only the answer has are allowed; everything else must be there, and equal but for numbers' tolerance.
    """
    return next((_difference(golden, pair) for pair in _unequal_pairs(golden, answer)), None)


@dataclass(frozen=True)
class AnswerDifference:
    """One value in which an answer differs. location: "" for the whole answer. expected, got: as JSON, shortened.

    distance: the difference of two numbers, relative to the expected one; infinite for anything else.
    """

    location: str
    expected: str
    got: str
    distance: float


def list_differences(golden: Golden, answer: Json) -> Iterator[AnswerDifference]:
    """Yield every difference between an answer and the golden one, as `compare_answer` compares them."""
    for pair in _unequal_pairs(golden, answer):
        got = "missing" if isinstance(pair.got, _Missing) else _rounded(pair.got)
        yield AnswerDifference(pair.location, _rounded(pair.expected), got, _distance(pair))


def _rounded(value: Json) -> str:
    return f"{value:.10g}" if isinstance(value, float) else _short(value)


def _unequal_pairs(golden: Golden, answer: Json) -> Iterator[_Pair]:
    pairs: list[_Pair] = [_Pair("", golden.expect, answer)]
    while pairs:
        pair = pairs.pop()
        inner = _inner_pairs(pair)
        if inner is not None:
            pairs.extend(reversed(inner))
        elif not _equal(golden, pair):
            yield pair


def _distance(pair: _Pair) -> float:
    if not (_is_number(pair.expected) and _is_number(pair.got)):
        return math.inf
    try:
        return abs(pair.got - pair.expected) / abs(pair.expected) if pair.expected else math.inf
    except OverflowError:
        return math.inf


class _Missing:
    """Marks a value that the answer does not have."""


@dataclass(frozen=True)
class _Pair:
    location: str
    expected: Json
    got: Json | _Missing


def _inner_pairs(pair: _Pair) -> list[_Pair] | None:
    """What two containers of one kind hold, side by side; None if they must be compared as they are."""
    expected, got = pair.expected, pair.got
    if isinstance(expected, dict) and isinstance(got, dict):
        prefix = f"{pair.location}." if pair.location else ""
        return [_Pair(f"{prefix}{key}", value, got.get(key, _Missing())) for key, value in expected.items()]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [_Pair(f"{pair.location}[{index}]", *both) for index, both in enumerate(zip(expected, got, strict=True))]
    return None


def _equal(golden: Golden, pair: _Pair) -> bool:
    expected, got = pair.expected, pair.got
    if not (_is_number(expected) and _is_number(got)):
        return type(expected) is type(got) and not isinstance(expected, (dict, list)) and expected == got
    try:
        return math.isclose(expected, got, rel_tol=0, abs_tol=max(golden.absolute, golden.relative * abs(expected)))
    except OverflowError:  # an integer beyond what a float holds
        return expected == got


def _difference(golden: Golden, pair: _Pair) -> str:
    location = pair.location or "the answer"
    margin = _margin(golden) if _is_number(pair.expected) else ""
    if isinstance(pair.got, _Missing):
        return f"{location}: missing, expected {_short(pair.expected)}{margin}"
    return f"{location}: {_short(pair.got)}, expected {_short(pair.expected)}{margin}"


def _margin(golden: Golden) -> str:
    parts = [f"{golden.relative * 100:g} %"] if golden.relative else []
    parts += [f"{golden.absolute:g}"] if golden.absolute else []
    return f" ± {' or '.join(parts)}" if parts else ""


def _short(value: Json) -> str:
    return f"{len(value)} items" if isinstance(value, list) else quoted(value)


def _parse_golden(document: Json, where: str) -> Golden:
    if not isinstance(document, dict):
        raise ProjectError(where, "must be an object", _REMEDY)
    unknown = [key for key in document if key not in _KEYS]
    missing = [key for key in ("path", "request", "expect") if key not in document]
    if unknown or missing:
        what = f"unknown key {quoted(unknown[0])}" if unknown else f'"{missing[0]}" is missing'
        raise ProjectError(where, what, _REMEDY)
    path = document["path"]
    if not isinstance(path, str) or not path.startswith("/") or not path.isprintable() or " " in path:
        raise ProjectError(f"{where}: path", 'must be the path of a URL, such as "/predict_api"', _REMEDY)
    tolerance = document.get("tolerance", ROUNDING)
    if not isinstance(tolerance, dict) or not tolerance.keys() <= {"relative", "absolute"}:
        raise ProjectError(f"{where}: tolerance", 'must be {"relative": …, "absolute": …}', _REMEDY)
    relative, absolute = (_parse_tolerance(tolerance, name, where) for name in ("relative", "absolute"))
    return Golden(path, document["request"], document["expect"], relative, absolute)


def _parse_tolerance(entries: Mapping[str, Json], name: str, where: str) -> float:
    value = entries.get(name, 0)
    # The bound keeps a huge integer, which JSON may hold, from overflowing a float.
    if not _is_number(value) or not 0 <= value <= 1e300:
        raise ProjectError(f"{where}: tolerance.{name}", "must be a number from 0", _REMEDY)
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parse_reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} (line {error.lineno}, column {error.colno})"
    return str(error) if "JSON" in str(error) else "a number is too long"
