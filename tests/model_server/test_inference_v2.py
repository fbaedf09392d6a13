"""The Open Inference Protocol, version 2: answers held against the published schemas of KServe and MLServer.

github.com/kserve/open-inference-protocol, specification/protocol/open_inference_rest.yaml; MLServer's
openapi/dataplane.yaml adds the list of datatypes and the answer 404.
"""

import base64
from typing import Any

import jsonschema
import pytest

from tests.model_server.serving import ModelServer

DATATYPES = [
    "BOOL",
    *(f"{sign}INT{bits}" for sign in ("U", "") for bits in (8, 16, 32, 64)),
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
TENSOR_METADATA = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"enum": DATATYPES},
        "shape": {"type": "array", "items": {"type": "integer"}},
    },
}
SERVER_METADATA = {
    "type": "object",
    "required": ["name", "version", "extensions"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "extensions": {"type": "array", "items": {"type": "string"}},
    },
}
MODEL_METADATA = {
    "type": "object",
    "required": ["name", "platform"],
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": TENSOR_METADATA},
        "outputs": {"type": "array", "items": TENSOR_METADATA},
    },
}
OUTPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "properties": {
        **TENSOR_METADATA["properties"],  # type: ignore[dict-item]
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {"type": ["number", "string", "boolean", "array"]}},
    },
}
RESPONSE = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "outputs": {"type": "array", "items": OUTPUT},
    },
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}

INPUTS: list[dict[str, Any]] = [
    {"name": "age", "shape": [2], "datatype": "INT64", "data": [40, 50]},
    {"name": "bmi", "shape": [2, 1], "datatype": "FP32", "data": [[28.5], [30.5]]},
    {"name": "smoker", "shape": [2], "datatype": "BYTES", "data": ["no", "yes"], "parameters": {"content_type": "str"}},
    {"name": "region", "shape": [2], "datatype": "BYTES", "data": ["west", "south"]},
]


def replace_input(name: str, **changes: object) -> dict[str, object]:
    return {"inputs": [{**each, **changes} if each["name"] == name else each for each in INPUTS]}


def test_the_server_and_its_models_describe_themselves(model_server: ModelServer) -> None:
    for path in ("/v2", "/v2/"):
        jsonschema.validate(model_server.get(path).json(), SERVER_METADATA)
    for path in ("/v2/models/charges", "/v2/models/charges/versions/3"):
        metadata = model_server.get(path).json()
        jsonschema.validate(metadata, MODEL_METADATA)
        assert [(each["name"], each["datatype"], each["shape"]) for each in metadata["inputs"]] == [
            ("age", "INT64", [-1]),
            ("bmi", "FP64", [-1]),
            ("smoker", "BYTES", [-1]),
            ("region", "BYTES", [-1]),
        ]


@pytest.mark.parametrize(
    "path",
    ["/v2/health/live", "/v2/health/ready", "/v2/models/charges/ready", "/v2/models/charges/versions/3/ready"],
)
def test_a_probe_is_answered_with_200(path: str, model_server: ModelServer) -> None:
    assert model_server.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/v2/models/charges/infer", "/v2/models/charges/versions/3/infer"])
def test_a_tensor_for_each_column_has_a_tensor_of_predictions(path: str, model_server: ModelServer) -> None:
    answer = model_server.post({"id": "42", "inputs": INPUTS, "outputs": [{"name": "predict"}]}, path)
    assert answer.status_code == 200
    document = answer.json()
    jsonschema.validate(document, RESPONSE)
    assert (document["model_name"], document["model_version"], document["id"]) == ("charges", "3", "42")
    rows = {
        "columns": [each["name"] for each in INPUTS],
        "data": [[40, 28.5, "no", "west"], [50, 30.5, "yes", "south"]],
    }
    predictions = model_server.post(rows).json()["predictions"]
    assert document["outputs"] == [{"name": "predict", "shape": [2], "datatype": "FP64", "data": predictions}]


def test_one_matrix_holds_all_columns_of_a_numeric_model(model_server: ModelServer) -> None:
    tensor = {"name": "input-0", "shape": [2, 2], "datatype": "FP64", "data": [20, 20000, 60, 40000]}
    outputs = [{"name": "predict"}, {"name": "predict_proba"}]
    document = model_server.post({"inputs": [tensor], "outputs": outputs}, "/v2/models/smokes/infer").json()
    jsonschema.validate(document, RESPONSE)
    predict, shares = document["outputs"]
    assert predict == {"name": "predict", "shape": [2], "datatype": "BYTES", "data": ["no", "yes"]}
    assert (shares["shape"], shares["parameters"]["classes"], len(shares["data"])) == ([2, 2], ["no", "yes"], 4)
    assert sum(shares["data"][:2]) == pytest.approx(1)


def test_texts_may_come_as_base64(model_server: ModelServer) -> None:
    data = [base64.b64encode(text).decode() for text in (b"west", b"south")]
    document = replace_input("region", data=data, parameters={"content_type": "base64"})
    assert model_server.post(document, "/v2/models/charges/infer").status_code == 200


def test_a_warning_stands_in_the_parameters(model_server: ModelServer) -> None:
    document = model_server.post(replace_input("age", data=[40, 99]), "/v2/models/charges/infer").json()
    jsonschema.validate(document, RESPONSE)
    assert document["parameters"]["warnings"][0]["field"] == "age"


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "no inputs": ({"inputs": []}, "inputs: a list with at least one tensor is needed"),
    "data too short": (replace_input("age", data=[40]), "it has 1 values, and the shape [2] needs 2"),
    "unknown datatype": (replace_input("age", datatype="INT65"), "inputs[0].datatype: one of INT8"),
    "no shape": ({"inputs": [{"name": "age", "datatype": "INT8", "data": [1]}]}, "inputs[0].shape: it is missing"),
    "negative shape": (replace_input("age", shape=[-1]), "inputs[0].shape: a list of whole numbers"),
    "beyond the datatype": (replace_input("age", datatype="UINT8", data=[40, 256]), "not of the datatype UINT8"),
    "another type": (replace_input("age", data=["40", "50"]), "not of the datatype INT64"),
    "ragged data": (replace_input("bmi", data=[[1.0], 2.0]), "lists and values stand side by side"),
    "rows that differ": (replace_input("bmi", shape=[1], data=[1.0]), "it has 1 rows, and age has 2"),
    "unknown output": ({"inputs": INPUTS, "outputs": [{"name": "x"}]}, "there is no output 'x'; there is predict"),
    "unknown category": (replace_input("smoker", data=["no", "maybe"]), '"maybe" is not a known category'),
    "no base64": (replace_input("region", data=["?", "?"], parameters={"content_type": "base64"}), "no base64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_beside_the_protocol_is_answered_with_an_error_text(case: str, model_server: ModelServer) -> None:
    document, reason = REFUSED[case]
    answer = model_server.post(document, "/v2/models/charges/infer")
    assert answer.status_code == 400
    jsonschema.validate(answer.json(), ERROR)
    assert reason in answer.json()["error"]


def test_an_unknown_model_has_the_protocols_error(model_server: ModelServer) -> None:
    answer = model_server.post({"inputs": INPUTS}, "/v2/models/other/infer")
    assert answer.status_code == 404
    jsonschema.validate(answer.json(), ERROR)
