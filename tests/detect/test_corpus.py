"""Every folder of the corpus: what a user of `mldeploy init` is told about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mldeploy.config.model import ConfigFile
from mldeploy.project.detect.findings import Detected
from mldeploy.project.detect.folder import DetectedFolder
from mldeploy.project.detect.tables import build_tables
from tests.detect.folders import Case, cases, filled

CASES = cases()


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    detected: Case = request.param
    return detected


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 40


def test_a_folder_is_understood_as_its_author_meant_it(case: Case, tmp_path: Path) -> None:
    folder = case.detect(tmp_path)
    texts = {key: SEEN[key](folder) for key in case.expect if key in SEEN}
    assert texts == {key: case.expect[key] for key in texts}


def test_a_folder_gets_these_remarks_and_no_others(case: Case, tmp_path: Path) -> None:
    folder = case.detect(tmp_path)
    texts = [f"{each.severity.value} {each.code} {each.source}" for each in folder.remarks]
    assert sorted(texts) == sorted(case.expect["remarks"]), "\n".join(each.what for each in folder.remarks)
    assert all(each.what and (each.todo or each.severity.value == "note") for each in folder.remarks)


def test_no_secret_of_a_folder_is_ever_said(case: Case, tmp_path: Path) -> None:
    folder = case.detect(tmp_path)
    for secret in case.expect.get("never_said", []):
        assert filled(secret) not in repr(folder)


def test_what_was_found_is_a_valid_configuration(case: Case, tmp_path: Path) -> None:
    detected = build_tables(case.detect(tmp_path))
    ConfigFile.model_validate(detected, strict=True)
    for key in case.expect.get("tables_without", []):
        table, _, name = key.partition(".")
        assert name not in detected[table]


def test_looking_changes_nothing_and_sees_the_same_twice(case: Case, tmp_path: Path) -> None:
    first = case.detect(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in first.root.rglob("*")}
    second = case.detect(tmp_path / "b")
    assert {path: path.stat().st_mtime_ns for path in first.root.rglob("*")} == before
    assert second.remarks == first.remarks
    assert build_tables(second) == build_tables(first)


def _known(expected: dict[str, Any]) -> set[str]:
    return expected.keys() - SEEN.keys() - {"remarks", "never_said", "tables_without"}


def test_nothing_is_expected_that_no_test_looks_at(case: Case) -> None:
    assert not _known(case.expect)


def _value(detected: Detected[Any] | None) -> Any:
    return detected.value if detected else ""


SEEN: dict[str, Callable[[DetectedFolder], Any]] = {
    "entry": lambda folder: str(_value(folder.entry)),
    "entry_source": lambda folder: str(folder.entry.source if folder.entry else ""),
    "entries": lambda folder: [str(each.value) for each in folder.entries],
    "framework": lambda folder: folder.entry.value.framework if folder.entry else "",
    "interface": lambda folder: folder.entry.value.interface.value if folder.entry else "",
    "factory": lambda folder: bool(folder.entry and folder.entry.value.factory),
    "start_in": lambda folder: folder.entry.value.start_in if folder.entry else "",
    "start": lambda folder: {
        key: value
        for key, value in build_tables(folder)["app"].items()
        if key in {"entry", "interface", "command", "chdir", "health"}
    },
    "python": lambda folder: str(_value(folder.python)),
    "python_replaces": lambda folder: ".".join(map(str, (folder.python and folder.python.value.replaces) or ())),
    "dependencies": lambda folder: (
        [each.requirement for each in folder.dependencies.dependencies] if folder.dependencies else []
    ),
    "origin": lambda folder: folder.dependencies.origin.value if folder.dependencies else "",
    "system_packages": lambda folder: build_tables(folder)["build"].get("system_packages", []),
    "port": lambda folder: _value(folder.port),
    "port_source": lambda folder: str(folder.port.source if folder.port else ""),
    "port_certainty": lambda folder: folder.port.certainty.name.lower() if folder.port else "",
    "models": lambda folder: [each.value.path for each in folder.models],
    "model_files": lambda folder: list(folder.model_files),
    "formats": lambda folder: {each.value.path: each.value.format for each in folder.models},
    "sklearn": lambda folder: dict(folder.models[0].value.versions).get("scikit-learn", ""),
    "health": lambda folder: _value(folder.health),
    "health_by": lambda folder: build_tables(folder)["app"].get("health_by", "app"),
    "predict": lambda folder: _value(folder.predict),
    "predict_table": lambda folder: _value(folder.predict_table),
    "env_file": lambda folder: _value(folder.env_file),
}
