"""The OpenAPI 3.1 description of the server, made from the models' columns, with examples that work as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mldeploy_model.schema import Column, ModelSchema
from mldeploy_model.server.http import CSV, JSON
from mldeploy_model.server.inference_v2 import PREDICT, describe_model_v2, infer_example
from mldeploy_model.server.model_endpoint import ModelEndpoint

_TYPES = {"number": "number", "integer": "integer", "boolean": "boolean", "text": "string", "tensor": "array"}


def describe_api(models: Sequence[ModelEndpoint]) -> dict[str, object]:
    """The document of /openapi.json."""
    paths: dict[str, object] = {"/predict": {"post": _predict_operation(models[0], "predict")}}
    schemas: dict[str, object] = dict(_COMMON_SCHEMAS)
    for model in models:
        name = model.schema.name
        schemas[f"{_key(name)}Row"] = _row_schema(model.schema)
        paths[f"/models/{name}/predict"] = {"post": _predict_operation(model, f"predict_{_key(name)}")}
        metadata = _get(f"metadata_{_key(name)}", "Model metadata", describe_model_v2(model.schema))
        paths[f"/v2/models/{name}"] = {"get": metadata}
        paths[f"/v2/models/{name}/ready"] = {"get": _get(f"ready_{_key(name)}", "Model readiness", None)}
        paths[f"/v2/models/{name}/infer"] = {"post": _infer_operation(model)}
    paths["/health"] = {"get": _get("health", "Health of this server", None)}
    paths["/metrics"] = {"get": _metrics_operation()}
    paths["/v2"] = {"get": _get("v2_metadata", "Server metadata", None)}
    paths["/v2/health/live"] = {"get": _get("v2_live", "Server liveness", None)}
    paths["/v2/health/ready"] = {"get": _get("v2_ready", "Server readiness", None)}
    info = {"title": ", ".join(m.schema.name for m in models), "version": models[0].schema.version or "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def request_examples(model: ModelEndpoint) -> dict[str, object]:
    """One body for each JSON form of /predict."""
    row = model.example()
    names, values = list(row), list(row.values())
    return {
        "object": row,
        "list": [row, row],
        "columns": {"columns": names, "data": [values]},
        "dataframe_split": {"dataframe_split": {"columns": names, "data": [values]}},
        "dataframe_records": {"dataframe_records": [row]},
        "instances": {"instances": [row]},
        "inputs": {"inputs": {name: [value] for name, value in row.items()}},
    }


def _predict_operation(model: ModelEndpoint, identity: str) -> dict[str, object]:
    schema = model.schema
    row = f"#/components/schemas/{_key(schema.name)}Row"
    forms = {name: {"value": body} for name, body in request_examples(model).items()}
    parameters = []
    if schema.probabilities:
        text = "1 adds the probability of each class"
        flag = {"type": "integer", "enum": [0, 1]}
        parameters.append({"name": "probabilities", "in": "query", "schema": flag, "description": text})
    return {
        "operationId": identity,
        "summary": f"Predict {schema.target} for one row or several",
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": _body_schema(row), "examples": forms},
                CSV: {"schema": {"type": "string"}, "example": csv_example(model)},
            },
        },
        "responses": {
            "200": _content("Predictions", {"$ref": "#/components/schemas/Predictions"}),
            **_error_responses(400, 413, 415, 500),
        },
    }


def csv_example(model: ModelEndpoint) -> str:
    """The example row as a CSV text."""
    row = model.example()
    return f"{','.join(map(_csv_cell, row))}\n{','.join(map(_csv_cell, row.values()))}\n"


def _csv_cell(value: object) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\r\n') else text


def _body_schema(row: str) -> dict[str, object]:
    rows = {"type": "array", "items": {"$ref": row}, "minItems": 1}
    split = {"$ref": "#/components/schemas/Split"}
    wrapped = [
        {"type": "object", "required": [key], "properties": {key: value}}
        for key, value in (
            ("dataframe_split", split),
            ("dataframe_records", rows),
            ("instances", {"type": "array", "minItems": 1}),
            ("inputs", {"type": ["array", "object"]}),
        )
    ]
    return {"anyOf": [{"$ref": row}, rows, split, *wrapped]}


def _row_schema(schema: ModelSchema) -> dict[str, object]:
    return {
        "type": "object",
        "properties": {column.name: _column_schema(column) for column in schema.columns},
        "required": [column.name for column in schema.columns if not column.optional],
    }


def _column_schema(column: Column) -> dict[str, object]:
    described: dict[str, Any] = {}
    if column.type != "category":
        described["type"] = [_TYPES[column.type], "null"] if column.optional else _TYPES[column.type]
    elif column.categories:
        described["enum"] = [*column.categories, None] if column.optional else list(column.categories)
    notes = [f"in {column.unit}"] if column.unit else []
    if column.minimum is not None or column.maximum is not None:
        low, high = (("…" if bound is None else f"{bound:g}") for bound in (column.minimum, column.maximum))
        notes.append(f"the model knows {low} to {high}; beyond it the answer has a warning")
    if notes:
        described["description"] = ", ".join(notes)
    if column.example is not None:
        described["examples"] = [column.example]
    return described


def _infer_operation(model: ModelEndpoint) -> dict[str, object]:
    body = infer_example(model.schema, model.example())
    return {
        "operationId": f"infer_{_key(model.schema.name)}",
        "summary": "Predict by the Open Inference Protocol, version 2",
        "requestBody": {"required": True, "content": {JSON: {"schema": {"$ref": _INFER_REQUEST}, "example": body}}},
        "responses": {
            "200": _content(f"Tensors, {PREDICT} first", {"$ref": "#/components/schemas/InferenceResponse"}),
            **{str(status): _content(_ERRORS[status], _INFER_ERROR) for status in (400, 404, 413, 415, 500)},
        },
    }


def _metrics_operation() -> dict[str, object]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    response = {"description": "Prometheus' text format", "content": content}
    return {"operationId": "metrics", "summary": "Metrics of this server", "responses": {"200": response}}


def _get(identity: str, summary: str, example: Mapping[str, object] | None) -> dict[str, object]:
    content: dict[str, object] = {"schema": {"type": "object"}}
    if example:
        content["example"] = example
    response = {"description": summary, "content": {JSON: content}}
    return {"operationId": identity, "summary": summary, "responses": {"200": response}}


def _content(description: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _error_responses(*statuses: int) -> dict[str, object]:
    return {str(status): _content(_ERRORS[status], {"$ref": "#/components/schemas/Error"}) for status in statuses}


def _key(name: str) -> str:
    """A component's name may hold letters, digits, dots, dashes and underscores."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)


