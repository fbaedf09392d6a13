"""Small data and fitted models, and the one claim of these tests: the compiled model predicts the same bits."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mldeploy_model.compiled import Proof, compile_model, prove
from mldeploy_model.compiled.model import CompiledModel
from mldeploy_model.compiled.proof import Effort
from mldeploy_model.schema import Column, ModelSchema

ROWS = 120
CATEGORIES = ("ne", "nw", "se", "sw")
COLUMNS = (
    Column("age", "integer"),
    Column("sex", "category", categories=("female", "male")),
    Column("bmi", "number", optional=True),
    Column("children", "integer"),
    Column("region", "category", categories=CATEGORIES, optional=True),
    Column("rooms", "number", optional=True),
)
NUMBERS = ["age", "bmi", "children", "rooms"]
TEXTS = ["sex", "region"]


def example_frame(seed: int = 0, rows: int = ROWS, missing: bool = False) -> pd.DataFrame:
    """Customers with numbers and texts; the third category of a region is rare."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 65, rows),
            "sex": random.choice(["female", "male"], rows),
            "bmi": random.normal(30, 6, rows),
            "children": random.integers(0, 6, rows),
            "region": random.choice(CATEGORIES, rows, p=[0.45, 0.3, 0.05, 0.2]),
            "rooms": random.choice([1.5, 2.0, 2.5, 3.0, 3.25], rows),
        }
    )
    if missing:
        for name in ("bmi", "region", "rooms"):
            frame.loc[random.random(rows) < 0.1, name] = np.nan
    return frame


def example_target(frame: pd.DataFrame) -> Any:
    """A price that depends on everything a little."""
    bmi, rooms = frame["bmi"].fillna(25.0), frame["rooms"].fillna(1.0)
    return (frame["age"] * 12.5 + bmi**2 + (frame["sex"] == "male") * 80.0 + rooms * 33.3).to_numpy()


def example_classes(frame: pd.DataFrame, count: int = 2) -> Any:
    """The price as `count` classes, named."""
    price = example_target(frame)
    borders = np.quantile(price, np.linspace(0, 1, count + 1)[1:-1])
    return np.array(["low", "mid", "high"])[np.searchsorted(borders, price)]


def fit(model: Any, frame: Any, target: Any) -> Any:
    """The fitted model. What its fit warns of is no matter of these tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(frame, target)


def rows_of(frame: pd.DataFrame, count: int = 15) -> list[dict[str, Any]]:
    """The first rows as JSON would have them."""
    records = frame.head(count).to_dict("records")
    return [{str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for row in records]


def compare(
    fitted: Any,
    frame: pd.DataFrame,
    *,
    rows: int = 200,
    seed: int = 0,
    single_rows: int = 40,
) -> tuple[CompiledModel, Proof]:
    """The compiled model and its proof."""
    names = set(frame.columns)
    used = [column for column in COLUMNS if column.name in names]
    compiled = compile_model(fitted, used)
    schema = ModelSchema("m", "model.joblib", "sklearn", columns=tuple(used))
    return compiled, prove(compiled, fitted, schema, rows_of(frame), seed=seed, effort=Effort(rows, single_rows))


def assert_identical(
    fitted: Any, frame: pd.DataFrame, stock: Sequence[str] = (), seed: int = 0, single_rows: int = 2
) -> None:
    """Every row gives the same bits or the same refusal, and only the named parts are called as they are."""
    compiled, proof = compare(fitted, frame, rows=(rows := 60), seed=seed, single_rows=single_rows)
    assert proof.equal, f"{proof.reason} {proof.worst_row}"
    assert proof.worst_difference == 0
    assert proof.rows > rows
    assert [name for name, _ in compiled.stock_parts] == list(stock)


def sampled(cases: Sequence[tuple[Any, ...]], every: int) -> list[Any]:
    """All cases, of which only one in `every` runs in a short run."""
    return [
        pytest.param(
            *case, id="-".join(map(_label, case)), marks=[] if index % every == 0 else [pytest.mark.exhaustive]
        )
        for index, case in enumerate(cases)
    ]


def _label(value: Any) -> str:
    """An estimator of a library with dozens of parameters by its class alone."""
    return type(value).__name__ if len(str(value)) > 200 else str(value)
