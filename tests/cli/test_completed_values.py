"""The completion of values: profiles, regions, contexts and apps, whatever they are called and whatever is broken."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.cli.completion.values import BUILDERS
from mldeploy.config.model import BuildTable
from tests.cli.command import Command
from tests.cli.completing import SHELLS, complete, on_path, open_shell, press_tab, require_shell
from tests.cli.terminal import Terminal
from tests.few import few

ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/insurance"
SPECIAL = 'my team\'s "ctx" $HOME `id` (a) [b]* {c,d} ~ #! \\back & | ; <>'
COMMAND = "\\$(touch owned)"
ESCAPE = "zz\x1b]0;owned\x07"
CONTEXTS = (
    ARN,
    SPECIAL,
    COMMAND,
    ESCAPE,
    "user@host.example",
    "über-ctx",
    "two\nlines",
    "-option",
    "a=b:c",
    "  blanks",
)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return require_shell(str(request.param))


@pytest.fixture
def configured(mldeploy: Command, tmp_path: Path) -> Command:
    """A home with a kubeconfig, and no engine."""
    contexts = [{"name": name, "context": {"cluster": f"of:{name}"}} for name in CONTEXTS]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps({"contexts": contexts, "current-context": ARN}))  # JSON is YAML
    nowhere = f"unix://{tmp_path}/nowhere"
    return on_path(mldeploy, tmp_path).with_env(KUBECONFIG=str(kubeconfig), DOCKER_HOST=nowhere)


@pytest.fixture
def terminal(shell: str, configured: Command) -> Iterator[Terminal]:
    with open_shell(shell, configured) as terminal:
        yield terminal


TYPED = (
    ("--context ar", ARN),
    ("--context arn:aws:e", ARN),
    ("--context 'arn:aws:e", ARN),
    ("--context=arn:aws:e", f"--context={ARN}"),
    ("--context user@h", "user@host.example"),
    ("--context a=b:", "a=b:c"),
    ("--context üb", "über-ctx"),
    ("--context my", SPECIAL),
    ("--context my\\ te", SPECIAL),
    ("--context 'my te", SPECIAL),
    ('--context "my te', SPECIAL),
    ("--context=my", f"--context={SPECIAL}"),
    ("--context '\\$(to", COMMAND),
    ("--context '  bl", "  blanks"),
)
"""What is typed before TAB, and the argument that the program is given. Every run tries each in one shell or two."""


@pytest.mark.parametrize(
    ("shell", "typed", "expected"),
    few((pytest.param(shell, *typed) for typed in TYPED for shell in SHELLS), 16),
    indirect=["shell"],
)
def test_any_name_reaches_the_command_as_it_is(terminal: Terminal, typed: str, expected: str) -> None:
    press_tab(terminal, f"mldeploy deploy -t kubernetes {typed}", expected)


def test_nothing_of_a_hostile_name_reaches_the_terminal_or_is_run(terminal: Terminal, configured: Command) -> None:
    terminal.seen = ""
    terminal.press("mldeploy deploy -t kubernetes --context \t\t")
    terminal.expect("host.example")
    terminal.expect("über-ctx")
    assert "]0;owned" not in terminal.seen
    assert not list(configured.folder.glob("owned*"))


def damage(configured: Command, tmp_path: Path) -> Command:
    """Break every file that a completion reads."""
    kubeconfig, toml, aws = (tmp_path / name for name in ("broken", "app/mldeploy.toml", "aws"))
    kubeconfig.write_text("contexts: [{name: a}, \x00\n  - }")
    toml.write_text("[app\nname = ")
    aws.write_bytes(b"\xff\xfe[profile \x00")
    state = configured.state / "x"
    state.mkdir(parents=True)
    (state / "fargate.journal").mkdir()
    return configured.with_env(KUBECONFIG=str(kubeconfig), AWS_CONFIG_FILE=str(aws), CLOUDSDK_CONFIG=str(toml))


def test_what_is_broken_or_missing_prints_nothing(shell: str, configured: Command, tmp_path: Path) -> None:
    lines = (
        "deploy --context zq", "deploy -t kubernetes --context zq", "deploy --profile zq", "exec --instance zq",
        "deploy -t nonsense --region zq", "rollback zq", "rollback -C gone zq", "destroy --app zq", "deploy -C zq",
        "nonsense --app zq",
    )  # fmt: skip
    with open_shell(shell, damage(configured, tmp_path)) as terminal:
        for line in lines:
            terminal.seen = ""
            terminal.press(f"mldeploy {line}\t\n")
            terminal.expect("<zq> were given")
            for word in ("Traceback", "rror", "arning", "Segmentation"):
                assert word not in terminal.text


@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_home_has_no_completions(configured: Command, tmp_path: Path, shell: str) -> None:
    broken = damage(configured, tmp_path).with_env(HOME="/nowhere", XDG_STATE_HOME="relative")
    for line in (
        "mldeploy destroy --app ",
        "mldeploy rollback ",
        "mldeploy deploy --context ",
        "mldeploy exec --instance ",
    ):
        assert complete(broken, line, shell) in ([], [":"])


def test_aws_profiles_are_those_of_both_files(mldeploy: Command, tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(
        '[default]\n[profile work]\n[profile "a b"]\n[profile "torn]\n[sso-session s]\n[services x]\nno line\n'
    )
    credentials.write_text("[old]\naws_access_key_id = x\n[work]\n")
    aws = mldeploy.with_env(
        AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(credentials), HOME=str(tmp_path)
    )
    assert complete(aws, "mldeploy deploy -t fargate --profile ") == ["a\\ b", "default", "old", "work"]
    assert complete(aws, "mldeploy deploy -t kubernetes --profile ") == []
    assert complete(aws, "mldeploy deploy --profile w") == ["work"]
    assert complete(aws, "mldeploy deploy --profile=w", "fish") == ["--profile=work\tAWS profile"]


def test_gcloud_configurations_are_profiles_of_google_cloud(mldeploy: Command, tmp_path: Path) -> None:
    folder = tmp_path / "configurations"
    folder.mkdir()
    (folder / "config_work").write_text("[compute]\nregion = europe-west9\n")
    (tmp_path / "active_config").write_text("work")
    gcloud = mldeploy.with_env(CLOUDSDK_CONFIG=str(tmp_path), AWS_CONFIG_FILE="/nowhere", HOME="/nowhere")
    for target in ("cloudrun", "gar", "gcr", "gke"):
        assert complete(gcloud, f"mldeploy plan -t {target} --profile ") == ["work"]
    assert complete(gcloud, "mldeploy plan -t gke --region europe-west")[0] == "europe-west9"
    assert complete(gcloud, "mldeploy push -t gcr --region ") == ["us", "eu", "europe", "asia"]


def test_regions_are_those_of_the_target(mldeploy: Command) -> None:
    aws = complete(mldeploy, "mldeploy deploy -t fargate --region ")
    assert {"eu-west-1", "us-gov-west-1", "cn-north-1"} <= set(aws)
    assert not any("global" in each for each in aws)
    assert "westeurope" in complete(mldeploy, "mldeploy push -t acr --region ")
    everywhere = complete(mldeploy, "mldeploy deploy --region ")
    assert {"eu-west-1", "westeurope", "us-central1"} <= set(everywhere)
    assert complete(mldeploy, "mldeploy deploy -t local --region ") == []


def test_builders_are_those_of_the_setting(mldeploy: Command) -> None:
    schema = BuildTable.model_json_schema()["properties"]["builder"]
    assert [each.value for each in BUILDERS] == schema["enum"]
    assert complete(mldeploy, "mldeploy build --builder ") == schema["enum"]


def test_apps_are_those_with_a_journal_for_the_target(paper: Command, name: str) -> None:
    assert paper("deploy", "--target", "paper").code == 0
    assert complete(paper, "mldeploy destroy -t paper --app ") == [name]
    assert complete(paper, f"mldeploy destroy -t paper --app={name[:3]}") == [name]
    assert complete(paper, "mldeploy destroy -t paper --app ", "fish") == [f"{name}\t{paper.folder}"]
    assert complete(paper, "mldeploy destroy -t fargate --app ") == []
    assert paper("destroy", "--target", "paper", "--yes").code == 0
    assert complete(paper, "mldeploy destroy -t paper --app ") == []


def test_releases_of_a_cloud_are_those_that_history_listed(mldeploy: Command, name: str) -> None:
    recorded = mldeploy.state / name / "releases.json"
    recorded.parent.mkdir(parents=True)
    recorded.write_text(json.dumps({"fargate@1@eu": ["7", "6"], "fargate@2@eu": ["7", "2"], "gke@p": ["rev-1"]}))
    assert complete(mldeploy, "mldeploy rollback -t fargate ") == ["7", "6", "2"]
    assert complete(mldeploy, f"mldeploy -C {mldeploy.folder} rollback --target=gke r") == ["rev-1"]
    assert complete(mldeploy, "mldeploy rollback -t fargate --rehearse ") == []
    for damaged in ("[]", '{"fargate@1": 7}', '{"fargate@1": [[1]]', "\x00"):
        recorded.write_text(damaged)
        assert complete(mldeploy, "mldeploy rollback -t fargate ") == []


SOURCE = """\
import logging, os, subprocess, sys, warnings
from mldeploy.providers.declaration import TargetDeclaration
TARGETS = (TargetDeclaration("loud", completion="loud:complete"),)
def complete(request):
    print("printed"); sys.stderr.write("written"); warnings.warn("warned"); logging.error("logged")
    os.write(2, b"raw"); subprocess.run(["sh", "-c", "echo child >&2"])
    yield ("first", "help\\nin \\x1b[31mtwo lines")
    if os.environ.get("WAIT"):
        open(os.environ["WAIT"]).read()
    if os.environ.get("FAIL"):
        raise RuntimeError("failed")
"""


@pytest.fixture
def loud(mldeploy: Command) -> Command:
    """Another package's target, whose source of completions writes to every stream."""
    plugins = mldeploy.home / "plugins"
    (plugins / "loud").mkdir()
    (plugins / "loud" / "__init__.py").write_text(SOURCE)
    metadata = plugins / "loud-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[mldeploy.providers]\nloud = loud.provider:provider\n")
    return mldeploy


def test_another_packages_source_can_neither_write_nor_fail(loud: Command) -> None:
    assert complete(loud, "mldeploy deploy -t loud --profile ") == ["first"]
    assert complete(loud, "mldeploy deploy -t loud --profile ", "fish") == ["first\thelp in [31mtwo lines"]
    assert complete(loud.with_env(FAIL="1"), "mldeploy deploy -t loud --profile ") == []


def test_a_source_that_never_ends_is_ended(loud: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert complete(loud.with_env(WAIT=str(tmp_path / "pipe")), "mldeploy deploy -t loud --profile ") == []
