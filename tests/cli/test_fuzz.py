"""Anything at all on the command line, in the configuration and in the folder: words and a documented code, always."""

from __future__ import annotations

import io
import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mldeploy.cli.app import PANELS
from mldeploy.cli.main import main
from mldeploy.core.errors import ExitCode
from tests.cli.command import Command, Result

# What writes into the folder that it is given would write wherever these words happen to lead.
WRITERS = {"init"}
# What asks servers takes seconds each time.
ASKERS = {"doctor"}
COMMANDS = [name for commands in PANELS.values() for name in commands if name not in WRITERS | ASKERS]
SHARED = "-C --project --json -v --verbose -q --quiet --no-color --version --help"
PLACE = "-t --target --port --host --platform --base-image --replace --app -y --yes"
INPUT = "-d --data --csv -f --field --tail -n --prune -- - ="
FLAGS = f"{SHARED} {PLACE} {INPUT}".split()
VALUES = ["paper", "local", ".", "..", "/", "app.py", "mldeploy.toml", "0", "-1", "1", "9" * 20, "a=1", "[]"]
KEYS = {
    "app": "name entry port health predict predict_table models memory cpus workers threads read_only env env_file",
    "build": "base_image platform requirements dockerfile args ca_bundle",
    "check": "golden start_timeout vulnerability_database",
    "target": "local paper",
}

ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
WORDS = st.lists(st.sampled_from(COMMANDS) | st.sampled_from(FLAGS) | st.sampled_from(VALUES) | ONE_LINE, max_size=8)
SENSIBLE = st.builds(
    lambda command, rest: [command, "-t", "paper", *rest],
    st.sampled_from([name for name in COMMANDS if name not in {"build", "check", "images", "run-local", "version"}]),
    st.lists(st.sampled_from(FLAGS) | st.sampled_from(VALUES), max_size=4),
)
VALUE = st.recursive(
    st.booleans() | st.integers() | st.floats() | ONE_LINE | st.dates() | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ONE_LINE, inner, max_size=3),
    max_leaves=5,
)


def table(keys: str) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from(keys.split()) | ONE_LINE, VALUE, max_size=4)


CONFIGURATION = st.fixed_dictionaries({}, optional={name: table(keys) | VALUE for name, keys in KEYS.items()})


@dataclass(frozen=True)
class Bench:
    """A folder to put anything into, and the command line in this very process."""

    folder: Path
    state: Path

    def run(self, words: list[str], stdin: bytes = b"") -> Result:
        out, err, keep = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main(words)
        finally:
            sys.stdin = keep
        return Result(code, out.getvalue(), err.getvalue())

    def content(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("fuzz")
    plugin = home / "plugins" / "mldeploy_paper-1.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: mldeploy-paper\nVersion: 1\n")
    (plugin / "entry_points.txt").write_text("[mldeploy.providers]\npaper = tests.cli.paper.provider:provider\n")
    for name in ("app", "things"):
        (home / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home / "plugins"))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("DOCKER_HOST", f"unix://{home}/no-engine")
        patch.setenv("MLDEPLOY_TARGET_PAPER_FOLDER", str(home / "things"))
        patch.setenv("MLDEPLOY_TARGET_PAPER_ENDLESS", "false")
        patch.chdir(home / "app")
        yield Bench(home / "app", home / "state")


def check(bench: Bench, words: list[str], result: Result) -> None:
    """What holds whatever was asked."""
    assert result.code in set(ExitCode), result
    assert result.code != ExitCode.INTERNAL, result
    assert "Traceback" not in result.err
    flags = words[: words.index("--")] if "--" in words else words
    if "--json" in flags:
        document = json.loads(result.out)
        assert isinstance(document, dict)
        assert ("error" in document) == (result.code != 0)
    elif result.code:
        assert result.err.startswith(("error: ", "warning: ")) or "\nerror: " in result.err
    for journal in bench.state.rglob("*.journal"):
        assert all(json.loads(line) for line in journal.read_text().splitlines())
        assert journal.read_text().endswith("\n")
    assert not [path for path in bench.state.rglob("*") if path.suffix not in {".journal", ".lock", ".log", ""}]


relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@relaxed
@given(WORDS | SENSIBLE, st.binary(max_size=20))
def test_any_words(bench: Bench, words: list[str], stdin: bytes) -> None:
    (bench.folder / "mldeploy.toml").write_text('[app]\nname = "fuzz"\nmodels = []\n')
    (bench.folder / "app.py").write_text("app = None\n")
    (bench.folder / "requirements.txt").touch()
    before = bench.content()
    check(bench, words, bench.run(words, stdin))
    assert bench.content() == before


@relaxed
@given(
    CONFIGURATION.map(tomlkit.dumps).map(str.encode) | st.binary(max_size=60), st.sampled_from(COMMANDS), st.booleans()
)
def test_any_configuration(bench: Bench, content: bytes, command: str, json: bool) -> None:
    (bench.folder / "mldeploy.toml").write_bytes(content)
    (bench.folder / "app.py").write_text("app = None\n")
    (bench.folder / "requirements.txt").touch()
    before = bench.content()
    target = [] if command in {"build", "check", "images", "run-local", "version"} else ["-t", "paper"]
    words = [command, *target, *(["--json"] if json else [])]
    check(bench, words, bench.run(words))
    assert bench.content() == before


def shape(path: Path, form: str) -> None:
    """Put something of this form there, where a file is expected."""
    match form:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_bytes(form.encode("latin-1"))


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["app.py", "requirements.txt", "mldeploy.toml", "pyproject.toml", "Dockerfile", "golden.json"]),
        st.sampled_from(["folder", "loop", "pipe", "", "\xff\xfe\0", "import"]),
    ),
    st.sampled_from([name for name in COMMANDS if name not in {"build", "check", "images", "run-local", "version"}]),
)
def test_any_folder(bench: Bench, tmp_path: Path, forms: dict[str, str], command: str) -> None:
    folder = tmp_path / uuid.uuid4().hex
    folder.mkdir()
    for name, form in forms.items():
        shape(folder / name, form)
    words = ["-C", str(folder), command, "-t", "paper", "--json"]
    check(bench, words, bench.run(words))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("-C", "\udcff", "plan"),
        ("-C", "x" * 5000, "plan"),
        ("\udcff\udcfe",),
        ("deploy", "--base-image", "\udcff"),
        ("deploy", "--port", "9" * 5000),
        ("predict", "-t", "paper", "--data", "[" * 100_000),
        ("predict", "-t", "paper", "--csv", "/dev/null"),
        ("predict", "-t", "paper", "--data", "@/"),
        ("predict", "-t", "paper", "--field", "\x1b[2J"),
        ("ps", "-t", "\x1b[2J"),
    ],
)
def test_real_processes(paper: Command, words: tuple[str, ...]) -> None:
    for flags in ((), ("--json",)):
        result = paper(*flags, *words)
        assert result.code in set(ExitCode) - {ExitCode.INTERNAL, ExitCode.OK}
        assert "Traceback" not in result.err
        assert "\x1b" not in result.err
        assert not flags or result.error["code"] == result.code
