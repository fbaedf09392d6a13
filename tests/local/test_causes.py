"""What logs say, as servers, libraries and the engine have really written it, and what mldeploy makes of it."""

from __future__ import annotations

import pytest

from mldeploy.image.running.causes import from_exit, from_log

TOLD = (
    ("ModuleNotFoundError: No module named 'sklearn'", "the module sklearn is not", "`scikit-learn` to deps.txt"),
    ("ModuleNotFoundError: No module named 'xgboost.core'", "the module xgboost.core is not", "`xgboost` to deps.txt"),
    ("ModuleNotFoundError: No module named 'numpy._core'", "saved with NumPy 2", "Pin in deps.txt the numpy"),
    (
        "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
        "libgomp.so.1",
        'system_packages = ["libgomp1"]',
    ),
    ("OSError: libGL.so.1: cannot open shared object file: No such file or directory", "libGL.so.1", '["libgl1"]'),
    ("ImportError: libown.so.3: cannot open shared object file: No such file", "libown.so.3", "apt-file search"),
    ("ImportError: cannot import name 'url_quote' from 'werkzeug.urls'", "cannot import name 'url_quote'", "pin in"),
    ("Failed to find attribute 'app' in 'main'.", "the module main has no object app", "`entry`"),
    (
        "AttributeError: Can't get attribute 'Clean' on <module '__main__' from '/x/gunicorn'>",
        "with Clean defined",
        "Move",
    ),
    ("_pickle.UnpicklingError: invalid load key, 'v'.", "Git LFS pointer", "git lfs pull"),
    ("_pickle.UnpicklingError: invalid load key, '\\x0a'.", "does not load", "damaged"),
    ("EOFError: Ran out of input", "does not load", "damaged"),
    ("ValueError: unsupported pickle protocol: 5", "unsupported pickle protocol: 5", "another library or Python"),
    ("ValueError: node array from the pickle has an incompatible dtype:", "version of scikit-learn", "train it again"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'model.pkl'", "opens model.pkl", ".dockerignore"),
    ("OSError: [Errno 30] Read-only file system: '/app/x.db'", "writes to /app/x.db", "read_only"),
    ("PermissionError: [Errno 13] Permission denied: '/srv/.cache'", "may not use /srv/.cache", "/tmp"),
    ('[emerg] 1#1: chown("/var/cache", 101) failed (1: Operation not permitted)', "privilege of root", "USER"),
    ("[ERROR] Connection in use: ('0.0.0.0', 5000)", "in use inside the container", "one server"),
    ("OSError: [Errno 98] Address already in use", "in use inside the container", "one server"),
    ("exec /usr/bin/python3: exec format error", "another processor", "`platform`"),
    ("/app/server: 1: \x7fELF\x02: not found", "another processor", "`platform`"),
    ("[FATAL tini (7)] exec gunicorn failed: No such file or directory", "the program gunicorn,", "deps.txt"),
    ('unable to start container process: exec: "waitress": executable file not found in $PATH', "waitress,", "CMD"),
    ("exec /app/start.sh: no such file or directory", "the program /app/start.sh,", "CMD"),
    ('exec: "/app/start.sh": permission denied: unknown', "/app/start.sh is not executable", "chmod +x"),
    ("[FATAL tini (7)] exec /app/start.sh failed: Permission denied", "/app/start.sh is not executable", "chmod +x"),
    ("unable to find user app: no matching entries in passwd file", "no user app", "before USER"),
    ("[ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?", "out of memory", "`memory`"),
    ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB", "out of memory", "`memory`"),
    ("OSError: [Errno 28] No space left on device", "disk is full", "docker system df"),
    ("SyntaxError: invalid syntax", "not valid for the image's Python", "`base_image`"),
    ("KeyError: 'DATABASE_URL'", "variable DATABASE_URL is not set", "[app.env]"),
    ("sqlalchemy.exc.OperationalError: no such table: users", "no such table", ""),
    ("InconsistentVersionWarning: Trying to unpickle estimator Tree from version 1.2", "version 1.2", "Pin"),
)


@pytest.mark.parametrize(("line", "cause", "todo"), TOLD, ids=[line[:30] for line, _, _ in TOLD])
def test_line_tells_its_cause(line: str, cause: str, todo: str) -> None:
    told = from_log(["Traceback (most recent call last):", line, "[INFO] Shutting down: Master"], "deps.txt")
    assert told
    assert cause in told.cause
    assert todo in told.todo


def test_the_last_cause_counts_and_a_mere_hint_only_without_one() -> None:
    lines = ["EOFError: Ran out of input", "ModuleNotFoundError: No module named 'flask'", "RuntimeError: {no} model"]
    told = from_log(lines, "requirements.txt")
    assert told
    assert told.cause == "the module flask is not in the image"
    told = from_log(lines[2:], "requirements.txt")
    assert told
    assert told.cause == "the app failed: RuntimeError: {no} model"


def test_log_without_a_sign_tells_nothing() -> None:
    assert from_log(["[INFO] Booting worker with pid: 7", "ready", ""], "requirements.txt") is None
    assert from_log([], "requirements.txt") is None


@pytest.mark.parametrize(
    ("status", "cause"), [(0, "without an error"), (127, "not in the image"), (139, "native code")]
)
def test_exit_code_with_a_meaning_tells_it(status: int, cause: str) -> None:
    assert cause in from_exit(status).cause
    assert from_exit(status).todo


@pytest.mark.parametrize("status", [1, 2, 42, 255])
def test_exit_code_without_a_meaning_is_at_least_named(status: int) -> None:
    assert from_exit(status).cause == f"it ended (exit code {status})"
