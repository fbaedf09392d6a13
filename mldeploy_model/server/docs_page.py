"""/docs: the interface for programs on one page, with commands that work as they are and a field to try a body in."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from mldeploy_model.schema import Column
from mldeploy_model.server.form_fields import words
from mldeploy_model.server.html import read_asset, respond_page
from mldeploy_model.server.http import CSV, JSON, Response
from mldeploy_model.server.inference_v2 import infer_example
from mldeploy_model.server.model_endpoint import ModelEndpoint
from mldeploy_model.server.openapi import csv_example, request_examples

_FORMS = {
    "object": "One row",
    "list": "Several rows",
    "columns": "Columns and data",
    "dataframe_split": "MLflow: dataframe_split",
    "dataframe_records": "MLflow: dataframe_records",
    "instances": "MLflow and TensorFlow Serving: instances",
    "inputs": "MLflow and TensorFlow Serving: inputs",
}
_MOST_LINES = 14
"""Of the field to try a body in."""


def respond_docs(models: Sequence[ModelEndpoint], base_url: str) -> Response:
    """The page; the commands on it name the address under which it was requested."""
    sections = "".join(_model_section(model, base_url, is_first=model is models[0]) for model in models)
    main = (
        "<header><h1>Interface</h1><p class=lead>How programs get predictions. "
        'The same for machines: <a href="openapi.json">openapi.json</a>, OpenAPI 3.1.</p>'
        f'<nav><a href="./">The form</a><a href="health">Health</a><a href="metrics">Metrics</a></nav></header>'
        f"<div class=stack>{sections}{_ERRORS}</div>"
    )
    return respond_page("Interface", main, read_asset("docs.js"))


def _model_section(model: ModelEndpoint, base_url: str, is_first: bool) -> str:
    name = quote(model.schema.name, safe="")
    path = "predict" if is_first else f"models/{name}/predict"
    examples = request_examples(model)
    forms = "".join(f"<h3>{_FORMS[form]}</h3>{_curl(base_url, path, body)}" for form, body in examples.items())
    v2 = _curl(base_url, f"v2/models/{name}/infer", infer_example(model.schema, model.example()))
    note = _probabilities_note(model)
    return (
        f"<section class='card stack'><h2>{escape(model.schema.name)}: POST /{escape(path)}</h2>"
        f"{_columns_table(model.schema.columns)}{note}{_try_out(path, examples['object'])}{forms}"
        f"<h3>CSV</h3>{_curl_text(base_url, path, csv_example(model), CSV)}"
        f"<h3>Open Inference Protocol, version 2: POST /v2/models/{escape(name)}/infer</h3>{v2}</section>"
    )


def _probabilities_note(model: ModelEndpoint) -> str:
    if not model.schema.probabilities:
        return ""
    return "<p>With <code>?probabilities=1</code> the answer has the probability of each class.</p>"


def _columns_table(columns: Sequence[Column]) -> str:
    rows = "".join(
        f"<tr><td>{escape(column.name)}</td><td>{column.type}{'' if not column.optional else ', may be null'}</td>"
        f"<td>{escape(_allowed(column))}</td></tr>"
        for column in columns
    )
    head = "<thead><tr><th>Column</th><th>Type</th><th>Values</th></tr></thead>"
    return f"<div class=scroll><table>{head}<tbody>{rows}</tbody></table></div>" if columns else ""


def _allowed(column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    if column.categories:
        shown = ", ".join(words(category) for category in column.categories[:12])
        return f"{shown}{', …' if len(column.categories) > 12 else ''}{unit}"
    if column.minimum is not None and column.maximum is not None:
        return f"{words(float(column.minimum))} to {words(float(column.maximum))}{unit}"
    return unit.strip()


def _try_out(path: str, body: object) -> str:
    text = json.dumps(body, ensure_ascii=False, indent=1)
    lines = min(text.count("\n") + 1, _MOST_LINES)
    return (
        f'<form data-path="{escape(path)}" class=stack>'
        f"<label>Try it <textarea rows={lines} spellcheck=false name=body>{escape(text)}</textarea></label>"
        f"<label>Content type <select name=type><option>{JSON}</option><option>{CSV}</option></select></label>"
        "<button type=submit>Send</button><pre><output></output></pre></form>"
    )


def _curl(base_url: str, path: str, body: object) -> str:
    return _curl_text(base_url, path, json.dumps(body, ensure_ascii=False), JSON)


def _curl_text(base_url: str, path: str, body: str, content_type: str) -> str:
    command = f"curl {shlex.quote(base_url + path)} -H 'content-type: {content_type}' --data-binary {shlex.quote(body)}"
    return f"<pre>{escape(command)}</pre>"


_ERRORS = """<section class="card stack"><h2>Errors</h2>
<p>An error is JSON: <code>{"error": {"field": "age", "reason": "a number is needed", "row": 3}}</code>;
<code>more</code> lists further ones. The header X-Request-ID names the request, as the server's log does.</p>
<div class=scroll><table><tbody>
<tr><td>400</td><td>The rows are not valid.</td></tr>
<tr><td>405</td><td>The path takes another method.</td></tr>
<tr><td>413</td><td>The body is too large, or has too many rows.</td></tr>
<tr><td>415</td><td>The content type is not read.</td></tr>
<tr><td>500</td><td>The model failed on these rows.</td></tr>
</tbody></table></div></section>"""
