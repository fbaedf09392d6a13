"""The app of the tutorials' shape that the contestants wrap: a model, and a table of rows in a request."""

from pathlib import Path

import joblib
import pandas as pd
from flask import Flask, request

app = Flask(__name__)
model = joblib.load(Path(__file__).with_name("model.joblib"))


@app.get("/health")
def health() -> dict[str, str]:
    """Answer as soon as the model is loaded."""
    return {"status": "ok"}


@app.post("/predict")
def predict() -> dict[str, list[float]]:
    """Answer `{"columns": […], "data": [[…], …]}` with a prediction a row."""
    table = request.get_json()
    return {"predictions": model.predict(pd.DataFrame(table["data"], columns=table["columns"])).tolist()}


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)  # noqa: S104 - as the tutorials do, without their debug=True
