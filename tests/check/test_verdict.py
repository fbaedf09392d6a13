"""Every line of the verdict, failing in its own way, on real images."""

from __future__ import annotations

import re

import pytest

from mldeploy.check.verdict import CheckFailedError
from mldeploy.core.findings import Level
from mldeploy.project.errors import ProjectError
from tests.check.specimen import MIB, Specimen, bad, line

pytestmark = pytest.mark.engine

NEVER_READY = ("other-port:8080", "elsewhere:8000", "status:500")
"""What starts and stays: it is given up when its time is over. All others end by themselves, whenever that is."""
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\n"


def test_good_image_says_so_in_every_line(specimen: Specimen) -> None:
    specimen.requires("scikit-learn==1.5.2\n")
    specimen.model(made_with="1.5.2", installed="1.5.2")
    verdict = specimen.check()
    assert bad(verdict) == {}
    assert {each.subject for each in verdict.findings} == {
        *("model", "requirements", "health", "port", "golden row", "memory", "user", "stop", "secrets")
    }
    assert line(verdict, "port").what == "listens on 0.0.0.0:8000"
    assert "scikit-learn 1.5.2" in line(verdict, "model").what
    assert "10001" in line(verdict, "user").what
    figures = verdict.figures
    assert figures.start
    assert figures.stop is not None
    assert figures.memory_at_rest
    assert figures.memory_after_golden
    assert figures.memory_proposed == 128 * MIB, "the least that is proposed: it takes far less"


@pytest.mark.parametrize(
    ("mode", "subject", "cause"),
    [
        ("other-port:8080", "port", "nothing listens on port 8000, but something listens on 0.0.0.0:8080"),
        ("elsewhere:8000", "port", "it listens on 127.0.0.1:8000, which only the container itself can reach"),
        ("unpickle", "model", "the model does not load: its file is a Git LFS pointer"),
        ("import:flask", "start", "the module flask is not in the image"),
        ("status:500", "health", "/health answers 500"),
        ("eat", "memory", "out of memory: it was killed at the limit of 128 MiB"),
        ("broken-model", "golden row", "/predict_api"),
    ],
)
def test_app_that_fails_gets_one_line_with_the_cause(specimen: Specimen, mode: str, subject: str, cause: str) -> None:
    specimen.env(MODE=mode)
    specimen.within(10 if mode in NEVER_READY else 600)
    image = specimen.build()
    verdict = specimen.check(image, settle_seconds=600)  # a busy engine may say late that it has died
    if mode in NEVER_READY and not any(cause in each.what for each in verdict.errors):
        specimen.within(120)  # a busy machine has not started it in time
        verdict = specimen.check(image)
    (error,) = verdict.errors
    assert error.subject == subject
    assert cause in error.what
    assert error.todo
    assert str(CheckFailedError(specimen.found("1"), verdict)).startswith(f"{specimen.name}:1: {subject}: ")


def test_app_that_is_never_healthy_is_given_up_in_time(specimen: Specimen) -> None:
    specimen.env(MODE="silent")
    specimen.within(2)
    (error,) = specimen.check().errors
    assert error.subject == "port"
    assert re.search(r"nothing listens on port 8000 after \d+ s, the time limit", error.what)


def test_wrong_answer_is_shown_and_the_rest_is_still_looked_at(specimen: Specimen) -> None:
    specimen.golden(2.5)
    verdict = specimen.check()
    assert bad(verdict) == {"golden row": Level.ERROR}
    assert "prediction: 1.5, expected 2.5" in line(verdict, "golden row").what
    assert line(verdict, "stop").level is Level.OK


def test_without_a_golden_row_nothing_is_claimed_of_the_answers(specimen: Specimen) -> None:
    specimen.golden(None)
    verdict = specimen.check()
    assert bad(verdict) == {"golden row": Level.WARNING}
    assert verdict.figures.memory_proposed is None


def test_broken_golden_row_is_refused_before_anything_is_started(specimen: Specimen) -> None:
    image = specimen.build()
    (specimen.folder / "golden.json").write_text("{")
    with pytest.raises(ProjectError, match=r"golden\.json"):
        specimen.check(image)


