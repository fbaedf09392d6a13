"""train.py: what it writes, that it writes the same again, and what it says to bad data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import pandas as pd
import pytest
from flask.testing import FlaskClient

import train

APP = Path(__file__).parents[1]
WRITTEN = ("made_up_insurance.csv", "predicted_vs_actual.png", "golden.json", "model.joblib")


def test_the_same_seed_gives_the_same_bytes_in_another_process(trained: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    program = [sys.executable, "train.py", "--output", str(tmp_path)]
    subprocess.run(program, cwd=APP, env=environment, check=True, capture_output=True)
    for name in WRITTEN:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name


def test_another_seed_gives_another_model(trained: Path, tmp_path: Path) -> None:
    train.main(["--output", str(tmp_path), "--seed", "1"])
    assert (tmp_path / "model.joblib").read_bytes() != (trained / "model.joblib").read_bytes()


def test_it_names_what_it_wrote_and_how_good_the_model_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    train.main(["--output", str(folder)])
    talk = capsys.readouterr().out
    for name in WRITTEN:
        assert f"wrote {folder / name} (" in talk
    assert "R²" in talk
    assert "mean absolute error" in talk


def test_the_model_is_far_better_than_the_mean(trained: Path) -> None:
    metrics = joblib.load(trained / "model.joblib")["metadata"]["metrics"]
    assert metrics["r2"] > 0.85
    assert metrics["mae"] < metrics["baseline_mae"] / 3


def test_the_committed_golden_row_is_what_training_writes(trained: Path) -> None:
    assert (APP / "golden.json").read_text(encoding="utf-8") == (trained / "golden.json").read_text(encoding="utf-8")


def test_the_app_answers_the_golden_row(client: FlaskClient) -> None:
    golden = json.loads((APP / "golden.json").read_text(encoding="utf-8"))
    answer = client.post(golden["path"], json=golden["request"])
    expected = golden["expect"]["prediction"]
    assert answer.get_json() == {"prediction": pytest.approx(expected, rel=golden["tolerance"]["relative"])}


def test_the_model_file_loads_without_the_apps_own_modules(trained: Path, tmp_path: Path) -> None:
    program = "import joblib, sys; print(joblib.load(sys.argv[1])['pipeline'].predict)"
    subprocess.run([sys.executable, "-I", "-c", program, trained / "model.joblib"], cwd=tmp_path, check=True)


def test_a_table_of_ones_own_is_trained_on(trained: Path, tmp_path: Path) -> None:
    table = pd.read_csv(trained / "made_up_insurance.csv")
    table["charges"] = 5000.0
    table.to_csv(tmp_path / "own.csv", index=False)
    train.main(["--data", str(tmp_path / "own.csv"), "--output", str(tmp_path)])
    assert joblib.load(tmp_path / "model.joblib")["metadata"]["data"] == "own.csv"
    assert json.loads((tmp_path / "golden.json").read_text(encoding="utf-8"))["expect"] == {"prediction": 5000.0}
    assert not (tmp_path / "made_up_insurance.csv").exists()


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("age,sex,bmi,children,smoker,charges", "42,female,27.4,2,no,9000", "no column named region"),
        ("age,sex,bmi,children,smoker,region", "42,female,27.4,2,no,northwest", "no column named charges"),
        ("age,sex,bmi,children,smoker,region,charges", "142,female,27.4,2,no,northwest,9000", "row 0, age: must be"),
        ("age,sex,bmi,children,smoker,region,charges", "42,female,27.4,2,,northwest,9000", "row 0, smoker: must"),
    ],
)
def test_a_bad_table_is_refused_before_anything_is_written(
    header: str, row: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        train.main(["--data", str(tmp_path / "bad.csv"), "--output", str(tmp_path / "output")])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_a_missing_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        train.main(["--data", str(tmp_path / "none.csv"), "--output", str(tmp_path)])
    assert "none.csv" in capsys.readouterr().err
