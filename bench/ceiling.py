"""Runs inside mldeploy's image: how many predictions a second its cores can make without any server.

`python -c … ROWS SECONDS` prints requests a second of one process a core, first with the rows as a DataFrame already,
then with the DataFrame made for each request.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable


def rate(predict: Callable[[], object], seconds: float) -> float:
    """Calls a second."""
    predict()
    begun = time.perf_counter()
    calls = 0
    while time.perf_counter() - begun < seconds:
        predict()
        calls += 1
    return calls / (time.perf_counter() - begun)


def one(rows: int, seconds: float) -> tuple[float, float]:
    """Both rates of one process."""
    import joblib  # noqa: PLC0415 - each process loads its own, as a server's workers do
    import pandas as pd  # noqa: PLC0415

    model = joblib.load("model.joblib")
    names = ["age", "sex", "bmi", "children", "smoker", "region"]
    data = [[44, "female", 27.5, 1, "no", "northwest"]] * rows
    frame = pd.DataFrame(data, columns=names)
    return (
        rate(lambda: model.predict(frame), seconds),
        rate(lambda: model.predict(pd.DataFrame(data, columns=names)), seconds),
    )


if __name__ == "__main__":
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("fork").Pool(cores) as pool:  # `-c` has no file to import again
        found = pool.starmap(one, [(int(sys.argv[1]), float(sys.argv[2]))] * cores)
    print(*map(sum, zip(*found, strict=True)))
