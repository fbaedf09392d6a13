"""What is said of the configuration."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mldeploy.providers.capabilities import Level
from tests.doctor.harness import Patient


@pytest.fixture
def user_file(machine: Path) -> Path:
    path = machine / ".config" / "mldeploy" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_every_source_is_named(patient: Patient, user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(user_file) in patient.configuration()["user file"].what
    user_file.write_text('[build]\nbase_image = "python:3.12"\n')
    monkeypatch.setenv("MLDEPLOY_APP_PORT", "8123")
    monkeypatch.setenv("MLDEPLOY_TARGET_LOCAL_HOST", "127.0.0.9")
    report = patient.configuration()
    assert report.worst is Level.OK, str(report)
    assert report["user file"].what == f"{user_file} sets build.base_image"
    assert "mldeploy.toml" in report["project file"].what
    assert "MLDEPLOY_APP_PORT sets app.port and MLDEPLOY_TARGET_LOCAL_HOST" in report["environment"].what
    assert "8123" not in str(report), "a variable may hold a secret"


def test_the_project_may_say_it_in_its_pyproject(patient: Patient) -> None:
    (patient.folder / "mldeploy.toml").unlink()
    assert "none" in patient.configuration()["project file"].what
    patient.write("pyproject.toml", '[tool.mldeploy.app]\nname = "patient"\n')
    assert "pyproject.toml" in patient.configuration()["project file"].what


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("[app\n", "not valid TOML"),
        ('[app]\nnmae = "x"\n', 'did you mean "name"?'),
        ("[app]\nport = 70000\n", "must be an integer"),
    ],
)
def test_what_is_wrong_is_an_error_with_its_place(patient: Patient, text: str, output: str) -> None:
    patient.write("mldeploy.toml", text)
    result = patient.configuration()["configuration"]
    assert result.level is Level.ERROR
    assert "mldeploy.toml" in result.what
    assert output in result.what


def test_a_table_for_a_target_that_is_not_there_is_a_slip(patient: Patient) -> None:
    patient.configure({"app": {"name": "patient"}, "target": {"locl": {"port": 1}}})
    result = patient.configuration()["mldeploy.toml: target.locl"]
    assert result.level is Level.WARNING
    assert 'did you mean "local"?' in result.what


def test_the_target_s_table_is_checked(patient: Patient) -> None:
    patient.configure({"app": {"name": "patient"}, "target": {"local": {"prot": 1}}})
    result = patient.configuration()["target"]
    assert result.level is Level.ERROR
    assert "target.local.prot" in result.what


def test_state_that_cannot_be_written_is_an_error(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    result = patient.configuration()["state"]
    assert result.level is Level.ERROR
    assert "XDG_STATE_HOME" in result.todo


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_full_disk_for_the_state_is_an_error(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        monkeypatch.setenv("XDG_STATE_HOME", str(disk))
        result = patient.configuration()["state"]
        assert result.level is Level.ERROR
        assert str(disk) in result.what
    finally:
        subprocess.run(["umount", disk], check=True)
