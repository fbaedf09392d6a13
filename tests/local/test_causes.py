"""What logs say, as servers, libraries and the engine have really written it, and what mldeploy makes of it."""

from __future__ import annotations

import pytest

from mldeploy.app.causes import diagnose_exit_code
from mldeploy.app.log_causes import diagnose_log
from tests.local.log_lines import LINES


@pytest.mark.parametrize(("line", "cause", "todo"), LINES, ids=[line[:30] for line, _, _ in LINES])
def test_line_tells_its_cause(line: str, cause: str, todo: str) -> None:
    reported = diagnose_log(["Traceback (most recent call last):", line, "[INFO] Shutting down: Master"], "deps.txt")
    assert reported
    assert cause in reported.cause
    assert todo in reported.todo


def test_the_last_cause_counts_and_a_mere_hint_only_without_one() -> None:
    lines = ["EOFError: Ran out of input", "ModuleNotFoundError: No module named 'flask'", "RuntimeError: {no} model"]
    reported = diagnose_log(lines, "requirements.txt")
    assert reported
    assert reported.cause == "the module flask is not in the image"
    reported = diagnose_log(lines[2:], "requirements.txt")
    assert reported
    assert reported.cause == "the app failed: RuntimeError: {no} model"


CONTROL = "[INFO] Control socket listening at /tmp/.gunicorn/gunicorn.ctl"
FRAMES = ["Traceback (most recent call last):", '  File "/app/app.py", line 7, in <module>', "    key = {read}"]


def test_a_key_is_a_variable_if_the_environment_raised_it() -> None:
    lines = [*FRAMES, '  File "<frozen os>", line 679, in __getitem__', "KeyError: 'api_key'"]
    reported = diagnose_log(lines, "requirements.txt")
    assert reported
    assert reported.cause == "the environment variable api_key is not set"
    reported = diagnose_log([*FRAMES, "KeyError: 'AGE'"], "requirements.txt")
    assert reported
    assert reported.cause == "the app failed: KeyError: 'AGE'"


def test_settings_of_pydantic_name_the_variables_that_are_missing() -> None:
    lines = [
        "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings",
        "service_key",
        "  Field required [type=missing, input_value={}, input_type=dict]",
        "    For further information visit https://errors.pydantic.dev/2.10/v/missing",
        "bucket",
        "  Field required [type=missing, input_value={}, input_type=dict]",
        "    For further information visit https://errors.pydantic.dev/2.10/v/missing",
        "[ERROR] Worker failed to boot.",
    ]
    reported = diagnose_log(lines, "requirements.txt")
    assert reported
    assert "SERVICE_KEY, BUCKET are not set" in reported.cause


def test_log_without_a_sign_tells_nothing() -> None:
    assert diagnose_log([CONTROL, "[INFO] Booting worker with pid: 7", "ready", ""], "requirements.txt") is None
    assert diagnose_log([], "requirements.txt") is None


@pytest.mark.parametrize(
    ("status", "cause"), [(0, "without an error"), (127, "not in the image"), (139, "native code")]
)
def test_exit_code_with_a_meaning_tells_it(status: int, cause: str) -> None:
    assert cause in diagnose_exit_code(status).cause
    assert diagnose_exit_code(status).todo


@pytest.mark.parametrize("status", [1, 2, 42, 255])
def test_exit_code_without_a_meaning_is_at_least_named(status: int) -> None:
    assert diagnose_exit_code(status).cause == f"it ended (exit code {status})"
