"""Train the model that the app serves: `python train.py`, or `python train.py --data insurance.csv` on the real table.

The same data, seed and library versions give the same files, byte for byte: an unchanged app stays an unchanged image.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from generate import generate
from model import ChargeModel, Metadata, Metrics
from schema import FIELDS, NAMES, ChoiceField, NumberField, ValidationError, read_table

HERE = Path(__file__).parent
TARGET = "charges"
NUMBERS = [field.name for field in FIELDS if isinstance(field, NumberField)]
CHOICES = [field.name for field in FIELDS if isinstance(field, ChoiceField)]
LIBRARIES = ("scikit-learn", "pandas", "numpy", "joblib")


@dataclass(frozen=True)
class Trained:
    """A model, and the people (with their charges) who were held back to judge it."""

    model: ChargeModel
    held_out: pd.DataFrame


def train(table: pd.DataFrame, source: str, seed: int) -> Trained:
    """Fit the pipeline on four fifths of `table`, judge it on the rest. `source` says where the table is from."""
    seen, held_out = train_test_split(table, test_size=0.2, random_state=seed)
    pipeline = build_pipeline(seed).fit(seen[list(NAMES)], seen[TARGET])
    metadata = Metadata(
        data=source,
        seed=seed,
        versions={library: version(library) for library in LIBRARIES},
        metrics=judge(pipeline, seen, held_out),
        ranges={name: (float(seen[name].min()), float(seen[name].max())) for name in NUMBERS},
        typical={
            **{name: float(seen[name].median()) for name in NUMBERS},
            **{name: str(seen[name].mode()[0]) for name in CHOICES},
        },
    )
    return Trained(ChargeModel(pipeline, metadata), held_out)


def build_pipeline(seed: int) -> Pipeline:
    """Return the unfitted pipeline: words one-hot, numbers as they are (trees need no scaling), then boosted trees."""
    columns = ColumnTransformer(
        [("words", OneHotEncoder(), CHOICES), ("numbers", "passthrough", NUMBERS)],
        sparse_threshold=0,
    )
    trees = GradientBoostingRegressor(
        n_estimators=150, learning_rate=0.05, max_depth=3, min_samples_leaf=10, random_state=seed
    )
    return Pipeline([("columns", columns), ("trees", trees)])


def judge(pipeline: Pipeline, seen: pd.DataFrame, held_out: pd.DataFrame) -> Metrics:
    """Measure the fitted pipeline on the people held out, beside answering everybody with the mean of those seen."""
    actual, predicted = held_out[TARGET], pipeline.predict(held_out[list(NAMES)])
    mean = [seen[TARGET].mean()] * len(actual)
    return Metrics(
        people=len(actual),
        r2=float(r2_score(actual, predicted)),
        mae=float(mean_absolute_error(actual, predicted)),
        rmse=float(root_mean_squared_error(actual, predicted)),
        baseline_mae=float(mean_absolute_error(actual, mean)),
        baseline_rmse=float(root_mean_squared_error(actual, mean)),
    )


def read_data(path: Path) -> pd.DataFrame:
    """Read a CSV with the columns of the insurance table; raises ValueError if one is missing or holds nonsense."""
    table = pd.read_csv(path)
    missing = [name for name in (*NAMES, TARGET) if name not in table]
    if missing:
        raise ValueError(f"no column named {', '.join(missing)}")
    try:
        read_table({"columns": list(NAMES), "data": table[list(NAMES)].astype(object).to_numpy().tolist()})
    except ValidationError as invalid:
        problem = invalid.problems[0]
        raise ValueError(f"row {problem.row}, {problem.field}: {problem.reason}") from invalid
    return table


def plot(trained: Trained, path: Path) -> None:
    """Write a picture of predicted against actual charges of the people held out."""
    actual = trained.held_out[TARGET]
    predicted = trained.model.pipeline.predict(trained.held_out[list(NAMES)])
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(actual, predicted, s=16, alpha=0.6, color="#0f6e63", label=f"{len(actual)} people held out")
    axes.axline((0, 0), slope=1, color="#8a3b12", linewidth=1, label="exactly right")
    axes.set(xlabel="actual charge, $ a year", ylabel="predicted charge, $ a year", xlim=(0, None), ylim=(0, None))
    axes.set_title(f"R² {trained.model.metadata.metrics.r2:.2f}")
    axes.legend()
    figure.savefig(path, dpi=120, metadata={"Software": None})


def golden(model: ChargeModel) -> str:
    """Return a request and its answer as JSON: what serves this model must answer so before it goes live."""
    row = {field.name: field.example for field in FIELDS}
    check = {
        "path": "/predict_api",
        "request": row,
        "expect": {"prediction": model.predict_one(row)},
        "tolerance": {"relative": 0.001},
    }
    return json.dumps(check, indent=2) + "\n"


def report(metrics: Metrics) -> str:
    """Say how good the model is, in the words of `Metrics`."""
    return "\n".join(
        (
            f"on {metrics.people} people held out:      model   always the mean",
            f"  R²                      {metrics.r2:12.3f}",
            f"  mean absolute error     {metrics.mae:12,.0f} {metrics.baseline_mae:17,.0f} dollars a year",
            f"  root mean squared error {metrics.rmse:12,.0f} {metrics.baseline_rmse:17,.0f} dollars a year",
        )
    )


def write(trained: Trained, made_up: pd.DataFrame | None, folder: Path) -> Iterator[Path]:
    """Write all files into `folder` and yield their paths. The model comes last: where it is, the others are too."""
    folder.mkdir(parents=True, exist_ok=True)
    if made_up is not None:
        made_up.to_csv(folder / "made_up_insurance.csv", index=False)
        yield folder / "made_up_insurance.csv"
    plot(trained, folder / "predicted_vs_actual.png")
    yield folder / "predicted_vs_actual.png"
    (folder / "golden.json").write_text(golden(trained.model), encoding="utf-8")
    yield folder / "golden.json"
    trained.model.save(folder / "model.joblib")
    yield folder / "model.joblib"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read or make up the data, train, print how good the model is, and write what the app needs."""
    parser = argparse.ArgumentParser(description="Train the insurance model.")
    parser.add_argument("--data", type=Path, help="CSV with age, sex, bmi, children, smoker, region, charges")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up data and of the training (default: 0)")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into (default: beside train.py)")
    options = parser.parse_args(arguments)
    try:
        table = read_data(options.data) if options.data else generate(seed=options.seed)
    except (OSError, ValueError) as error:
        parser.error(f"{options.data}: {error}")
    trained = train(table, options.data.name if options.data else "made-up data", options.seed)
    print(report(trained.model.metadata.metrics))
    for path in write(trained, None if options.data else table, options.output):
        print(f"wrote {path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