_INFER_REQUEST = "#/components/schemas/InferenceRequest"
_INFER_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_ERRORS = {
    400: "The rows are not valid: the field, the reason, and the row",
    404: "There is no such model",
    413: "Too many rows, or too large a body",
    415: "The content type is not read",
    500: "The model failed on these rows",
}
_PROBLEM = {
    "type": "object",
    "required": ["field", "reason"],
    "properties": {
        "field": {"type": ["string", "null"]},
        "reason": {"type": "string"},
        "row": {"type": "integer", "minimum": 0},
    },
}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string"},
        "data": {"type": "array"},
        "parameters": {"type": "object"},
    },
}
_PREDICTIONS = {
    "type": "object",
    "properties": {
        "prediction": {"description": "for one object"},
        "predictions": {"type": "array", "description": "for several rows, in their order"},
        "probabilities": {"type": ["object", "array"]},
        "warnings": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
    },
}
_COMMON_SCHEMAS: Mapping[str, object] = {
    "Problem": _PROBLEM,
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {"$ref": "#/components/schemas/Problem"},
            "more": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
        },
    },
    "Predictions": _PREDICTIONS,
    "Split": {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}},
        },
    },
    "InferenceRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
    },
    "InferenceResponse": {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": _TENSOR},
        },
    },
}
