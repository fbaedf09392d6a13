"""A notebook that trains a model: where it saves it, what it reads, and which columns it uses. It is never run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mldeploy.project.detect.models.notebook import read_notebook
from mldeploy.project.errors import ProjectError


def notebook(folder: Path, *cells: str | list[str], name: str = "train.ipynb") -> Path:
    (folder / name).parent.mkdir(exist_ok=True)
    document = {"nbformat": 4, "cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    document["cells"].insert(0, {"cell_type": "markdown", "source": ["# joblib.dump(model, 'no.joblib')"]})  # type: ignore[attr-defined]
    (folder / name).write_text(json.dumps(document))
    return folder


def test_the_model_the_sample_and_the_columns_are_in_the_cells(tmp_path: Path) -> None:
    cells: list[str | list[str]] = [
        [
            "%matplotlib inline\n",
            "!pip install pandas\n",
            "import pandas as pd, joblib\n",
            "df = pd.read_csv('rows.csv')",
        ],
        "X = df[['age', 'bmi']]\ny = df['charges']",
        "this is not Python",
        "model.fit(X, y)\nplt.save('plot.png')\njoblib.dump(model, 'model.joblib')",
    ]
    found = read_notebook(notebook(tmp_path, *cells), "train.ipynb")
    assert (found.path, found.cell) == ("model.joblib", 5)
    assert (found.sources, found.columns) == (("rows.csv",), ("age", "bmi"))


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ("with open('m.pkl', 'wb') as file:\n    pickle.dump(model, file)", "m.pkl"),
        ("pickle.dump(model, open('m.pkl', 'wb'))", "m.pkl"),
        ("joblib.dump(model, Path('out/m.joblib'))", "out/m.joblib"),
        ("booster.save_model('m.json')", "m.json"),
        ("model.save('m.keras')", "m.keras"),
        ("torch.jit.save(scripted, 'm.pt')", "m.pt"),
    ],
)
def test_the_ways_to_save_a_model(tmp_path: Path, cell: str, path: str) -> None:
    assert read_notebook(notebook(tmp_path, cell), "train.ipynb").path == path


def test_paths_are_relative_to_the_notebook(tmp_path: Path) -> None:
    notebook(tmp_path, "joblib.dump(model, '../m.joblib')", name="notebooks/train.ipynb")
    assert read_notebook(tmp_path, "notebooks/train.ipynb").path == "m.joblib"


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "is no notebook with cells"), ("no JSON", "is no notebook with cells"), (None, "there is no such file")],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "train.ipynb").write_text(content)
    with pytest.raises(ProjectError, match=message):
        read_notebook(tmp_path, "train.ipynb")


def test_a_notebook_without_a_saved_model_says_how_to_save_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="has no cell that saves a model"):
        read_notebook(notebook(tmp_path, "print(1)"), "train.ipynb")
