"""A regression with categories and a classification with missing values, each trained once, and a server of both."""

from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.model_server.serving import ModelServer, describe, serving

ROWS = 200


@pytest.fixture(scope="session")
def people() -> pd.DataFrame:
    """Rows with numbers and categories; `charges` is the target."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 65, ROWS),
            "bmi": random.normal(30, 6, ROWS).round(1),
            "smoker": random.choice(["no", "yes"], ROWS),
            "region": random.choice(["north", "south", "west"], ROWS),
        }
    )
    return frame.assign(charges=(250 * frame.age + 300 * frame.bmi + 20000 * (frame.smoker == "yes")).round(2))


@pytest.fixture(scope="session")
def models(people: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with charges.joblib, smokes.joblib and a sample of each."""
    folder = tmp_path_factory.mktemp("models")
    encode = ColumnTransformer(
        [("kinds", OneHotEncoder(), ["smoker", "region"]), ("numbers", StandardScaler(), ["age", "bmi"])]
    )
    pipeline = make_pipeline(encode, GradientBoostingRegressor(n_estimators=20, random_state=1))
    joblib.dump(pipeline.fit(people.drop(columns="charges"), people.charges), folder / "charges.joblib")
    people.to_csv(folder / "charges.csv", index=False)
    numbers = people[["age", "charges"]]
    classifier = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(numbers, people.smoker)
    joblib.dump(classifier, folder / "smokes.joblib")
    numbers.assign(smoker=people.smoker).to_csv(folder / "smokes.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def model_server(models: Path) -> Iterator[ModelServer]:
    """One server of both models for all tests that only send it requests; `charges` is the first."""
    schemas = [
        describe(models, "charges.joblib", "charges.csv", version="3", max_rows=500),
        describe(models, "smokes.joblib", "smokes.csv"),
    ]
    with serving(models, schemas, MLDEPLOY_MAX_BODY="100000") as server:
        yield server
