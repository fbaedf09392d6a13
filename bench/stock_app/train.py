"""Train the stock model: columns made ready by scikit-learn, gradient boosting behind them, 1,338 rows."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 1338


def train() -> tuple[pd.DataFrame, Pipeline]:
    """The people, and the pipeline that predicts their charges."""
    random = np.random.default_rng(0)
    people = pd.DataFrame(
        {
            "age": random.integers(18, 65, ROWS),
            "sex": random.choice(["female", "male"], ROWS),
            "bmi": random.normal(30, 6, ROWS),
            "children": random.integers(0, 6, ROWS),
            "smoker": random.choice(["yes", "no"], ROWS),
            "region": random.choice(["northeast", "northwest", "southeast", "southwest"], ROWS),
        }
    )
    charges = 250 * people.age + 300 * people.bmi + 20_000 * (people.smoker == "yes") + random.normal(0, 2000, ROWS)
    columns = make_column_transformer(
        (OneHotEncoder(), ["sex", "smoker", "region"]), (StandardScaler(), ["age", "bmi", "children"])
    )
    return people, make_pipeline(columns, GradientBoostingRegressor(random_state=0)).fit(people, charges)


if __name__ == "__main__":
    joblib.dump(train()[1], Path(__file__).with_name("model.joblib"))
