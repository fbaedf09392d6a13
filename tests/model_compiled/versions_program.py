"""Fits models of several kinds with the scikit-learn that is installed, and prints how both of their paths compare.

It runs in environments of their own, which have scikit-learn, pandas and this package, but not mldeploy's tests.
"""

import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mldeploy_model.compiled.proof import Effort
from mldeploy_model.compiled.serving import prove_model, prove_plan
from mldeploy_model.schema import Column, ModelSchema

EFFORT = Effort(rows=150, single_rows=4)
COLUMNS = (
    Column("age", "integer"),
    Column("bmi", "number", optional=True),
    Column("region", "category", categories=("ne", "nw", "se")),
)


def frame() -> pd.DataFrame:
    random = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "age": random.integers(18, 65, 150),
            "bmi": random.normal(30, 6, 150),
            "region": random.choice(["ne", "nw", "se"], 150),
        }
    )
    rows.loc[random.random(150) < 0.1, "bmi"] = np.nan
    return rows


def table(scaler: Any = None, encoder: Any = None) -> Any:
    numbers = make_pipeline(SimpleImputer(add_indicator=True), scaler or StandardScaler())
    words = encoder or OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((numbers, ["age", "bmi"]), (words, ["region"]), sparse_threshold=0)


def ends() -> Iterator[tuple[str, Any, Any, int]]:
    yield "linear", table(), LinearRegression(), 0
    yield "logistic", table(), LogisticRegression(), 2
    yield "softmax", table(), LogisticRegression(), 3
    yield "tree", table(), DecisionTreeClassifier(), 3
    yield "forest", table(), RandomForestRegressor(8), 0
    yield "forest-classes", table(), RandomForestClassifier(8), 3
    yield "boosting", table(), GradientBoostingRegressor(n_estimators=15), 0
    yield "boosting-classes", table(), GradientBoostingClassifier(n_estimators=8), 3
    yield "histograms", table(), HistGradientBoostingRegressor(max_iter=10), 0
    yield "histograms-classes", table(), HistGradientBoostingClassifier(max_iter=8), 2
    yield "network", table(), MLPRegressor(hidden_layer_sizes=(5,), max_iter=20), 0
    yield "bins", table(KBinsDiscretizer(3, encode="onehot-dense")), LinearRegression(), 0
    yield "terms", table(PolynomialFeatures(2)), LinearRegression(), 0
    yield "ordinal", table(encoder=OrdinalEncoder()), GradientBoostingRegressor(n_estimators=5), 0


def main() -> None:
    rows, results = frame(), dict[str, dict[str, Any]]()
    price = (rows.age * 12.5 + rows.bmi.fillna(25) ** 2 + (rows.region == "se") * 90).to_numpy()
    warnings.simplefilter("ignore")
    for name, columns, end, count in ends():
        borders = np.quantile(price, np.linspace(0, 1, count + 1)[1:-1]) if count else []
        target = np.array(["low", "mid", "high"])[np.searchsorted(borders, price)] if count else price
        fitted = make_pipeline(columns, end).fit(rows, target)
        schema = ModelSchema("m", "m.joblib", "sklearn", columns=COLUMNS)
        compiled, (plan, content) = (
            prove_model(fitted, schema, effort=EFFORT),
            prove_plan(fitted, schema, effort=EFFORT),
        )
        results[name] = {
            "compiled": "" if compiled.equal else compiled.reason,
            "stock": [part for part, _ in compiled.stock_parts],
            "minimal": "" if plan.equal and content else plan.reason,
        }
    sys.stdout.write(json.dumps(results) + "\n")


main()
