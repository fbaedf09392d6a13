"""From a folder with a model and a sample to a page and a prediction, and back to nothing, on the real engine."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator

import pandas as pd
import pytest
import requests

from mldeploy.config.paths import config_file
from tests.bare_model import assert_answers, cleaned_engine, train
from tests.cli.command import Command
from tests.ports import reserved_port

pytestmark = pytest.mark.engine


@pytest.fixture
def bare(mldeploy: Command, name: str) -> Iterator[Command]:
    """A folder with nothing but a model and a sample, on a machine with the settings that this one has."""
    folder = mldeploy.folder.with_name(name)
    folder.mkdir()
    train(folder)
    if config_file().exists():
        own = mldeploy.home / "config" / "mldeploy"
        own.mkdir(parents=True)
        shutil.copy(config_file(), own)
    with reserved_port() as port, cleaned_engine(name):
        yield Command(mldeploy.home, folder, {"MLDEPLOY_TARGET_LOCAL_PORT": str(port)})


def test_a_model_and_a_sample_become_a_page_and_a_prediction(bare: Command) -> None:
    deployed = bare("deploy", "--json", within=600)
    assert deployed.code == 0, deployed.err
    url = str(deployed.document["url"])
    assert_answers(url)
    assert sorted(path.name for path in bare.folder.iterdir()) == ["model.joblib", "rows.csv"]
    one = bare("predict", "-f", "age=40", "-f", "smoker=no", "--json")
    assert one.document["answer"] == {"prediction": pytest.approx(8000)}
    many = bare("predict", "--csv", "rows.csv", "--out", "out.csv")
    assert many.code == 0, many.err
    out = pd.read_csv(bare.folder / "out.csv")
    assert out.prediction.to_numpy() == pytest.approx(out.charges.to_numpy())
    (bare.folder / "out.csv").unlink()
    again = bare("build", "--json")
    steps = again.document["steps"]
    assert isinstance(steps, list)
    assert {step["kind"]: step["action"] for step in steps}["image"] == "unchanged"
    shown = bare("status", "--json").document["models"]
    assert isinstance(shown, list)
    assert "bit-identical" in shown[0]
    written_by_init(bare)
    removed = bare("destroy", "--yes")
    assert removed.code == 0, removed.err
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=30)


def written_by_init(bare: Command) -> None:
    """`init` writes what the inspection showed, and the next deployment needs no other."""
    made = bare("init", "model.joblib", "--sample", "rows.csv", within=600)
    assert made.code == 0, made.err
    written = tomllib.loads((bare.folder / "mldeploy.toml").read_text())
    assert (written["model"]["task"], written["model"]["target"]) == ("regression", "charges")
    assert list(written["model"]["columns"]) == ["age", "smoker"]
    assert written["model"]["columns"]["smoker"]["categories"] == ["no", "yes"]
    golden = json.loads((bare.folder / "golden.json").read_text())
    assert golden["expect"]["prediction"] == pytest.approx(
        golden["request"]["age"] * 200 + 10_000 * (golden["request"]["smoker"] == "yes")
    )
    assert "scikit-learn==" in (bare.folder / "requirements.txt").read_text()
    assert bare("plan").code == 0


MINIMAL = """
[model]
path = "model.joblib"
sample = "rows.csv"
runtime = "minimal"
"""


@pytest.mark.exhaustive
def test_a_minimal_image_answers_the_same_without_scikit_learn(bare: Command) -> None:
    (bare.folder / "mldeploy.toml").write_text(MINIMAL)
    deployed = bare("deploy", "--json", within=900)
    assert deployed.code == 0, deployed.err
    assert_answers(str(deployed.document["url"]))
    listed = bare("exec", "--", "ls", "/venv/lib/python3.11/site-packages", "/app")
    assert "numpy" in listed.out.split()
    assert not {"sklearn", "scipy", "pandas", "model.joblib"} & set(listed.out.split())
    shown = bare("status", "--json").document["models"]
    assert isinstance(shown, list)
    assert "minimal runtime: " in shown[0]
    assert "minimal runtime: " in bare("plan").err
    assert bare("build", "--json").document["steps"][-1]["action"] == "unchanged"  # type: ignore[index]
    assert bare("destroy", "--yes").code == 0
