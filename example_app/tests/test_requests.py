"""What a client sends, and what it gets: the form's page, the two JSON endpoints, and every refusal."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from schema import FIELDS, NAMES, ChoiceField, NumberField

PERSON: Mapping[str, object] = {field.name: field.example for field in FIELDS}
TYPED = {name: str(value) for name, value in PERSON.items()}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def table(*rows: Mapping[str, object]) -> dict[str, object]:
    return {"columns": list(NAMES), "data": [[row[name] for name in NAMES] for row in rows]}


def send(client: FlaskClient, path: str, document: object) -> TestResponse:
    """Post any JSON document, also null, which the client's own `json` takes for none."""
    return client.post(path, data=json.dumps(document), content_type="application/json")


def refused(answer: TestResponse) -> dict[str, Any]:
    """The error that a 400 tells about, after a look at its form."""
    assert answer.status_code == 400
    document = answer.get_json()
    assert document.keys() == {"error"}
    error: dict[str, Any] = document["error"]
    assert error["reason"]
    return error


# one JSON object


def test_one_object_gets_one_prediction(client: FlaskClient) -> None:
    answer = client.post("/predict_api", json=PERSON)
    assert answer.status_code == 200
    assert answer.get_json() == {"prediction": pytest.approx(9000, rel=0.2)}


def test_a_smoker_is_charged_more(client: FlaskClient) -> None:
    charge = client.post("/predict_api", json=PERSON).get_json()["prediction"]
    assert client.post("/predict_api", json={**PERSON, "smoker": "yes"}).get_json()["prediction"] > charge + 10_000


@pytest.mark.parametrize("field", NAMES)
def test_a_missing_field_is_named(client: FlaskClient, field: str) -> None:
    person = {name: value for name, value in PERSON.items() if name != field}
    assert refused(client.post("/predict_api", json=person)) == {"field": field, "reason": "is missing"}


def test_an_unknown_field_is_named_with_the_known_ones(client: FlaskClient) -> None:
    error = refused(client.post("/predict_api", json={**PERSON, "wieght": 70}))
    assert error["field"] == "wieght"
    assert "age, sex, bmi, children, smoker, region" in error["reason"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("age", "42", "must be a number"),
        ("age", None, "must be a number"),
        ("age", True, "must be a number"),
        ("age", [42], "must be a number"),
        ("age", 42.5, "must be a whole number"),
        ("age", 17, "must be between 18 and 64 years"),
        ("age", 65, "must be between 18 and 64 years"),
        ("age", 10**400, "must be between 18 and 64 years"),
        ("bmi", float("nan"), "must be between 15 and 55 kg/m²"),
        ("bmi", float("inf"), "must be between 15 and 55 kg/m²"),
        ("bmi", float("-inf"), "must be between 15 and 55 kg/m²"),
        ("children", False, "must be a number"),
        ("children", -1, "must be between 0 and 5"),
        ("smoker", True, "must be one of no, yes"),
        ("smoker", "Yes", "must be one of no, yes"),
        ("region", {"name": "northwest"}, "must be one of northeast, northwest, southeast, southwest"),
        ("sex", "\ud800", "must be one of female, male"),
    ],
)
def test_a_bad_value_is_refused_alone_and_in_a_table(
    client: FlaskClient, field: str, value: object, reason: str
) -> None:
    bad = {**PERSON, field: value}
    assert refused(client.post("/predict_api", json=bad)) == {"field": field, "reason": reason}
    rows = table(PERSON, PERSON, bad, PERSON)
    assert refused(client.post("/predict", json=rows)) == {"field": field, "reason": reason, "row": 2}
    assert refused(client.post("/predict", json=table(bad)))["row"] == 0


@pytest.mark.parametrize("field", [field for field in FIELDS if isinstance(field, NumberField)], ids=lambda f: f.name)
def test_the_bounds_themselves_are_allowed(client: FlaskClient, field: NumberField) -> None:
    for bound in (field.minimum, field.maximum, float(field.minimum)):
        assert client.post("/predict_api", json={**PERSON, field.name: bound}).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"age=42", b"\xff\xfe\xfa", b'{"age": 1e}', b"[" * 100_000, b"1" * 5000, b'{"age": 42} {}']
)
@pytest.mark.parametrize("path", ["/predict", "/predict_api"])
def test_what_is_not_json_is_refused(client: FlaskClient, path: str, body: bytes) -> None:
    error = refused(client.post(path, data=body, content_type="application/json"))
    assert error["field"] is None


