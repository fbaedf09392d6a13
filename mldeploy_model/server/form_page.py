"""The page of a model: a form made from its columns, the prediction, and the inputs that it depends on most."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from urllib.parse import parse_qsl

from mldeploy_model.schema import ModelSchema, Value
from mldeploy_model.server.form_fields import ask_for, field_html, words
from mldeploy_model.server.html import read_asset, respond_page
from mldeploy_model.server.http import FORM, Problem, Request, RequestError, Response, decode_text
from mldeploy_model.server.model_endpoint import ModelEndpoint, Prediction
from mldeploy_model.server.sensitivity import Effect, measure_effects
from mldeploy_model.server.tables import RequestTable

_MOST_EFFECTS = 8


@dataclass(frozen=True)
class FormState:
    """What the form shows: what was typed, what is wrong with it, and the answer if there is one."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    prediction: Prediction | None = None
    score: float = 0.0
    effects: Sequence[Effect] = ()


def show_form(model: ModelEndpoint, others: Sequence[str], request: Request) -> Response:
    """The empty form; filled in with an example for `?example`."""
    row = model.example() if "example" in request.query else {}
    values = {name: words(value) for name, value in row.items() if value is not None}
    return _render(model.schema, others, FormState(values), request)


def answer_form(model: ModelEndpoint, others: Sequence[str], request: Request) -> tuple[Response, Prediction | None]:
    """The page with the prediction, or with what is wrong. Raises RequestError 415 or 500."""
    if request.media_type != FORM:
        raise RequestError(415, Problem("send rows to /predict; this path takes its own form"))
    sent = dict(parse_qsl(decode_text(request.body, "utf-8"), keep_blank_values=True))
    table = RequestTable(
        {name: [value.strip() or None] for name, value in sent.items()}, 1, is_single=True, is_text=True
    )
    try:
        prediction = model.predict(table, request.id, with_probabilities=model.schema.probabilities)
    except RequestError as error:
        if error.status != 400:
            raise
        problems = [_in_words_of_a_form(model.schema, sent, problem) for problem in error.problems]
        return _render(model.schema, others, FormState(sent, problems), request, 400), None
    row = {name: values[0] for name, values in prediction.columns.items()}
    score, effects = measure_effects(model, row, request.id)
    return _render(model.schema, others, FormState(sent, (), prediction, score, effects), request), prediction


def _in_words_of_a_form(schema: ModelSchema, sent: Mapping[str, str], problem: Problem) -> Problem:
    """Ask for what is left empty; the choices stand beside the field already."""
    column = next((each for each in schema.columns if each.name == problem.field), None)
    if column is None or sent.get(column.name, "").strip():
        return problem
    return replace(problem, reason=ask_for(column))


def _render(
    schema: ModelSchema, others: Sequence[str], state: FormState, request: Request, status: int = 200
) -> Response:
    title = f"Error: {schema.name}" if state.problems else schema.name
    if state.prediction:
        title = f"{words(state.prediction.values[0])} · {schema.name}"
    main = f"{_header(schema, others, request)}<div class=columns>{_form(schema, state)}{_answer(schema, state)}"
    return respond_page(title, f"{main}</div>" + _footer(schema, request), read_asset("page.js"), status)


def _header(schema: ModelSchema, others: Sequence[str], request: Request) -> str:
    root = _root(request)
    links = "".join(f'<a href="{root}models/{escape(name)}/">{escape(name)}</a>' for name in others)
    models = f'<nav aria-label="Other models"><span>Other models:</span>{links}</nav>' if others else ""
    lead = {"classification": "which class a row belongs to", "regression": "a number"}.get(schema.task, "a value")
    target = f"<b>{escape(schema.target)}</b>: " if schema.target != "prediction" else ""
    return f"<header><h1>{escape(schema.name)}</h1><p class=lead>Predicts {target}{lead}.</p>{models}</header>"


def _root(request: Request) -> str:
    """The way from this page to the server's first page: relative, since a proxy may add a prefix."""
    return "../../" if request.path.startswith("/models/") else "./"


def _footer(schema: ModelSchema, request: Request) -> str:
    root = _root(request)
    version = f", version {escape(schema.version)}" if schema.version else ""
    return (
        f'<footer>For programs: <a href="{root}docs">the interface</a>. Model {escape(schema.name)}{version}.</footer>'
    )


