"""The sampled log of predictions: one JSON line a row on stdout, to watch a model's drift. Off by default."""

from __future__ import annotations

import os
import random
import threading
import time

from mldeploy_model.schema import ModelSchema
from mldeploy_model.server.json_codec import dump_json
from mldeploy_model.server.model_endpoint import Prediction

MOST_ROWS = 100
"""Of one request that are written, from its first on."""

_STDOUT = 1
_lock = threading.Lock()


def log_prediction(schema: ModelSchema, prediction: Prediction, request_id: str) -> None:
    """Write the rows of a request, if it is in the sample: `log_rate` is the share of requests."""
    if schema.log_rate <= 0 or random.random() >= schema.log_rate:  # noqa: S311 - a sample, not a secret
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for row in range(min(prediction.rows, MOST_ROWS)):
        line = {
            "event": "prediction",
            "time": now,
            "request_id": request_id,
            "model": schema.name,
            "model_version": schema.version,
            "row": row,
            "rows": prediction.rows,
            "inputs": {name: values[row] for name, values in prediction.columns.items()},
            "prediction": prediction.values[row],
        }
        _write_line(dump_json(line) + b"\n")


def _write_line(line: bytes) -> None:
    """In one write where the pipe takes it, so that the lines of several processes do not mix."""
    with _lock:
        while line:
            line = line[os.write(_STDOUT, line) :]
