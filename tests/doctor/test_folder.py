"""What is said of the app's folder, and of what an earlier command left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mldeploy.config.paths import state_folder
from mldeploy.core.journal import Journal, Scope, read
from mldeploy.core.scratch import OWNER
from mldeploy.core.step import Key, Resource
from mldeploy.doctor.context import DoctorContext
from mldeploy.doctor.folder.content import check_temporary_files, folder_checks
from mldeploy.doctor.runner import FindingGroup, apply_fixes, run_checks
from mldeploy.providers.capabilities import DoctorCheck, Level
from tests.doctor.harness import Patient

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n"
SCOPE = Scope("patient", "local")
IMAGE = Resource("image", Key("patient"))


def test_what_a_killed_command_left_is_found_and_removed(patient: Patient, machine: Path) -> None:
    left = [machine / "tmp" / "mldeploy-dead0001", patient.folder / ".mldeploy-dead0002"]
    for each in left:
        each.mkdir()
        (each / OWNER).touch()
    diagnoses = run_checks(
        [(FindingGroup.FOLDER, DoctorCheck("temporary files", lambda: check_temporary_files(patient.folder)))]
    )
    (finding,) = [each.finding for each in diagnoses]
    assert all(str(each) in finding.what for each in left)
    (mended,) = apply_fixes(diagnoses)
    assert not mended.problem
    assert not [each for each in left if each.exists()]
    assert list(check_temporary_files(patient.folder)) == []


def test_a_folder_as_it_should_be_is_all_right(patient: Patient) -> None:
    patient.write("model.joblib", b"x" * 50_000)
    report = patient.in_folder()
    assert report.worst is Level.OK, str(report)
    assert "patient in " in report["app"].what
    assert report["app.models"].what.startswith("model.joblib")
    assert report["context"].what.startswith("50 kB in 3 files; the largest: model.joblib (50 kB)")


def test_where_there_is_no_app_only_the_machine_is_looked_at(tmp_path: Path) -> None:
    report = Patient(tmp_path / "home").in_folder()
    assert [each.subject for each in report.findings] == ["folder"]
    assert report["folder"].level is Level.WARNING


def test_every_problem_of_the_folder_has_its_line(patient: Patient) -> None:
    (patient.folder / "app.py").rename(patient.folder / "other.py")
    patient.configure({"app": {"entry": "app:app"}, "build": {"requirements": "needs.txt"}})
    report = patient.in_folder()
    assert report["mldeploy.toml: app.entry"].level is Level.ERROR
    assert any("needs.txt" in each.what for each in report.findings)
    assert not report.about("context")


def test_a_file_that_cannot_be_read_is_an_error(patient: Patient) -> None:
    os.mkfifo(patient.folder / "golden.json")
    patient.configure({"app": {"name": "patient"}, "check": {"golden": "golden.json"}})
    assert patient.in_folder().worst is Level.ERROR


def test_secrets_that_would_get_into_the_image_are_named(patient: Patient) -> None:
    patient.write("Dockerfile", "FROM scratch\nCOPY . .\n")
    patient.write(".env", "PASSWORD=hunter2\n")
    patient.write("keys/server.pem", KEY)
    patient.write("keys/public.pem", "-----BEGIN CERTIFICATE-----\n")
    report = patient.in_folder()
    assert report[".dockerignore"].level is Level.WARNING
    assert report[".env"].level is report["keys/server.pem"].level is Level.WARNING
    assert not report.about("keys/public.pem")
    assert "hunter2" not in str(report)
    patient.write(".dockerignore", ".env\nkeys\n")
    assert patient.in_folder().worst is Level.OK


def test_without_a_dockerfile_of_ones_own_the_usual_secrets_stay_out(patient: Patient) -> None:
    patient.write(".env", "PASSWORD=hunter2\n")
    report = patient.in_folder()
    assert report[".dockerignore"].level is Level.OK
    assert not report.about(".env")


def test_heavy_things_are_named(patient: Patient) -> None:
    with patient.write("data/train.csv", "").open("wb") as file:
        file.truncate(150 * 10**6)
    report = patient.in_folder()
    assert report["context"].level is Level.WARNING
    assert "data/train.csv (150 MB)" in report["context"].what
    assert report["data"].level is Level.WARNING
    patient.write(".dockerignore", "data\n")
    assert patient.in_folder()["context"].level is Level.OK


def test_a_heavy_model_is_what_the_image_is_for(patient: Patient) -> None:
    with patient.write("model.onnx", "").open("wb") as file:
        file.truncate(150 * 10**6)
    assert patient.in_folder()["context"].level is Level.OK


COMMAND = """
import sys
from mldeploy.config.paths import state_folder
from mldeploy.core.journal import Journal, Scope
from mldeploy.core.scratch import OWNER
from mldeploy.core.step import Key, Resource
with Journal(state_folder(), Scope("patient", "local"), "mldeploy deploy") as journal:
    for kind in sys.argv[1:]:
        journal.begin(Resource(kind, Key("patient")))
    print("at work", flush=True)
    sys.stdin.read()
