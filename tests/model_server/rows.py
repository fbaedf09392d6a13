"""Rows of a table, and what a server makes of them, for the tests of the formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mldeploy_model.formats import load_predictor
from mldeploy_model.schema import ModelSchema

RANDOM = np.random.default_rng(2)
NUMBERS = pd.DataFrame({"height": RANDOM.normal(170, 10, 60).round(1), "weight": RANDOM.normal(70, 10, 60).round(1)})
MIXED = NUMBERS.assign(color=RANDOM.choice(["blue", "green", "red"], 60))
VALUE = (2 * NUMBERS.height - NUMBERS.weight).rename("value")
KIND = pd.Series(np.where(NUMBERS.weight > 70, "heavy", "light"), name="kind")
CODE = (NUMBERS.weight > 70).astype(int)


def columns_of(frame: pd.DataFrame) -> Mapping[str, Sequence[object]]:
    return {str(name): frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}


def predictions(folder: Path, schema: ModelSchema, frame: pd.DataFrame) -> list[Any]:
    return list(load_predictor(schema, folder).predict(columns_of(frame), len(frame)))


def probabilities(folder: Path, schema: ModelSchema, frame: pd.DataFrame) -> list[Mapping[str, float]]:
    shares = load_predictor(schema, folder).probabilities(columns_of(frame), len(frame))
    assert shares is not None
    return list(shares)


def facts(schema: ModelSchema) -> dict[str, tuple[str, bool]]:
    return {column.name: (column.type, column.optional) for column in schema.columns}


def mixed_pipeline(final: Any) -> Any:
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        ColumnTransformer([("numbers", numeric, ["height", "weight"]), ("kinds", OneHotEncoder(), ["color"])]), final
    )