@pytest.mark.parametrize("document", [None, 42, "age", [PERSON], True])
def test_json_that_is_no_object_is_refused(client: FlaskClient, document: object) -> None:
    assert "JSON object" in refused(send(client, "/predict_api", document))["reason"]
    assert "JSON object" in refused(send(client, "/predict", document))["reason"]


# a table


def test_a_table_gets_a_prediction_for_each_row_in_any_order_of_columns(client: FlaskClient) -> None:
    people = [PERSON, {**PERSON, "smoker": "yes"}, {**PERSON, "age": 18, "bmi": 22}]
    alone = [client.post("/predict_api", json=person).get_json()["prediction"] for person in people]
    assert client.post("/predict", json=table(*people)).get_json() == {"predictions": alone}
    backwards = {"columns": [*reversed(NAMES)], "data": [[person[n] for n in reversed(NAMES)] for person in people]}
    assert client.post("/predict", json=backwards).get_json() == {"predictions": alone}


def test_a_long_table_is_answered(client: FlaskClient) -> None:
    assert len(client.post("/predict", json=table(*[PERSON] * 10_000)).get_json()["predictions"]) == 10_000


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"columns": list(NAMES)}, None),
        ({**table(PERSON), "index": [0]}, None),
        ({"columns": "age", "data": [[42]]}, "columns"),
        ({"columns": [["age"]], "data": [[42]]}, "columns"),
        ({"columns": list(NAMES), "data": []}, "data"),
        ({"columns": list(NAMES), "data": {"age": 42}}, "data"),
        ({"columns": list(NAMES), "data": [list(PERSON.values()), list(PERSON.values())[:-1]]}, "data"),
        ({"columns": list(NAMES), "data": [42]}, "data"),
        ({"columns": [], "data": [[]]}, "age"),
        ({"columns": [*NAMES, "age"], "data": [[*PERSON.values(), 42]]}, "age"),
        ({"columns": [*NAMES[:-1], "Region"], "data": [list(PERSON.values())]}, "region"),
        ({"columns": [*NAMES, "charges"], "data": [[*PERSON.values(), 9000]]}, "charges"),
    ],
)
def test_a_misshapen_table_is_refused(client: FlaskClient, document: object, field: str | None) -> None:
    assert refused(client.post("/predict", json=document))["field"] == field


# anything

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*NAMES, "yes", "male"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner),
    max_leaves=20,
)
people = st.fixed_dictionaries(
    {
        field.name: st.sampled_from(field.options)
        if isinstance(field, ChoiceField)
        else st.integers(int(field.minimum), int(field.maximum))
        if field.step == 1
        else st.floats(field.minimum, field.maximum)
        for field in FIELDS
    }
)
with_one_app = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@with_one_app
@given(document=anything | st.fixed_dictionaries(dict.fromkeys(NAMES, anything)))
def test_any_object_is_answered_or_refused_with_a_reason(client: FlaskClient, document: object) -> None:
    answer = send(client, "/predict_api", document)
    if answer.status_code != 200:
        refused(answer)


@with_one_app
@given(document=st.fixed_dictionaries({"columns": st.permutations(NAMES), "data": st.lists(st.lists(anything))}))
def test_any_table_is_answered_or_refused_with_a_reason(client: FlaskClient, document: object) -> None:
    answer = client.post("/predict", json=document)
    if answer.status_code != 200:
        refused(answer)


@with_one_app
@given(rows=st.lists(people, min_size=1, max_size=5))
def test_whoever_is_within_the_bounds_gets_a_charge(client: FlaskClient, rows: list[dict[str, object]]) -> None:
    predictions = client.post("/predict", json=table(*rows)).get_json()["predictions"]
    assert len(predictions) == len(rows)
    assert all(1_000 < charge < 70_000 for charge in predictions)