def _form(schema: ModelSchema, state: FormState) -> str:
    if not schema.columns or any(column.type == "tensor" for column in schema.columns):
        return f"<div class=card><h2>Inputs</h2>{_NO_FORM}</div>"
    faults = {problem.field: problem.reason for problem in state.problems if problem.field}
    fields = "".join(field_html(c, state.values.get(c.name, ""), faults.get(c.name, "")) for c in schema.columns)
    intro = '<p class=note><a href="?example">Fill in an example</a></p>'
    if state.problems:
        items = "".join(f"<li>{_problem_link(schema, problem)}</li>" for problem in state.problems)
        intro = (
            '<div class=summary role=alert tabindex="-1" autofocus><h3>There is no prediction yet</h3>'
            f"<ul>{items}</ul></div>{intro}"
        )
    return (
        '<form class=card method=post action="./" novalidate autocomplete=off><h2>Inputs</h2>'
        f"{intro}<div class=fields>{fields}</div><button type=submit>Predict</button></form>"
    )


def _problem_link(schema: ModelSchema, problem: Problem) -> str:
    if problem.field in {column.name for column in schema.columns}:
        return f'<a href="#field-{escape(str(problem.field))}">{escape(problem.sentence())}</a>'
    return escape(problem.sentence())


def _answer(schema: ModelSchema, state: FormState) -> str:
    section = '<section class="card answer" id=answer aria-labelledby=answer-title>'
    head = f"{section}<h2 id=answer-title{{}}>{escape(_label(schema))}</h2>"
    if state.prediction is None:
        return f"{head.format('')}<p class=empty>It appears here once the inputs are filled in.</p></section>{_SPOKEN}"
    cautions = "".join(f"<p class=caution>{escape(warning.sentence())}</p>" for warning in state.prediction.warnings)
    body = f"<p class=value>{escape(words(state.prediction.values[0]))}</p>{cautions}{_probabilities(state.prediction)}"
    effects = _effects(schema, state)
    focus = ' tabindex="-1" autofocus'
    return f"{head.format(focus)}{body}{effects}</section>{_SPOKEN}"


_NO_FORM = "<p class=empty>This model takes lists of numbers, which no form can hold: send them to /predict.</p>"
_SPOKEN = "<p role=status class=spoken id=spoken></p>"


def _label(schema: ModelSchema) -> str:
    return "Prediction" if schema.target == "prediction" else f"Predicted {schema.target}"


def _probabilities(prediction: Prediction) -> str:
    if not prediction.probabilities:
        return ""
    ranked = sorted(prediction.probabilities[0].items(), key=lambda item: -item[1])[:_MOST_EFFECTS]
    items = "".join(
        f"<li><p><b>{escape(name)}</b><span class=number>{share * 100:.1f} %</span></p>{_bar(0, share, None)}</li>"
        for name, share in ranked
    )
    return f"<h3>Probabilities</h3><ol class=bars>{items}</ol>"


def _effects(schema: ModelSchema, state: FormState) -> str:
    """The inputs with the widest span of predictions, on one scale."""
    shown = [effect for effect in state.effects[:_MOST_EFFECTS] if effect.span > 0 and math.isfinite(effect.span)]
    if not shown:
        return ""
    low, high = min(effect.low for effect in shown), max(effect.high for effect in shown)
    what = "the prediction"
    if schema.task == "classification" and state.prediction:
        what = f"the probability of {escape(words(state.prediction.values[0]))}"
    items = "".join(f"<li>{_effect(effect, schema, low, high, state.score)}</li>" for effect in shown)
    still = [effect.column.name for effect in state.effects if effect.span == 0]
    rest = f"<p class=note>No effect here: {escape(', '.join(still))}.</p>" if still else ""
    return (
        f"<h3>What it depends on most</h3><ol class=bars>{items}</ol>{rest}"
        "<p class=note>Each line varies one input over its range, leaves the others as they are, and shows between "
        f"which values {what} moves. The mark is {what} now.</p>"
    )


def _effect(effect: Effect, schema: ModelSchema, low: float, high: float, score: float) -> str:
    scale = (high - low) or 1.0
    show = _percent if schema.task == "classification" else words
    bar = _bar((effect.low - low) / scale, (effect.high - low) / scale, (score - low) / scale)
    return (
        f"<p><span>{escape(effect.column.name)}: <b>{escape(words(effect.value))}</b></span>"
        f"<span class=number>{escape(show(effect.low))} to {escape(show(effect.high))}</span></p>{bar}"
        f"<p class=note>lowest at {escape(words(effect.low_at))}, highest at {escape(words(effect.high_at))}</p>"
    )


def _percent(share: Value) -> str:
    return f"{float(share or 0) * 100:.1f} %"


def _bar(start: float, end: float, mark: float | None) -> str:
    """A bar over a part of the width; the numbers beside it say the same in words."""
    now = f'<rect class=now x="{min(mark * 100, 99):.2f}" width="1" height="6"></rect>' if mark is not None else ""
    return (
        '<svg class=bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<rect x="{start * 100:.2f}" width="{max((end - start) * 100, 0.3):.2f}" height="6"></rect>{now}</svg>'
    )
