"""The golden row: what counts as the right answer, and how the first difference is told."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.core.errors import ExitCode
from mldeploy.project.errors import ProjectError
from mldeploy.project.golden import Golden, Json, compare_answer, load_golden

ROW: dict[str, Json] = {
    "path": "/predict_api",
    "request": {"age": 42},
    "expect": {"prediction": 12345.67},
    "tolerance": {"relative": 0.001, "absolute": 0},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
per_example = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def expecting(expect: Json, *, relative: float = 0, absolute: float = 0) -> Golden:
    return Golden("/p", {}, expect, relative, absolute)


@pytest.mark.parametrize(
    ("expect", "answer", "difference"),
    [
        ({"prediction": 12345.67}, {"prediction": 12346.1}, None),
        ({"prediction": 12345.67}, {"prediction": 12446.1}, "prediction: 12446.1, expected 12345.67 ± 0.1 %"),
        ({"prediction": 1}, {"prediction": 1.0, "model": "v2"}, None),
        ({"prediction": 1}, {}, "prediction: missing, expected 1 ± 0.1 %"),
        ({"prediction": 1}, {"prediction": math.nan}, "prediction: NaN, expected 1 ± 0.1 %"),
        ({"prediction": 1}, {"prediction": math.inf}, "prediction: Infinity, expected 1 ± 0.1 %"),
        ({"prediction": 1}, {"prediction": True}, "prediction: true, expected 1 ± 0.1 %"),
        ({"prediction": True}, {"prediction": 1}, "prediction: 1, expected true"),
        ({"prediction": "1"}, {"prediction": 1}, 'prediction: 1, expected "1"'),
        ({"prediction": None}, {"prediction": 0}, "prediction: 0, expected null"),
        ({"prediction": 1}, {"prediction": None}, "prediction: null, expected 1 ± 0.1 %"),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, "a[1].b: 3, expected 2 ± 0.1 %"),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, "a: 3 items, expected 2 items"),
        ({"a": {}}, {"a": []}, "a: 0 items, expected a table"),
        ({"a": 1, "b": 2}, {"b": 9, "a": 9}, "a: 9, expected 1 ± 0.1 %"),
        ([1.0], [1.0005], None),
        ([1.0], {"error": "no model"}, "the answer: a table, expected 1 items"),
        ("yes", "no", 'the answer: "no", expected "yes"'),
        (10**400, 10**400, None),
        (1, 10**400, f"the answer: 1{'0' * 59}…, expected 1 ± 0.1 %"),
    ],
)
def test_the_first_difference_is_named(expect: Json, answer: Json, difference: str | None) -> None:
    assert compare_answer(expecting(expect, relative=0.001), answer) == difference


@pytest.mark.parametrize(
    ("relative", "absolute", "answer", "margin"),
    [
        (0, 0, 100.0, None),
        (0, 0, math.nextafter(100, 101), ""),
        (0.01, 0, 101.0, None),
        (0.01, 0, 101.01, " ± 1 %"),
        (0, 0.5, 99.5, None),
        (0, 0.5, 99.4, " ± 0.5"),
        (0.01, 2, 102.0, None),
        (0.01, 2, 97.9, " ± 1 % or 2"),
    ],
)
def test_the_tolerance_is_the_larger_of_the_two(
    relative: float, absolute: float, answer: float, margin: str | None
) -> None:
    result = compare_answer(expecting(100, relative=relative, absolute=absolute), answer)
    assert result == (None if margin is None else f"the answer: {answer}, expected 100{margin}")


@given(expect=JSON)
def test_everything_equals_itself(expect: Json) -> None:
    assert compare_answer(expecting(expect), json.loads(json.dumps(expect))) is None


@given(expect=JSON, answer=JSON)
def test_any_two_can_be_compared_and_no_tolerance_means_equal(expect: Json, answer: Json) -> None:
    result = compare_answer(expecting(expect), answer)
    if result is None and not isinstance(expect, (dict, list)):
        assert expect == answer
        assert isinstance(expect, bool) is isinstance(answer, bool)


def test_a_deep_answer_is_compared_to_its_end() -> None:
    expect: Json = 1
    answer: Json = 2
    for _ in range(5000):
        expect, answer = [expect], [answer]
    result = compare_answer(expecting(expect), answer)
    assert result == f"{'[0]' * 5000}: 2, expected 1"


def write(folder: Path, row: object) -> Path:
    path = folder / "golden.json"
    path.write_text(row if isinstance(row, str) else json.dumps(row))
    return path


def test_a_row_is_read(tmp_path: Path) -> None:
    expected = Golden("/predict_api", {"age": 42}, {"prediction": 12345.67}, 0.001, 0)
    assert load_golden(write(tmp_path, ROW)) == expected


def test_without_a_tolerance_what_is_rounded_otherwise_is_no_difference(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "tolerance"}
    golden = load_golden(write(tmp_path, row))
    assert compare_answer(golden, {"prediction": math.nextafter(12345.67, 0)}) is None
    assert compare_answer(golden, {"prediction": 12345.7}) == "prediction: 12345.7, expected 12345.67 ± 0.0001 %"
    assert load_golden(write(tmp_path, {**row, "tolerance": {}})).relative == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "is not valid JSON: expecting value (line 1, column 1)"),
        ('{"path":\n oops}', "is not valid JSON: expecting value (line 2, column 2)"),
        ('{"expect": NaN}', "is not valid JSON: NaN is not JSON"),
        ("9" * 5000, "is not valid JSON: a number is too long"),
        ("[" * 100_000, "is nested too deeply"),
        ([], "must be an object"),
        ({**ROW, "tolerence": {}}, 'unknown key "tolerence"'),
        ({"path": "/", "request": {}}, '"expect" is missing'),
        ({"request": {}, "expect": {}}, '"path" is missing'),
        ({**ROW, "path": "predict"}, 'path: must be the path of a URL, such as "/predict_api"'),
        ({**ROW, "path": "/a\r\nHost: b"}, "path: must be the path of a URL"),
        ({**ROW, "path": 3}, "path: must be the path of a URL"),
        ({**ROW, "tolerance": 0.1}, 'tolerance: must be {"relative": …, "absolute": …}'),
        ({**ROW, "tolerance": {"relativ": 1}}, 'tolerance: must be {"relative": …, "absolute": …}'),
        ({**ROW, "tolerance": {"relative": -1}}, "tolerance.relative: must be a number from 0"),
        ({**ROW, "tolerance": {"absolute": True}}, "tolerance.absolute: must be a number from 0"),
        ({**ROW, "tolerance": {"absolute": 10**400}}, "tolerance.absolute: must be a number from 0"),
    ],
)
def test_what_is_no_golden_row_is_refused_with_its_form(tmp_path: Path, row: object, message: str) -> None:
    path = write(tmp_path, row)
    with pytest.raises(ProjectError) as caught:
        load_golden(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert '"tolerance": {"relative": 0.001, "absolute": 0}' in caught.value.todo
    assert caught.value.exit_code is ExitCode.PROJECT


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name, what in {
        "none": "there is no such file",
        "fifo": "is not a regular file, but a named pipe",
        "loop": "cannot be read: too many levels of symbolic links",
        ".": "cannot be read: is a directory",
        "a\0b": "is not a name that a file can have",
    }.items():
        with pytest.raises(ProjectError) as caught:
            load_golden(tmp_path / name)
        assert caught.value.what == what


@per_example
@given(data=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_row_or_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "golden.json").write_bytes(data)
    with pytest.raises(ProjectError):
        load_golden(tmp_path / "golden.json")


@per_example
@given(changes=st.dictionaries(st.sampled_from(sorted(ROW)), JSON, min_size=1))
def test_any_value_of_any_key_is_a_row_or_an_error(tmp_path: Path, changes: dict[str, Json]) -> None:
    try:
        golden = load_golden(write(tmp_path, {**ROW, **changes}))
    except ProjectError:
        assert changes.keys() & {"path", "tolerance"}
    else:
        assert compare_answer(golden, golden.expect) is None