@with_one_app
@given(form=st.dictionaries(st.sampled_from(NAMES) | st.text(), st.text()))
def test_whatever_is_typed_the_form_comes_back(client: FlaskClient, form: dict[str, str]) -> None:
    answer = client.post("/predict", data=form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in {200, 400}
    assert "<form" in answer.text


# the form


def test_the_form_asks_for_every_field_with_its_bounds(client: FlaskClient) -> None:
    page = client.get("/").text
    for field in FIELDS:
        assert f'name="{field.name}"' in page
    assert 'min="15" max="55" step="0.1"' in page
    assert "18 to 64, for example 42" in page


def test_the_form_is_answered_with_the_charge_that_the_api_gives(client: FlaskClient) -> None:
    charge = client.post("/predict_api", json=PERSON).get_json()["prediction"]
    answer = client.post("/predict", data=TYPED)
    assert answer.status_code == 200
    assert f"${charge:,.0f}" in answer.text
    assert 'value="27.4"' in answer.text


def test_a_form_with_parts_is_read_too(client: FlaskClient) -> None:
    assert client.post("/predict", data=TYPED, content_type="multipart/form-data").status_code == 200


@pytest.mark.parametrize("text", ["17", "nan", "inf", "1e1", "1_8", "٤٢", "42,5", "0x2a", "forty-two", "18.5", " "])
def test_a_bad_number_is_refused_with_everything_else_still_filled_in(client: FlaskClient, text: str) -> None:
    answer = client.post("/predict", data={**TYPED, "age": text, "children": "9"})
    assert answer.status_code == 400
    assert '<a href="#age">Age ' in answer.text
    assert '<a href="#children">Children must be between 0 and 5</a>' in answer.text
    assert 'value="27.4"' in answer.text


def test_what_is_typed_cannot_become_markup(client: FlaskClient) -> None:
    script = "<script>alert(1)</script>"
    answer = client.post("/predict", data={**TYPED, "age": f'"{script}', script: script})
    assert answer.status_code == 400
    assert script not in answer.text


# everything else


def test_health_says_that_the_model_is_loaded(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "ok"
    assert answer.get_json()["model"] == "loaded"


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("GET", "/nowhere", None, 404),
        ("GET", "/static/../app.py", None, 404),
        ("GET", "/predict_api", None, 405),
        ("DELETE", "/", None, 405),
        ("BREW", "/predict", None, 405),
        ("POST", "/predict_api", "text/plain", 415),
        ("POST", "/predict_api", "application/x-www-form-urlencoded", 415),
        ("POST", "/predict_api", None, 415),
        ("POST", "/predict", "text/csv", 415),
    ],
)
def test_other_failures_speak_the_clients_language(
    client: FlaskClient, method: str, path: str, content_type: str | None, status: int
) -> None:
    program = client.open(path, method=method, content_type=content_type)
    assert program.status_code == status
    assert program.get_json()["error"]["field"] is None
    assert program.get_json()["error"]["reason"]
    browser = client.open(path, method=method, content_type=content_type, headers=BROWSER)
    assert browser.status_code == status
    assert browser.mimetype == "text/html"
    assert "<h1>" in browser.text


def test_405_names_the_allowed_methods(client: FlaskClient) -> None:
    assert "POST" in client.get("/predict_api").headers["Allow"]


@pytest.mark.parametrize("path", ["/predict", "/predict_api"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_a_body_that_is_too_long_is_refused(client: FlaskClient, path: str, content_type: str) -> None:
    body = json.dumps(table(*[PERSON] * 30_000))
    status = client.post(path, data=body, content_type=content_type).status_code
    assert status == (415 if (path, content_type) == ("/predict_api", "application/x-www-form-urlencoded") else 413)


def test_a_sane_request_id_is_kept_and_any_other_replaced(client: FlaskClient) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    made = [client.get("/health").headers["X-Request-ID"] for _ in range(2)]
    for insane in ("", "a" * 65, 'x"y', "a b", "é"):
        made.append(client.get("/health", headers={"X-Request-ID": insane}).headers["X-Request-ID"])
    assert len(set(made)) == len(made)
    assert all(len(request_id) == 32 for request_id in made)


def test_the_page_may_load_nothing_from_elsewhere_and_is_not_kept(client: FlaskClient) -> None:
    answer = client.post("/predict", data=TYPED)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
