"""The stock model as a BentoML service, as its documentation has it. BentoML alone reads it."""

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=2)  # one, its default, would leave a core idle
class Stock:
    """One model from BentoML's store."""

    kept = bentoml.models.BentoModel("stock:latest")

    def __init__(self) -> None:
        self.model = joblib.load(self.kept.path_of("model.joblib"))

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]  # BentoML is not installed where types are checked
    def predict(self, columns: list[str], data: list[list[float | str]]) -> dict[str, list[float]]:
        """Answer a table with a prediction a row."""
        return {"predictions": self.model.predict(pd.DataFrame(data, columns=columns)).tolist()}