"""


@contextmanager
def at_work(kinds: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """Another command that has begun things of these kinds and goes on."""
    words = [sys.executable, "-c", COMMAND, *kinds]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def killed(*kinds: str) -> None:
    """A command that began things of these kinds and was killed."""
    with at_work(kinds) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


def test_a_command_at_work_is_told_from_one_that_died(patient: Patient) -> None:
    with at_work(["image"]):
        result = patient.in_folder()["last command"]
        assert "`mldeploy deploy`" in result.what
        assert "is still running" in result.what
    result = patient.in_folder()["last command"]
    assert "was interrupted; it had started: image patient" in result.what
    assert "mldeploy destroy" in result.todo
    assert result.level is Level.WARNING
    assert result.fix is None, "what was begun is for deploy and destroy"


def test_a_command_that_ended_as_it_should_left_its_journal(patient: Patient) -> None:
    with Journal(state_folder(), SCOPE, "mldeploy deploy") as journal:
        journal.begin(IMAGE)
    result = patient.in_folder()["last command"]
    assert result.level is Level.OK
    assert "image patient" in result.what


def test_the_lock_of_a_command_that_died_early_is_removed(patient: Patient) -> None:
    killed()
    locks = list(state_folder().rglob("*.lock"))
    assert len(locks) == 1
    diagnoses = run_checks(
        (FindingGroup.FOLDER, each) for each in folder_checks(DoctorContext.of(patient.folder, "local"))
    )
    (mended,) = apply_fixes(diagnoses)
    assert not mended.problem
    assert not locks[0].exists()
    assert not patient.in_folder().about("last command")


def test_nothing_is_removed_from_under_a_command_that_has_begun_meanwhile(patient: Patient) -> None:
    killed()
    diagnoses = run_checks(
        (FindingGroup.FOLDER, each) for each in folder_checks(DoctorContext.of(patient.folder, "local"))
    )
    with at_work(["image"]):
        (mended,) = apply_fixes(diagnoses)
        assert "another command works" in mended.problem
        assert read(state_folder(), SCOPE) == (IMAGE,)


def test_what_belongs_to_another_target_is_not_told(patient: Patient) -> None:
    with Journal(state_folder(), Scope("patient", "fargate", ("eu-west-1",)), "mldeploy deploy") as journal:
        journal.begin(IMAGE)
    assert not patient.in_folder().about("last command")


def test_a_damaged_journal_is_an_error(patient: Patient) -> None:
    with Journal(state_folder(), SCOPE, "mldeploy deploy") as journal:
        journal.begin(IMAGE)
    SCOPE.file(state_folder()).write_text("nonsense\n")
    result = patient.in_folder()["last command"]
    assert result.level is Level.ERROR
    assert "Move it away" in result.todo


@pytest.mark.parametrize("place", [(), ("eu-west-1",), ("..", "a@b", "")])
def test_a_journal_is_found_wherever_its_deployment_is(patient: Patient, place: tuple[str, ...]) -> None:
    with Journal(state_folder(), Scope("patient", "local", place), "mldeploy deploy") as journal:
        journal.begin(IMAGE)
    assert patient.in_folder()["last command"].level is Level.OK
