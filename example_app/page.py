"""What the page shows, worked out: the templates only lay it out."""

from collections.abc import Mapping
from dataclasses import dataclass

from model import ChargeModel, Effect
from schema import FIELDS, NAMES, Problem, Row, Value

MINUS = "\N{MINUS SIGN}"  # as wide as a plus, and read out as "minus"
LABELS = {field.name: field.label for field in FIELDS}


@dataclass(frozen=True)
class Bar:
    """One effect on the charge: its words, and where its bar starts and how long it is, in percent of the width."""

    label: str
    answer: str
    typical: str
    dollars: float
    start: float
    length: float


@dataclass(frozen=True)
class Answer:
    """All that the page says about one prediction; charges in dollars a year."""

    charge: float
    bars: tuple[Bar, ...]
    zero: float
    unfamiliar: tuple[str, ...]


def answer(model: ChargeModel, row: Row) -> Answer:
    """Predict a checked row and lay out what drives the prediction."""
    explanation = model.explain(row)
    changes = [effect.dollars for effect in explanation.effects]
    low, high = min(0.0, *changes), max(0.0, *changes)
    percent = 100 / ((high - low) or 1)
    return Answer(
        charge=explanation.charge,
        bars=tuple(_bar(effect, low, percent) for effect in explanation.effects),
        zero=-low * percent,
        unfamiliar=tuple(LABELS[name].lower() for name in model.unfamiliar(row)),
    )


def _bar(effect: Effect, low: float, percent: float) -> Bar:
    return Bar(
        label=LABELS[effect.field],
        answer=words(effect.value),
        typical=words(effect.typical),
        dollars=effect.dollars,
        start=(min(0.0, effect.dollars) - low) * percent,
        length=abs(effect.dollars) * percent,
    )


def examples() -> Mapping[str, str]:
    """Return an example answer to every question, as somebody would type it."""
    return {field.name: words(field.example) for field in FIELDS}


def faults(problems: tuple[Problem, ...]) -> Mapping[str, str]:
    """Return what is wrong with each field, as a sentence that names it."""
    named = ((problem.field or "", problem.reason) for problem in problems)
    return {name: f"{LABELS.get(name, name)} {reason}" for name, reason in named}


def describe(row: Row) -> str:
    """Write a person's answers in one line."""
    return ", ".join(f"{LABELS[name].lower()} {words(row[name])}" for name in NAMES)


def words(value: Value) -> str:
    """Write an answer as people do: 42, not 42.0."""
    return value if isinstance(value, str) else f"{value:g}"


def money(dollars: float) -> str:
    """Write an amount to the dollar: the model is not good enough for cents."""
    return f"{MINUS if round(dollars) < 0 else ''}${abs(dollars):,.0f}"


def signed_money(dollars: float) -> str:
    """Write a change, with its sign; none at all for a change that rounds to nothing."""
    return money(dollars) if round(dollars) <= 0 else f"+{money(dollars)}"
