"""Whose clock is wrong."""

from __future__ import annotations

import pytest

from mldeploy.providers.capabilities import Level
from tests.doctor.fake_engine import FakeEngine
from tests.doctor.harness import Patient
from tests.doctor.servers import Server


@pytest.mark.parametrize(
    ("ahead", "level", "output"),
    [
        (5, Level.OK, "agrees with this machine's clock"),
        (-180, Level.WARNING, "is 3 min behind this machine's clock"),
        (7260, Level.ERROR, "is 2 h ahead of this machine's clock"),
    ],
)
def test_the_engine_s_clock(patient: Patient, engine: FakeEngine, ahead: float, level: Level, output: str) -> None:
    engine.ahead = ahead
    engine.info["Name"] = "colima"
    patient.build(
        base_image="127.0.0.1:1/none", args={"PIP_INDEX_URL": "http://a.invalid", "UV_INDEX_URL": "http://a.invalid"}
    )
    result = patient.clock()["engine"]
    assert result.level is level
    assert output in result.what
    assert ("restart colima" in result.todo) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("ahead", "age", "level", "output"),
    [
        (0, 0, Level.OK, "agrees"),
        (0, 3600, Level.OK, "agrees"),
        (60, 0, Level.WARNING, "is 60 s behind the clock of 127.0.0.1"),
        (-900, 0, Level.ERROR, "is 15 min ahead of the clock of 127.0.0.1"),
    ],
)
def test_this_machine_s_clock(
    patient: Patient, index: Server, ahead: float, age: int, level: Level, output: str
) -> None:
    index.ahead, index.age = ahead, age
    patient.build(args={"PIP_INDEX_URL": index.url, "UV_INDEX_URL": index.url})
    result = patient.clock()["this machine"]
    assert result.level is level
    assert output in result.what


def test_one_server_with_a_wrong_clock_is_not_our_fault(patient: Patient, index: Server) -> None:
    with Server(ahead=9000) as wrong:
        patient.build(args={"PIP_INDEX_URL": index.url, "UV_INDEX_URL": wrong.url})
        assert patient.clock()["this machine"].level is Level.OK


def test_nobody_to_compare_with_is_no_error(patient: Patient) -> None:
    patient.build(args={"PIP_INDEX_URL": "http://a.invalid", "UV_INDEX_URL": "http://a.invalid"})
    result = patient.clock()["this machine"]
    assert result.level is Level.OK
    assert "could not be compared" in result.what
