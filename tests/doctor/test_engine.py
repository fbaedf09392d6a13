"""What is said of an engine, and of one that is not there."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mldeploy.doctor import runner
from mldeploy.doctor.engine import findings
from mldeploy.providers.capabilities import Level
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.harness import Patient

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system or become another user")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a shell script on the PATH, before everything else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Disks of a given size."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_an_engine_like_any_other_is_all_right(patient: Patient, engine: FakeEngine) -> None:
    report = patient.engine()
    assert report.worst is Level.OK, str(report)
    assert report["engine"].what == "Docker Engine 27.3.1, API 1.44"
    assert report["socket"].what == f"{engine.endpoint}, from DOCKER_HOST"
    assert report["machine"].what == "4 CPUs, 8.0 GiB of memory, linux/amd64"


@pytest.mark.parametrize(
    ("info", "version", "name"),
    [
        ({"OperatingSystem": "Docker Desktop"}, {}, "Docker Desktop"),
        ({"OperatingSystem": "OrbStack", "Name": "orbstack"}, {}, "OrbStack"),
        ({"Name": "colima"}, {}, "colima"),
        ({"OperatingSystem": "Rancher Desktop WSL Distribution"}, {}, "Rancher Desktop"),
        ({}, {"Components": [{"Name": "Podman Engine"}], "ApiVersion": "1.41"}, "Podman"),
    ],
)
def test_every_engine_is_called_by_its_name(
    patient: Patient, engine: FakeEngine, info: dict[str, str], version: dict[str, object], name: str
) -> None:
    engine.info |= info
    engine.version |= version
    result = patient.engine()["engine"]
    assert result.what.startswith(f"{name} 27.3.1")
    assert result.level is (Level.WARNING if name == "Podman" else Level.OK)


def test_a_rootless_engine_that_cannot_limit_memory_is_said_to_be_one(patient: Patient, engine: FakeEngine) -> None:
    engine.info |= {"SecurityOptions": ["name=seccomp", "name=rootless"], "MemoryLimit": False, "CpuCfsQuota": False}
    report = patient.engine()
    assert "(rootless)" in report["engine"].what
    assert "memory and CPUs" in report["limits"].what
    assert "cgroup" in report["limits"].todo


@pytest.mark.parametrize(
    ("newest", "oldest", "level"),
    [
        ("1.39", "1.12", Level.WARNING),
        ("1.41", "1.12", Level.OK),
        ("1.44", "1.44", Level.OK),
        ("9.0", "8.0", Level.WARNING),
    ],
)
def test_an_api_that_we_do_not_know_is_told(
    patient: Patient, engine: FakeEngine, newest: str, oldest: str, level: Level
) -> None:
    engine.version |= {"ApiVersion": newest, "MinAPIVersion": oldest}
    result = patient.engine()["engine"]
    assert result.level is level
    assert bool(result.todo) == (level is Level.WARNING)


def test_an_engine_for_windows_containers_is_an_error(patient: Patient, engine: FakeEngine) -> None:
    engine.info["OSType"] = "windows"
    assert patient.engine()["system"].level is Level.ERROR


def test_an_api_that_the_sdk_refuses_is_an_error(patient: Patient, engine: FakeEngine) -> None:
    engine.version["ApiVersion"] = "1.20"
    assert patient.engine()["engine"].level is Level.ERROR


@ROOT
@pytest.mark.parametrize(("size", "level"), [("100m", Level.ERROR), ("2g", Level.WARNING), ("8g", Level.OK)])
def test_the_disk_that_images_go_to_is_looked_at(
    patient: Patient, engine: FakeEngine, small_disk: Callable[[str], Path], size: str, level: Level
) -> None:
    folder = small_disk(size)
    engine.is_this_machines(folder)
    result = patient.engine()["disk"]
    assert result.level is level
    assert str(folder) in result.what


@pytest.mark.usefixtures("engine")
def test_a_disk_that_cannot_be_seen_is_asked_for(patient: Patient) -> None:
    result = patient.engine()["disk"]
    assert result.level is Level.OK
    assert "12 GB" in result.what
    assert "3.0 GB" in result.what


def test_another_processor_is_an_error_unless_it_is_emulated(
    patient: Patient, engine: FakeEngine, program: Callable[[str, str], Path]
) -> None:
    patient.build(platform="linux/riscv64")
    assert patient.engine()["platform"].level is Level.WARNING, "nobody can tell"
    program("docker", "[ $1 = buildx ] && echo 'Platforms: linux/amd64*, linux/arm64'")
    result = patient.engine()["platform"]
    assert result.level is Level.ERROR
    assert "--install riscv64" in result.todo
    program("docker", "[ $1 = buildx ] && echo 'Platforms: linux/amd64, linux/riscv64'")
    assert patient.engine()["platform"].level is Level.OK
    engine.info["OperatingSystem"] = "OrbStack"
    assert "OrbStack emulates it" in patient.engine()["platform"].what


def test_the_kernel_is_asked_for_emulation_where_it_is_ours(
    patient: Patient, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.is_this_machines(tmp_path)
    patient.build(platform="linux/nonsense")
    assert patient.engine()["platform"].level is Level.ERROR
    patient.build(platform="linux/amd64/v2")
    assert patient.engine()["platform"].level is Level.OK


@pytest.mark.parametrize(
    ("script", "output", "level"),
    [
        (
            '[ "$1" = buildx ] && echo "github.com/docker/buildx v0.17.1 2fdf8b9"',
            "BuildKit through docker buildx v0.17.1",
            Level.OK,
        ),
        ('[ "$1" = --version ] && echo "Docker version 20.10.24, build 5d6db84"', "BuildKit through /", Level.OK),
        ('[ "$1" = --version ] && echo "Docker version 28.2.2, build e6534b4"', "no buildx plugin", Level.WARNING),
    ],
)
@pytest.mark.usefixtures("engine")
def test_the_builders_are_named(
    patient: Patient,
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    output: str,
    level: Level,
) -> None:
    monkeypatch.setenv("PATH", str(program("docker", script).parent))
    result = patient.engine()["builder"]
    assert output in result.what
    assert "classic" in result.what
    assert result.level is level
    assert bool(result.todo) == (level is not Level.OK)


@pytest.mark.usefixtures("engine")
def test_that_the_demanded_builder_is_missing_is_an_error(
    patient: Patient, program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program("docker", "exit 1").parent))
    patient.build(builder="buildkit")
    assert patient.engine()["builder"].level is Level.ERROR


def docker_config(home: Path, **keys: object) -> None:
    (home / ".docker" / "config.json").write_text(json.dumps(keys))


@pytest.mark.parametrize(
    ("script", "level", "output"),
    [
        ("echo '{}'", Level.OK, "answers"),
        ("echo 'error: gpg is not set up'; exit 1", Level.WARNING, "gpg is not set up"),
        ("exec sleep 3600", Level.WARNING, "waiting for a password"),
        (None, Level.WARNING, "is not installed"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_a_broken_credential_store_is_named(
    patient: Patient,
    machine: Path,
    program: Callable[[str, str], Path],
    limits: pytest.MonkeyPatch,
    script: str | None,
    level: Level,
    output: str,
) -> None:
    if script and "sleep" in script:
        limits.setattr(runner, "COMMAND_SECONDS", 0.5)
    docker_config(machine, credsStore="ourown")
    if script:
        program("docker-credential-ourown", script)
    result = patient.engine()["credentials"]
    assert result.level is level
    assert "docker-credential-ourown" in result.what
    assert output in result.what


@pytest.mark.usefixtures("engine")
def test_a_helper_for_one_registry_is_looked_for(patient: Patient, machine: Path) -> None:
    docker_config(machine, credHelpers={"registry.example": "nowhere"})
    result = patient.engine()["credentials"]
    assert result.level is Level.WARNING
    assert "registry.example" in result.what


@pytest.mark.usefixtures("engine")
def test_a_docker_configuration_that_is_no_json_is_told(patient: Patient, machine: Path) -> None:
    (machine / ".docker" / "config.json").write_text("{ not json")
    assert "config.json" in patient.engine()["credentials"].what


def test_no_engine_at_all_is_one_error(patient: Patient, machine: Path) -> None:
    report = patient.engine()
    assert [each.subject for each in report.findings] == ["engine"]
    assert report.worst is Level.ERROR
    assert f"unix://{machine}/nobody.sock, from DOCKER_HOST: no Docker Engine answers" in report["engine"].what


def test_a_socket_that_nobody_listens_on_is_the_same_error(patient: Patient, machine: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(machine / "nobody.sock"))
    result = patient.engine()["engine"]
    assert result.level is Level.ERROR
    assert "no Docker Engine answers there" in result.what


@pytest.mark.usefixtures("impatient")
def test_an_engine_that_says_nothing_does_not_hold_us_up(
    patient: Patient, engine: FakeEngine, limits: pytest.MonkeyPatch
) -> None:
    limits.setattr(findings, "SEARCH_SECONDS", 300)
    engine.hangs = True
    report = patient.engine()
    assert report["engine"].level is Level.WARNING
    assert report["engine"].what.startswith("could not be checked: ")
    assert "does not answer within 4 s" in report["engine"].what


@pytest.mark.usefixtures("engine")
def test_another_engine_that_does_answer_is_offered(
    patient: Patient, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{machine}/nobody.sock")
    with FakeEngine(machine / "run" / "docker.sock") as rootless:
        # The machine's own engine, if there is one, is found first.
        assert "export DOCKER_HOST=unix://" in patient.engine()["engine"].todo
        monkeypatch.setenv("DOCKER_HOST", rootless.endpoint)
        assert patient.engine()["engine"].level is Level.OK


def context(home: Path, name: str, endpoint: str) -> None:
    """As `docker context create` writes it."""
    meta = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    about = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": endpoint, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(about))


def test_it_says_why_it_is_this_engine(
    patient: Patient, engine: FakeEngine, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context(machine, "colima", engine.endpoint)
    docker_config(machine, currentContext="colima")
    assert "overrides the context 'colima'" in patient.engine()["socket"].what
    monkeypatch.delenv("DOCKER_HOST")
    assert patient.engine()["socket"].what == f"{engine.endpoint}, the current context 'colima'"
    monkeypatch.setenv("DOCKER_CONTEXT", "colima")
    assert "from DOCKER_CONTEXT" in patient.engine()["socket"].what
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    assert "'gone': does not exist" in patient.engine()["engine"].what


AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.doctor.harness import Patient  # loads all there is to load, which nobody may perhaps not read
Patient(Path(sys.argv[1])).engine()
os.environ["DOCKER_HOST"] = sys.argv[2]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(Patient(Path(sys.argv[1])).engine())
"""


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder that every user may search. Those of pytest are root's alone, and pytest closes them again."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("HOME", name)
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield folder


