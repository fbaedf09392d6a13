"""Each wrong request has one clear answer: the status, the field, the reason, the row; and the server goes on."""

import socket

import pytest
import requests

from tests.model_server.serving import ModelServer
from tests.model_server.test_request_forms import ROW

WRONG_VALUES: dict[str, tuple[dict[str, object], str, str]] = {
    "unknown category": (
        {"region": "nroth"},
        "region",
        '"nroth" is not a known category; one of "north", "south", "west" is needed',
    ),
    "text for a number": ({"bmi": "30"}, "bmi", 'a number is needed, not "30"'),
    "truth value for a number": ({"bmi": True}, "bmi", "a number is needed, not true"),
    "object for a number": ({"bmi": {}}, "bmi", "a number is needed, not an object"),
    "fraction for an integer": ({"age": 40.5}, "age", "a whole number is needed, not 40.5"),
    "number for a category": ({"smoker": 1}, "smoker", '1 is not a known category; one of "no", "yes" is needed'),
    "list for a category": ({"smoker": ["no"]}, "smoker", 'one of "no", "yes" is needed, not a list'),
    "missing value": ({"bmi": None}, "bmi", "it is missing; a number is needed"),
    "integer beyond 64 bits": ({"age": 10**19}, "age", "a whole number of at most 64 bits is needed"),
    "number beyond any float": ({"bmi": 10**400}, "bmi", "a finite number is needed, of at most 1.8e308"),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_wrong_value_is_named_with_its_reason(case: str, model_server: ModelServer) -> None:
    changes, field, reason = WRONG_VALUES[case]
    answer = model_server.post({**ROW, **changes})
    assert (answer.status_code, answer.json()) == (400, {"error": {"field": field, "reason": reason}})


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_wrong_value_among_rows_has_its_row(case: str, model_server: ModelServer) -> None:
    changes, field, reason = WRONG_VALUES[case]
    answer = model_server.post([ROW, {**ROW, **changes}, ROW])
    assert (answer.status_code, answer.json()) == (400, {"error": {"field": field, "reason": reason, "row": 1}})


def test_a_misspelled_column_is_answered_with_the_nearest_one(model_server: ModelServer) -> None:
    row = {name: value for name, value in ROW.items() if name != "smoker"}
    answer = model_server.post({**row, "Smokr": "no"}).json()
    assert answer["error"] == {"field": "Smokr", "reason": "the model has no such column; the nearest is 'smoker'"}
    assert answer["more"] == [{"field": "smoker", "reason": 'it is missing; one of "no", "yes" is needed'}]


def test_a_value_out_of_bounds_is_predicted_with_a_warning(model_server: ModelServer) -> None:
    answer = model_server.post({**ROW, "age": 99}).json()
    reason = "99 is outside of the range that the model knows, 18 to 64"
    assert answer["warnings"] == [{"field": "age", "reason": reason}]
    assert isinstance(answer["prediction"], float)


BODIES: dict[str, tuple[str, str]] = {
    "empty": ("", "the body is empty"),
    "blank": (" \n", "the body is empty"),
    "NaN": ('{"bmi": NaN}', "NaN is not JSON; send null for a missing value"),
    "infinity": ('{"bmi": -Infinity}', "-Infinity is not JSON"),
    "cut off": ('{"bmi": 3', "the body is not JSON"),
    "nested too deeply": ("[" * 100_000, "the body is not JSON"),
    "a text": ('"age"', "send one object"),
    "a number": ("3", "send one object"),
    "null": ("null", "send one object"),
    "no rows": ("[]", "there is no row"),
    "rows of two kinds": ('[{"age": 1}, 3]', "every row must be an object"),
    "too few values": ('{"columns": ["age", "bmi"], "data": [[1]]}', "the row has 1 values, `columns` 2"),
    "a column twice": ('{"columns": ["age", "age"], "data": [[1, 2]]}', "more than once"),
    "columns of two lengths": ('{"inputs": {"age": [1, 2], "bmi": [1]}}', "it has 1 values, and age has 2"),
    "data that is no list": ('{"columns": ["age"], "data": 3}', "a list of rows is needed"),
    "parameters": ('{"instances": [], "params": {"a": 1}}', "takes no parameters"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_without_rows_is_answered_with_what_is_wrong(case: str, model_server: ModelServer) -> None:
    body, reason = BODIES[case]
    answer = model_server.post(body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["reason"]


@pytest.mark.parametrize("body", [b"\xff\xfe{}", b'{"region": "\xe9"}'])
def test_a_body_that_is_not_utf_8_is_a_bad_request(body: bytes, model_server: ModelServer) -> None:
    answer = model_server.post(body)
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["reason"]


@pytest.mark.parametrize("text", ["", "age,bmi\n1\n", "age,bmi,smoker,region\n", 'age\n"1\n', "age,age\n1,2\n"])
def test_a_csv_text_without_rows_is_a_bad_request(text: str, model_server: ModelServer) -> None:
    assert model_server.post(text, content_type="text/csv").status_code == 400


def test_a_wrong_value_in_csv_has_its_row(model_server: ModelServer) -> None:
    answer = model_server.post("age,bmi,smoker,region\n40,28.5,no,west\n40,x,no,west\n", content_type="text/csv")
    assert answer.json() == {"error": {"field": "bmi", "reason": 'a number is needed, not "x"', "row": 1}}


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "text/csv; charset=x",
        "text/csv; charset=undefined",
    ],
)
def test_another_content_type_is_unsupported(kind: str, model_server: ModelServer) -> None:
    assert model_server.post(ROW, content_type=kind).status_code == 415


def test_an_encoded_body_is_unsupported(model_server: ModelServer) -> None:
    assert model_server.post(ROW, content_encoding="gzip").status_code == 415


def test_more_rows_than_allowed_are_too_many(model_server: ModelServer) -> None:
    answer = model_server.post({"columns": ["age"], "data": [[1]] * 501})
    assert answer.status_code == 413
    assert "501 rows, and at most 500 are allowed" in answer.json()["error"]["reason"]


def test_a_body_beyond_the_limit_is_too_large(model_server: ModelServer) -> None:
    answer = model_server.post("[" + " " * 100_000)
    assert answer.status_code == 413
    assert "at most 100000 bytes" in answer.json()["error"]["reason"]


def test_a_chunked_body_beyond_the_limit_is_too_large(model_server: ModelServer) -> None:
    parts = iter([b" " * 60_000, b" " * 60_000])
    headers = {"content-type": "application/json"}
    assert requests.post(f"{model_server.url}/predict", data=parts, headers=headers, timeout=300).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "OPTIONS, POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v2/models/charges/infer", "OPTIONS, POST"),
    ],
)
def test_another_method_is_answered_with_those_that_are_allowed(
    method: str, path: str, allowed: str, model_server: ModelServer
) -> None:
    answer = requests.request(method, f"{model_server.url}{path}", timeout=300)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    "path", ["/nothing", "/models/other/predict", "/v2/models/other", "/v2/models/charges/versions/9"]
)
def test_an_unknown_path_is_not_found(path: str, model_server: ModelServer) -> None:
    assert model_server.get(path).status_code == 404


def test_an_unknown_model_is_answered_with_those_that_there_are(model_server: ModelServer) -> None:
    reason = model_server.post(ROW, "/models/other/predict").json()["error"]["reason"]
    assert reason == "there is no model 'other'; there is charges, smokes"


@pytest.mark.parametrize("query", ["?probability=1", "?probabilities=maybe", "?probabilities=1"])
def test_an_unknown_parameter_is_a_bad_request(query: str, model_server: ModelServer) -> None:
    assert model_server.post(ROW, f"/predict{query}").status_code == 400


def test_the_request_id_of_a_client_comes_back_if_it_is_plain(model_server: ModelServer) -> None:
    assert model_server.post(ROW, x_request_id="abc-1").headers["x-request-id"] == "abc-1"
    assert len(model_server.post(ROW, x_request_id="a b").headers["x-request-id"]) == 32


def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nobody(model_server: ModelServer) -> None:
    with socket.create_connection(("127.0.0.1", model_server.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    assert model_server.post(ROW).status_code == 200
