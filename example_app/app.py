"""The insurance app: a form for people, two JSON endpoints for programs, /health and /metrics for whoever runs it.

`app` is the WSGI callable (`app:app`). The model is loaded once, as this module is imported, so that a server which
preloads the app shares the model between its workers.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask, Response, abort, render_template, request
from flask.typing import ResponseReturnValue, ResponseValue
from werkzeug.exceptions import HTTPException

import logs
import metrics
import page
from model import ChargeModel
from schema import FIELDS, Problem, ValidationError, read_form, read_object, read_table

HERE = Path(__file__).parent
FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024  # bytes: some 20,000 rows
app.jinja_env.filters.update(money=page.money, signed_money=page.signed_money)
logs.install(app)
metrics.install(app)
model = ChargeModel.load(Path(os.environ.get("MODEL_PATH", HERE / "model.joblib")))
TYPICAL = page.describe(model.metadata.typical)
TYPICAL_CHARGE = model.typical_charge()


@app.get("/")
def show_form() -> str:
    """Show the form: empty, or filled in with an example for `/?example`."""
    return _page(values=page.examples() if "example" in request.args else {})


@app.post("/predict")
def predict() -> ResponseReturnValue:
    """Answer the form with a page, or `{"columns": […], "data": [[…], …]}` with `{"predictions": […]}`."""
    if request.mimetype in FORMS:
        return _answer_form()
    predictions = model.predict(read_table(_json()))
    metrics.count_predictions(len(predictions))
    return {"predictions": predictions}


@app.post("/predict_api")
def predict_api() -> ResponseReturnValue:
    """Answer one JSON object, `{"age": 42, …}`, with `{"prediction": …}`: dollars a year."""
    prediction = model.predict_one(read_object(_json()))
    metrics.count_predictions(1)
    return {"prediction": prediction}


@app.get("/health")
def health() -> ResponseReturnValue:
    """Say that this process answers. It could not without its model, which was loaded and asked as it started."""
    return {"status": "ok", "model": "loaded", "trained_with": model.metadata.versions}


def _answer_form() -> ResponseReturnValue:
    form = request.form.to_dict()
    try:
        row = read_form(form)
    except ValidationError as invalid:
        return _page(values=form, problems=invalid.problems), 400
    answer = page.answer(model, row)
    metrics.count_predictions(1)
    return _page(values=form, answer=answer)


def _page(values: Mapping[str, str], problems: tuple[Problem, ...] = (), answer: page.Answer | None = None) -> str:
    return render_template(
        "index.html",
        fields=FIELDS,
        values=values,
        faults=page.faults(problems),
        answer=answer,
        typical=TYPICAL,
        typical_charge=TYPICAL_CHARGE,
        metadata=model.metadata,
    )


def _json() -> object:
    """Return the request's JSON body, not yet checked; numbers in it may be NaN, which Python's parser lets pass."""
    if not request.is_json:
        abort(415, "The body must be application/json.")
    body = request.get_data(cache=False)
    request.stream.read(1)  # a chunked body is cut off at its greatest length, and refused only on reading past that
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValidationError(Problem(None, f"the body is not JSON: {error}")) from error


@app.errorhandler(ValidationError)
def refuse(invalid: ValidationError) -> ResponseReturnValue:
    """Answer 400 with the first problem: its field, the reason and, in a table, its row."""
    first = invalid.problems[0]
    row = {} if first.row is None else {"row": first.row}
    return {"error": {"field": first.field, "reason": first.reason, **row}}, 400


@app.errorhandler(HTTPException)
def fail(error: HTTPException) -> ResponseReturnValue:
    """Answer 404, 405, 413, 415 and 500 as the client reads: a page for a browser, JSON for a program."""
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
        body: ResponseValue = render_template("error.html", error=error)
    else:
        body = {"error": {"field": None, "reason": error.description}}
    return body, error.code or 500, headers


@app.after_request
def protect(response: Response) -> Response:
    """Let the page load nothing from elsewhere, and nobody keep what somebody answered."""
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


if __name__ == "__main__":
    # For development, on this machine alone: elsewhere a WSGI server imports `app`.
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5000")), debug=False)