@pytest.fixture
def public_engine(public: Path) -> Iterator[FakeEngine]:
    with FakeEngine(public / "engine.sock") as engine:
        yield engine


def _engine_as_nobody(folder: Path, engine: FakeEngine, *before: str) -> str:
    command = [*before, sys.executable, "-c", AS_NOBODY, str(Patient.made(folder / "app").folder), engine.endpoint]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@ROOT
def test_a_user_who_may_not_use_the_socket_is_told_how_to_be_allowed(public: Path, public_engine: FakeEngine) -> None:
    public_engine.path.chmod(0o600)
    output = _engine_as_nobody(public, public_engine)
    assert "permission denied for the Docker Engine's socket" in output
    assert "usermod -aG docker" in output


@ROOT
@pytest.mark.parametrize("closed", [".docker", ".colima"])
def test_a_folder_of_another_engine_that_may_not_be_searched_is_passed_over(
    public: Path, public_engine: FakeEngine, closed: str
) -> None:
    (public / closed).mkdir(mode=0o700)
    public_engine.path.chmod(0o600)
    assert "permission denied for the Docker Engine's socket" in _engine_as_nobody(public, public_engine)


@ROOT
def test_a_new_member_of_the_socket_s_group_is_told_to_log_in_again(
    public: Path, public_engine: FakeEngine, tmp_path: Path
) -> None:
    group = tmp_path / "group"
    group.write_text(f"{Path('/etc/group').read_text()}captains:x:54321:nobody\n")
    os.chown(public_engine.path, 0, 54321)
    public_engine.path.chmod(0o660)
    command = 'mount --bind "$1" /etc/group && shift && exec "$@"'
    output = _engine_as_nobody(public, public_engine, "unshare", "--mount", "sh", "-c", command, "sh", str(group))
    assert "You belong to the group captains, but not yet in this session" in output
