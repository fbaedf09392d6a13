"""The Open Inference Protocol, version 2 (KServe, MLServer, Triton), over REST.

https://github.com/kserve/open-inference-protocol: specification/protocol/open_inference_rest.yaml
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mldeploy_model.schema import Column, ModelSchema
from mldeploy_model.server.http import Problem, RequestError
from mldeploy_model.server.model_endpoint import Prediction
from mldeploy_model.server.tables import RequestTable

PREDICT, PREDICT_PROBA = "predict", "predict_proba"
"""The names of the outputs, as MLServer's runtimes have them."""

_INTEGERS = {
    f"{sign}INT{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1) - 1)
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_DATATYPES = (*_INTEGERS, *sorted(_FLOATS), "BOOL", "BYTES")
_COLUMN_DATATYPES = {
    "number": "FP64",
    "integer": "INT64",
    "boolean": "BOOL",
    "text": "BYTES",
    "category": "BYTES",
    "tensor": "FP64",
}


@dataclass(frozen=True)
class InferenceRequest:
    """Rows, and the outputs that the client selected."""

    table: RequestTable
    outputs: tuple[str, ...]
    id: str


def model_version(schema: ModelSchema) -> str:
    return schema.version or "1"


def describe_server() -> dict[str, object]:
    return {"name": "mldeploy", "version": "2", "extensions": []}


def describe_model_v2(schema: ModelSchema) -> dict[str, object]:
    """The model's metadata: one input a column, of as many rows as the client has."""
    outputs = [{"name": PREDICT, "datatype": _output_datatype(schema), "shape": [-1]}]
    if schema.probabilities:
        outputs.append({"name": PREDICT_PROBA, "datatype": "FP64", "shape": [-1, len(schema.classes) or -1]})
    return {
        "name": schema.name,
        "versions": [model_version(schema)],
        "platform": schema.format,
        "inputs": [_describe_column(column) for column in schema.columns],
        "outputs": outputs,
    }


def _describe_column(column: Column) -> dict[str, object]:
    shape = [-1, -1] if column.type == "tensor" else [-1]
    return {"name": column.name, "datatype": _column_datatype(column), "shape": shape}


def _column_datatype(column: Column) -> str:
    if column.type == "category" and column.categories:
        return _datatype_of(column.categories)
    return _COLUMN_DATATYPES[column.type]


def _output_datatype(schema: ModelSchema) -> str:
    return _datatype_of(schema.classes) if schema.classes else "FP64"


def _datatype_of(values: Sequence[Any]) -> str:
    types = set(map(type, values))
    if types == {bool}:
        return "BOOL"
    if types == {int}:
        return "INT64"
    return "FP64" if types <= {int, float} else "BYTES"


def read_inference(document: object, schema: ModelSchema) -> InferenceRequest:
    """Raises RequestError 400 for what the protocol does not allow, 413 for too many rows."""
    if not isinstance(document, dict):
        raise RequestError(400, Problem('an object with "inputs" is needed'))
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise RequestError(400, Problem("a list with at least one tensor is needed", "inputs"))
    identity = document.get("id", "")
    if not isinstance(identity, str):
        raise RequestError(400, Problem("a text is needed", "id"))
    if not isinstance(document.get("parameters", {}), dict):
        raise RequestError(400, Problem("an object is needed", "parameters"))
    table = _read_tensors(inputs, schema)
    if table.rows > schema.max_rows:
        raise RequestError(
            413, Problem(f"the request has {table.rows} rows, and at most {schema.max_rows} are allowed")
        )
    return InferenceRequest(table, _read_outputs(document.get("outputs"), schema), identity)


def _read_outputs(outputs: object, schema: ModelSchema) -> tuple[str, ...]:
    known = (PREDICT, PREDICT_PROBA) if schema.probabilities else (PREDICT,)
    if outputs is None or outputs == []:
        return (PREDICT,)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise RequestError(400, Problem("a list of objects with a name is needed", "outputs"))
    names = tuple(dict.fromkeys(str(output.get("name")) for output in outputs))
    if unknown := [name for name in names if name not in known]:
        raise RequestError(400, Problem(f"there is no output {unknown[0]!r}; there is {', '.join(known)}", "outputs"))
    return names


def _read_tensors(inputs: list[Any], schema: ModelSchema) -> RequestTable:
    tensors = [_read_tensor(tensor, index) for index, tensor in enumerate(inputs)]
    names = [column.name for column in schema.columns]
    if len(tensors) == 1 and tensors[0][0] not in names and len(tensors[0][1]) == 2:
        return _split_matrix(*tensors[0], schema)
    rows = tensors[0][1][0]
    columns: dict[str, Sequence[Any]] = {}
    for name, shape, data in tensors:
        if name in columns:
            raise RequestError(400, Problem("the input is there more than once", name))
        if shape[0] != rows:
            raise RequestError(400, Problem(f"it has {shape[0]} rows, and {tensors[0][0]} has {rows}", name))
        columns[name] = _shape_rows(data, shape)
    if not rows:
        raise RequestError(400, Problem("there is no row in the request"))
    return RequestTable(columns, rows)


def _split_matrix(name: str, shape: list[int], data: list[Any], schema: ModelSchema) -> RequestTable:
    """One tensor of two dimensions holds all columns, in the model's order."""
    rows, width = shape
    columns = [column.name for column in schema.columns] or [f"x{index}" for index in range(width)]
    if width != len(columns):
        raise RequestError(400, Problem(f"the shape has {width} columns, the model has {len(columns)}", name))
    if not rows:
        raise RequestError(400, Problem("there is no row in the request"))
    return RequestTable({column: data[index::width] for index, column in enumerate(columns)}, rows)


def _shape_rows(data: list[Any], shape: list[int]) -> Sequence[Any]:
    """A vector as it is; a row of a tensor with more dimensions is a nested list."""
    inner = shape[1:]
    if math.prod(inner) == 1 and len(inner) <= 1:
        return data
    for size in reversed(inner):
        data = [data[start : start + size] for start in range(0, len(data), size)] if size else []
    return data


def _read_tensor(tensor: object, index: int) -> tuple[str, list[int], list[Any]]:
    where = f"inputs[{index}]"
    if not isinstance(tensor, dict):
        raise RequestError(400, Problem("an object with name, shape, datatype and data is needed", where))
    if missing := [key for key in ("name", "shape", "datatype", "data") if key not in tensor]:
        raise RequestError(400, Problem("it is missing", f"{where}.{missing[0]}"))
    name, shape, datatype = tensor["name"], tensor["shape"], tensor["datatype"]
    if not isinstance(name, str) or not name:
        raise RequestError(400, Problem("a text is needed", f"{where}.name"))
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise RequestError(400, Problem("a list of whole numbers is needed, such as [2, 3]", f"{where}.shape"))
    if datatype not in _DATATYPES:
        raise RequestError(400, Problem(f"one of {', '.join(_DATATYPES)} is needed", f"{where}.datatype"))
    data = _flatten(tensor["data"], where)
    if len(data) != math.prod(shape):
        raise RequestError(
            400, Problem(f"it has {len(data)} values, and the shape {shape} needs {math.prod(shape)}", where)
        )
    parameters = tensor.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError(400, Problem("an object is needed", f"{where}.parameters"))
    return name, shape, _read_values(data, datatype, parameters, where)


def _flatten(data: object, where: str) -> list[Any]:
    """The values in row-major order, whether they came flat or nested."""
    if not isinstance(data, list):
        raise RequestError(400, Problem("a list is needed", f"{where}.data"))
    while list in set(map(type, data)):
        if set(map(type, data)) != {list}:
            raise RequestError(400, Problem("lists and values stand side by side", f"{where}.data"))
        data = list(chain.from_iterable(data))
    return data


def _read_values(data: list[Any], datatype: str, parameters: Mapping[str, Any], where: str) -> list[Any]:
    types = set(map(type, data)) - {type(None)}  # null is a missing value, where the column allows one
    if datatype in _INTEGERS:
        low, high = _INTEGERS[datatype]
        if types <= {int} and all(low <= value <= high for value in data if value is not None):
            return data
    elif datatype in _FLOATS:
        if types <= {int, float}:
            return data
    elif datatype == "BOOL":
        if types <= {bool, int} and set(data) <= {0, 1, None}:
            return [value if value is None else bool(value) for value in data]
    elif types <= {str}:
        return _decode_bytes(data, parameters, where)
    raise RequestError(400, Problem(f"there is a value that is not of the datatype {datatype}", f"{where}.data"))


def _decode_bytes(data: list[Any], parameters: Mapping[str, Any], where: str) -> list[Any]:
    if parameters.get("content_type") != "base64":
        return data
    try:
        return [value if value is None else base64.b64decode(value, validate=True).decode() for value in data]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RequestError(
            400, Problem(f"there is a value that is no base64 of UTF-8 text: {error}", f"{where}.data")
        ) from error


def respond_inference(
    schema: ModelSchema, prediction: Prediction, request: InferenceRequest, identity: str
) -> dict[str, object]:
    """The inference_response; warnings stand in its parameters."""
    outputs = []
    if PREDICT in request.outputs:
        outputs.append(_write_tensor(PREDICT, prediction.values))
    if PREDICT_PROBA in request.outputs and prediction.probabilities is not None:
        rows = [list(row.values()) for row in prediction.probabilities]
        tensor = _write_tensor(PREDICT_PROBA, rows)
        outputs.append({**tensor, "parameters": {"classes": list(prediction.probabilities[0])}})
    document: dict[str, object] = {
        "model_name": schema.name,
        "model_version": model_version(schema),
        "id": request.id or identity,
        "outputs": outputs,
    }
    if prediction.warnings:
        document["parameters"] = {"warnings": [warning.as_json() for warning in prediction.warnings]}
    return document


def _write_tensor(name: str, values: Sequence[Any]) -> dict[str, object]:
    shape, data = [len(values)], list(values)
    while data and set(map(type, data)) == {list}:
        if len(set(map(len, data))) != 1:
            raise RequestError(
                500, Problem(f"the output {name} has rows of different lengths, which no tensor can hold")
            )
        shape.append(len(data[0]))
        data = list(chain.from_iterable(data))
    datatype = _datatype_of(data)
    return {
        "name": name,
        "shape": shape,
        "datatype": datatype,
        "data": data if datatype != "BYTES" else list(map(str, data)),
    }


def infer_example(schema: ModelSchema, row: Mapping[str, Any]) -> dict[str, object]:
    """A request with one row, for the documentation."""
    inputs = []
    for column in schema.columns:
        value = row[column.name]
        if value is not None or not column.optional:
            tensor = _write_tensor(column.name, [value])
            datatype = _column_datatype(column) if column.type != "tensor" else tensor["datatype"]
            inputs.append({**tensor, "datatype": datatype})
    return {"inputs": inputs}