def test_app_that_ignores_the_signal_is_said_to(specimen: Specimen) -> None:
    specimen.env(MODE="deaf")
    verdict = specimen.check()
    assert bad(verdict) == {"stop": Level.WARNING}
    assert "within 10 s of SIGTERM" in line(verdict, "stop").what
    assert verdict.figures.stop is None


def test_root_is_named(specimen: Specimen) -> None:
    specimen.changes = ("USER 0",)
    verdict = specimen.check()
    assert bad(verdict) == {"user": Level.WARNING}


def test_model_of_another_version_is_named_with_both(specimen: Specimen) -> None:
    specimen.model(made_with="0.23.2", installed="1.5.2")
    result = line(specimen.check(), "model")
    assert result.level is Level.WARNING
    assert result.what == "app/model.pkl was saved with scikit-learn 0.23.2, and the image has 1.5.2"
    assert "`scikit-learn==0.23.2`" in result.todo


@pytest.mark.parametrize(("prediction", "level"), [(1.5, Level.WARNING), (None, Level.ERROR)])
def test_model_that_only_the_app_can_load_is_grave_unless_the_answer_is_right(
    specimen: Specimen, prediction: float | None, level: Level
) -> None:
    specimen.golden(prediction)
    specimen.files["app/model.pkl"] = b"\x80\x04of no use"
    specimen.app(models=("model.pkl",))
    assert line(specimen.check(), "model").level is level


def test_model_that_does_not_load_names_the_library(specimen: Specimen) -> None:
    specimen.golden(None)
    specimen.model(made_with="1.5.2", installed="1.5.2")
    specimen.files["app/sklearn/__init__.py"] = "import xgboost\n"
    verdict = specimen.check()
    result = line(verdict, "model")
    assert result.level is Level.ERROR
    assert "app/model.pkl: the module xgboost is not in the image" in result.what
    assert "`xgboost`" in result.todo


def test_model_that_ends_the_process_is_named(specimen: Specimen) -> None:
    specimen.golden(None)
    specimen.model(made_with="1.5.2", installed="1.5.2")
    specimen.files["app/sklearn/__init__.py"] = "import ctypes\nctypes.string_at(0)\n"
    assert "app/model.pkl: ended the process" in line(specimen.check(), "model").what


def test_model_that_alone_takes_too_much_memory(specimen: Specimen) -> None:
    specimen.golden(None)
    specimen.model(made_with="1.5.2", installed="1.5.2")
    specimen.files["app/sklearn/__init__.py"] = "eaten = bytes(1) * (400 << 20)\n"
    assert "takes more memory than the 128 MiB" in line(specimen.check(), "model").what


def test_requirements_that_are_not_met(specimen: Specimen) -> None:
    specimen.requires('scikit-learn>=1.6\nflask\nwinreg-thing; sys_platform == "win32"\n')
    specimen.model(made_with="1.5.2", installed="1.5.2")
    result = line(specimen.check(), "requirements")
    assert result.level is Level.ERROR
    assert result.what.split("\n") == [
        "scikit-learn 1.5.2 is installed, and requirements.txt:1 asks for >=1.6",
        "flask is not installed (requirements.txt:2)",
    ]


def test_secrets_are_found_in_the_image_and_not_shown(specimen: Specimen) -> None:
    token = "ghp_" + "a1B2" * 9
    specimen.files |= {"app/.env": "KEY=hush", "app/deploy.pem": KEY, "app/app.py": f"token = '{token}'\n"}
    specimen.changes = ("ENV API_KEY=hush-hush",)
    verdict = specimen.check()
    assert bad(verdict) == {"secrets": Level.ERROR, "environment": Level.WARNING}
    messages = line(verdict, "secrets").what
    assert "app/.env is a file of environment variables" in messages
    assert "app/deploy.pem is a private key" in messages
    assert "app/app.py:1 holds a GitHub token" in messages
    assert not any(secret in str(verdict) for secret in ("hush", token))
    assert "API_KEY" in line(verdict, "environment").what


def test_app_that_needs_more_memory_than_it_may_take_is_proposed_more(specimen: Specimen) -> None:
    specimen.env(MODE="", BALLAST="100")
    verdict = specimen.check()
    assert bad(verdict) == {"memory": Level.WARNING}
    assert "`memory = " in line(verdict, "memory").todo
    assert (verdict.figures.memory_proposed or 0) > 128 * MIB
