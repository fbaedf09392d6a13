"""POST /predict takes rows in every form that clients of model servers send, and answers all alike."""

import json

import joblib
import pandas as pd
import pytest

from tests.model_server.serving import ModelServer

ROW = {"age": 40, "bmi": 28.5, "smoker": "no", "region": "west"}
NAMES, VALUES = list(ROW), list(ROW.values())

FORMS: dict[str, object] = {
    "list": [ROW],
    "columns and data": {"columns": NAMES, "data": [VALUES]},
    "columns in another order": {"columns": NAMES[::-1], "data": [VALUES[::-1]]},
    "dataframe_split": {"dataframe_split": {"columns": NAMES, "index": [0], "data": [VALUES]}},
    "dataframe_records": {"dataframe_records": [ROW]},
    "instances of objects": {"instances": [ROW]},
    "instances of lists": {"instances": [VALUES], "signature_name": "serving_default"},
    "inputs by column": {"inputs": {name: [value] for name, value in ROW.items()}},
    "inputs of objects": {"inputs": [ROW]},
    "with the target": [{**ROW, "charges": 1.0}],
}


@pytest.fixture(scope="module")
def expected(models: object) -> float:
    pipeline = joblib.load(f"{models}/charges.joblib")
    return float(pipeline.predict(pd.DataFrame([ROW]))[0])


@pytest.mark.parametrize("form", FORMS)
def test_a_form_with_rows_has_a_list_of_predictions(form: str, model_server: ModelServer, expected: float) -> None:
    answer = model_server.post(FORMS[form])
    assert (answer.status_code, answer.json()) == (200, {"predictions": [expected]})


def test_one_object_has_one_prediction(model_server: ModelServer, expected: float) -> None:
    answer = model_server.post(ROW)
    assert (answer.status_code, answer.json()) == (200, {"prediction": expected})


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_a_csv_text_has_a_prediction_a_line(mark: str, model_server: ModelServer, expected: float) -> None:
    text = f"{mark}age,bmi,smoker,region\r\n40,28.5,no,west\r\n"
    answer = model_server.post(text, content_type="text/csv; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {"predictions": [expected]})


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_that_pandas_saves_is_no_column(name: str, model_server: ModelServer, expected: float) -> None:
    text = f"{name},age,bmi, smoker,region\n0,40,28.5,no,west\n"
    assert model_server.post(text, content_type="text/csv").json() == {"predictions": [expected]}
    split = {"columns": [name, "age", "bmi", "smoker", "region"], "data": [[0, 40, 28.5, "no", "west"]]}
    assert model_server.post(split).json() == {"predictions": [expected]}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_text_may_have_other_delimiters(delimiter: str, model_server: ModelServer, expected: float) -> None:
    text = "age,bmi,smoker,region\n40,28.5,no,west\n".replace(",", delimiter)
    assert model_server.post(text, content_type="text/csv").json() == {"predictions": [expected]}


def test_a_client_that_accepts_csv_alone_gets_csv(model_server: ModelServer, expected: float) -> None:
    answer = model_server.post([ROW, ROW], accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines() == ["prediction", str(expected), str(expected)]


def test_a_quoted_csv_field_keeps_its_comma(model_server: ModelServer) -> None:
    answer = model_server.post('age,bmi,smoker,region\n40,28.5,no,"we,st"\n', content_type="text/csv")
    assert answer.json()["error"]["reason"].startswith('"we,st" is not a known category')


@pytest.mark.parametrize("path", ["/invocations", "/models/charges/predict"])
def test_other_paths_of_the_same_model_answer_alike(path: str, model_server: ModelServer, expected: float) -> None:
    assert model_server.post(ROW, path).json() == {"prediction": expected}


def test_each_model_has_its_own_path(model_server: ModelServer) -> None:
    answer = model_server.post({"age": 40, "charges": 40000.0}, "/models/smokes/predict")
    assert answer.json() == {"prediction": "yes"}
    assert [each["name"] for each in model_server.get("/models").json()["models"]] == ["charges", "smokes"]


def test_probabilities_come_with_the_prediction_of_each_row(model_server: ModelServer) -> None:
    row = {"age": 40, "charges": 40000.0}
    single = model_server.post(row, "/models/smokes/predict?probabilities=1").json()
    several = model_server.post([row], "/models/smokes/predict?probabilities=true").json()
    assert single["prediction"] == "yes"
    assert single["probabilities"]["yes"] > 0.5 > single["probabilities"]["no"]
    assert several == {"predictions": ["yes"], "probabilities": [single["probabilities"]]}


def test_a_missing_value_is_left_to_a_model_that_imputes_it(model_server: ModelServer) -> None:
    rows = [{"age": None, "charges": 40000.0}, {"charges": 40000.0, "age": 41}]
    assert model_server.post(rows, "/models/smokes/predict").json() == {"predictions": ["yes", "yes"]}
    text = "age,charges\n,40000\n"
    assert model_server.post(text, "/models/smokes/predict", content_type="text/csv").json() == {"predictions": ["yes"]}


def test_many_rows_keep_their_order(model_server: ModelServer, people: pd.DataFrame, models: object) -> None:
    rows = people.drop(columns="charges")
    answer = model_server.post({"dataframe_split": json.loads(rows.to_json(orient="split"))})
    assert answer.json()["predictions"] == joblib.load(f"{models}/charges.joblib").predict(rows).tolist()
