"""`python -m bench.compiled`: the processor time of one prediction, compiled and by the pipeline itself, stock model.

In pairs and medians, in this process, with the libraries of this environment. It proves first that both are equal.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from bench.stock_app.train import train
from mldeploy_model.compiled import compile_model
from mldeploy_model.compiled.serving import prove_model
from mldeploy_model.schema import Column, ModelSchema

ROUNDS = 15
REGIONS = ("northeast", "northwest", "southeast", "southwest")
COLUMNS = (
    Column("age", "integer", 18, 64),
    Column("sex", "category", categories=("female", "male")),
    Column("bmi", "number", 10, 50),
    Column("children", "integer", 0, 5),
    Column("smoker", "category", categories=("yes", "no")),
    Column("region", "category", categories=REGIONS),
)


def main() -> None:
    """Print the proof, then a line for each number of rows."""
    frame, model = train()
    compiled = compile_model(model, COLUMNS)
    print(prove_model(model, ModelSchema("stock", "model.joblib", "sklearn", columns=COLUMNS)).summary())
    for rows, repeats in ((1, 40), (1000, 10)):
        records = frame.head(rows).to_dict("records")
        columns = {str(name): frame[name].head(rows).tolist() for name in frame}
        ours, theirs = measure(
            partial(compiled.predict, columns, rows), partial(predict_records, model, records), repeats
        )
        print(f"{rows:5} rows: compiled {ours:8.3f} ms, pipeline {theirs:8.3f} ms of CPU, ratio {theirs / ours:.1f}")


def predict_records(model: Any, records: list[Any]) -> object:
    """What a server does with the rows of a request: a DataFrame, then the pipeline."""
    return model.predict(pd.DataFrame(records))


def measure(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The median milliseconds of CPU of one call of each, measured in turn."""
    pairs = [(_milliseconds(ours, repeats), _milliseconds(theirs, repeats)) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def _milliseconds(call: Callable[[], object], repeats: int) -> float:
    call()
    begun = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - begun) / repeats * 1e3


if __name__ == "__main__":
    main()
