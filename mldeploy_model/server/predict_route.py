"""POST /predict: from a body in any form to its answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from mldeploy_model.schema import ModelSchema
from mldeploy_model.server.http import (
    CSV,
    JSON,
    Problem,
    Request,
    RequestError,
    Response,
    decode_text,
    respond_json,
)
from mldeploy_model.server.json_codec import parse_json
from mldeploy_model.server.model_endpoint import Prediction
from mldeploy_model.server.tables import RequestTable, read_csv, read_document

_TRUE = frozenset({"", "1", "true", "yes"})
_FALSE = frozenset({"0", "false", "no"})


def read_table(request: Request, schema: ModelSchema) -> RequestTable:
    """The rows of a request. Raises RequestError 400, 413 or 415."""
    if request.media_type == CSV:
        return read_csv(decode_text(request.body, request.charset), schema)
    return read_document(read_json_body(request), schema)


def read_json_body(request: Request) -> object:
    """The parsed body of a request in JSON. Raises RequestError 400 or 415."""
    if request.media_type not in ("", JSON) and not request.media_type.endswith("+json"):
        reason = f"the content type {request.media_type!r} is not read here; send {JSON} or {CSV}"
        raise RequestError(415, Problem(reason))
    if request.charset.lower() not in ("utf-8", "utf8", "us-ascii"):
        raise RequestError(415, Problem(f"JSON is UTF-8 text, not {request.charset}"))
    if not request.body.strip():
        raise RequestError(400, Problem("the body is empty; send a row as JSON or CSV"))
    try:
        return parse_json(request.body)
    except ValueError as error:
        raise RequestError(400, Problem(f"the body is not JSON: {error}")) from error


def wants_probabilities(request: Request) -> bool:
    """Whether `?probabilities=1` is set. Raises RequestError 400 for another value, and for another parameter."""
    if unknown := sorted(set(request.query) - {"probabilities"}):
        raise RequestError(400, Problem('there is no such parameter; there is "probabilities"', unknown[0]))
    value = request.query.get("probabilities", "0").lower()
    if value not in _TRUE | _FALSE:
        raise RequestError(400, Problem("1 or 0 is needed", "probabilities"))
    return value in _TRUE


def respond_prediction(prediction: Prediction, is_single: bool, request: Request) -> Response:
    """JSON, or CSV where the client accepts that alone."""
    if _accepts_csv(request.accept):
        return Response(_write_csv(prediction), content_type=f"{CSV}; charset=utf-8")
    document: dict[str, object] = {"predictions": list(prediction.values)}
    if is_single:
        document = {"prediction": prediction.values[0]}
    if prediction.probabilities is not None:
        document["probabilities"] = prediction.probabilities[0] if is_single else list(prediction.probabilities)
    if prediction.warnings:
        document["warnings"] = [warning.as_json() for warning in prediction.warnings]
    return respond_json(document)


def _accepts_csv(accept: str) -> bool:
    types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return CSV in types and JSON not in types


def _write_csv(prediction: Prediction) -> bytes:
    probabilities = prediction.probabilities
    classes = list(probabilities[0]) if probabilities else []
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(["prediction", *(f"probability_{name}" for name in classes)])
    if probabilities is None:
        writer.writerows(zip(prediction.values))
    else:
        writer.writerows(_csv_row(value, row) for value, row in zip(prediction.values, probabilities))
    return written.getvalue().encode()


def _csv_row(value: Any, probabilities: Mapping[str, float]) -> list[Any]:
    return [value, *probabilities.values()]
