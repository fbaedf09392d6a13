"""Repositories that try to run a program, or to read this machine, when mldeploy works on them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mldeploy.cli.main import main
from mldeploy.core.errors import ExitCode
from mldeploy.core.git import NO_PROTOCOL, git_environment, run_git
from mldeploy.image.source import read_source_labels

pytestmark = pytest.mark.usefixtures("home")

APP = "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/health')\ndef health():\n    return 'ok'\n"
SECRET = "hunter2-secret"


class HostileRepository:
    """A repository of an attacker's, and the trace that a program of it would leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trace = folder.parent / "ran"
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("app.py", APP)
        self.write("requirements.txt", "flask==3.0.3\n")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def configure(self, text: str) -> None:
        self.write("mldeploy.toml", f'[app]\nname = "shop"\n{text}')

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        command = ["git", "-C", str(self.folder), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")

    def program(self) -> Path:
        path = self.folder.parent / "program"
        path.write_text(f"#!/bin/sh\ntouch {self.trace}\ncat\n")
        path.chmod(0o755)
        return path


@pytest.fixture
def hostile(tmp_path: Path) -> HostileRepository:
    return HostileRepository(tmp_path / "hostile")


def plan(*words: str) -> int:
    return main(["plan", *words])


@pytest.mark.parametrize(
    "key", ["core.fsmonitor", "filter.x.clean", "filter.x.process", "filter.a=b.clean", "core.pager"]
)
def test_a_repositorys_own_configuration_runs_nothing(hostile: HostileRepository, key: str) -> None:
    hostile.write(".gitattributes", "* filter=x\n" if "x" in key else "* filter=a=b\n")
    hostile.commit()
    hostile.git("config", key, str(hostile.program()))
    hostile.write("app.py", APP + "# changed\n")
    assert read_source_labels(hostile.folder)["org.opencontainers.image.revision"].endswith("-dirty")
    assert not hostile.trace.exists()


def test_the_configuration_of_a_worktree_runs_nothing(hostile: HostileRepository) -> None:
    hostile.write(".gitattributes", "* filter=x\n")
    hostile.commit()
    hostile.git("config", "extensions.worktreeConfig", "true")
    hostile.git("config", "--worktree", "filter.x.clean", str(hostile.program()))
    hostile.write("app.py", APP + "# changed\n")
    assert read_source_labels(hostile.folder)["org.opencontainers.image.revision"].endswith("-dirty")
    assert not hostile.trace.exists()


def test_a_filter_whose_name_is_not_utf_8_does_not_run(hostile: HostileRepository) -> None:
    (hostile.folder / ".gitattributes").write_bytes(b"* filter=\xff\n")
    hostile.commit()
    with (hostile.folder / ".git" / "config").open("ab") as file:
        file.write(b'[filter "\xff"]\n\tclean = ' + bytes(hostile.program()) + b"\n")
    hostile.write("app.py", APP + "# changed\n")
    assert read_source_labels(hostile.folder)["org.opencontainers.image.revision"].endswith("-dirty")
    assert not hostile.trace.exists()


def test_the_configuration_of_a_submodule_runs_nothing(hostile: HostileRepository, tmp_path: Path) -> None:
    part = HostileRepository(tmp_path / "part")
    part.write(".gitattributes", "* filter=x\n")
    part.commit()
    hostile.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", part.url, "part")
    hostile.commit()
    inner = hostile.folder / "part"
    hostile.git("-C", str(inner), "config", "filter.x.clean", str(hostile.program()))
    (inner / "app.py").write_text(APP + "# changed\n")
    assert not read_source_labels(hostile.folder)["org.opencontainers.image.revision"].endswith("-dirty")
    assert not hostile.trace.exists()
    hostile.git("-C", str(inner), "-c", "filter.x.clean=", "commit", "--quiet", "--allow-empty", "--message=y")
    assert read_source_labels(hostile.folder)["org.opencontainers.image.revision"].endswith("-dirty")
    assert not hostile.trace.exists()


def test_more_filters_than_can_be_switched_off_are_an_answer_of_git(hostile: HostileRepository) -> None:
    hostile.commit()
    with (hostile.folder / ".git" / "config").open("a") as file:
        file.writelines(f'[filter "f{number}"]\n\tclean = true\n' for number in range(30_000))
    done = run_git("status", folder=hostile.folder, seconds=30)
    assert done.returncode > 1
    assert "filters" in done.stderr


def test_a_bare_repository_in_a_folder_is_no_repository(hostile: HostileRepository, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    program = hostile.program()
    subprocess.run(["git", "-C", str(bare), "config", "core.fsmonitor", str(program)], check=True)
    assert run_git("status", folder=bare, seconds=30).returncode
    assert not hostile.trace.exists()


def test_a_filter_of_the_users_does_not_run_on_a_strangers_files(hostile: HostileRepository, home: Path) -> None:
    (home / ".gitconfig").write_text(f'[filter "lfs"]\n\tsmudge = {hostile.program()}\n\trequired = true\n')
    hostile.write(".gitattributes", "*.py filter=lfs\n")
    hostile.git("-c", "filter.lfs.required=false", "-c", "filter.lfs.smudge=", "add", "--all")
    hostile.git("-c", "filter.lfs.required=false", "commit", "--quiet", "--message=x")
    assert plan("-C", hostile.url) == ExitCode.OK
    assert not hostile.trace.exists()


def test_a_hook_of_another_repository_is_left_alone(
    hostile: HostileRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.configure("")
    hostile.commit()
    caller = HostileRepository(tmp_path / "caller")
    caller.commit()
    caller.write("staged.py", "")
    caller.git("add", "staged.py")
    before = caller.git("status", "--porcelain", "--branch")
    names = caller.git("rev-parse", "--local-env-vars").split()
    for name, value in {
        "GIT_DIR": ".git",
        "GIT_WORK_TREE": ".",
        "GIT_INDEX_FILE": ".git/index",
        "GIT_PREFIX": "",
    }.items():
        monkeypatch.setenv(name, str(caller.folder / value) if value else value)
    assert plan("-C", hostile.url) == ExitCode.OK
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert caller.git("status", "--porcelain", "--branch") == before
    assert caller.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"


def test_git_inherits_nothing_that_names_a_repository() -> None:
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True).stdout
    hostile = dict.fromkeys(
        [*listed.split(), "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_CONFIG_KEY_0", "GIT_TRACE"], "evil"
    )
    environment = git_environment(hostile, ())
    assert "evil" not in environment.values()
    assert environment["GIT_ALLOW_PROTOCOL"] == NO_PROTOCOL


FILES = {
    "env_file": 'env_file = "~/secret"',
    "env_file, absolute": 'env_file = "{home}/secret"',
    "env_file, upwards": 'env_file = "../../../../../../../../../../../../../../../..{home}/secret"',
    "ca_bundle": '[build]\nca_bundle = "~/secret"',
    "golden": '[check]\ngolden = "~/secret"',
    "variable in index_url": '[build]\nindex_url = "http://u:${{PRIVATE}}@127.0.0.1:1/"',
    "variable in extra_index_urls": '[build]\nextra_index_urls = ["http://${{PRIVATE}}@127.0.0.1:1/"]',
    "variable in env_file": 'env_file = "names.env"',
    "cache_to": '[build]\ncache_to = "registry.example/production:latest"',
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_project_by_url_reads_nothing_of_this_machine_until_it_is_trusted(
    hostile: HostileRepository,
    home: Path,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (home / "secret").write_text(f"A={SECRET}\n")
    monkeypatch.setenv("PRIVATE", SECRET)
    hostile.write("names.env", "PRIVATE\n")
    hostile.configure(text.format(home=home))
    hostile.commit()
    assert plan("-C", hostile.url) == ExitCode.CONFIG
    seen = capsys.readouterr()
    assert "--trust" in seen.err
    assert SECRET not in seen.out + seen.err


@pytest.mark.parametrize(
    "name", ["app.py", "requirements.txt", "model.joblib", "mldeploy.toml", ".dockerignore", "a/b"]
)
def test_a_link_out_of_a_repository_is_refused(
    hostile: HostileRepository, home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "secret").write_text(SECRET)
    link = hostile.folder / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(home / "secret")
    hostile.commit()
    assert plan("-C", hostile.url) == ExitCode.PROJECT
    seen = capsys.readouterr()
    assert "leads out of the repository" in seen.err
    assert SECRET not in seen.err


def test_trust_is_remembered_for_a_url_and_can_be_withdrawn(hostile: HostileRepository, home: Path) -> None:
    (home / "secret").write_text("A=1\n")
    hostile.configure('env_file = "~/secret"')
    hostile.commit()
    assert plan("-C", hostile.url, "--trust") == ExitCode.OK
    assert plan("-C", hostile.url) == ExitCode.OK
    file = home / ".local" / "state" / "mldeploy" / "trusted-repositories.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert plan("-C", hostile.url, "--no-trust") == ExitCode.CONFIG
    assert plan("-C", str(hostile.folder), "--trust") == ExitCode.REFUSED


def test_a_clone_that_is_named_as_a_folder_is_trusted_no_more(hostile: HostileRepository, home: Path) -> None:
    (home / "secret").write_text("A=1\n")
    hostile.configure('env_file = "~/secret"')
    hostile.commit()
    assert plan("-C", hostile.url) == ExitCode.CONFIG
    (clone,) = (home / ".cache" / "mldeploy" / "repositories").glob("*/hostile")
    assert plan("-C", str(clone)) == ExitCode.CONFIG
