"""What may be asked of the model: the one place that names its fields, their units and their bounds.

The form is drawn from `FIELDS`, every request is checked against `FIELDS`, and the model is trained on the columns that
`FIELDS` names; so the three cannot drift apart.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

Value = int | float | str
Row = Mapping[str, Value]
"""One person: a value for each of `FIELDS`, by its name."""
Table = Mapping[str, Sequence[Value]]
"""Several people: a column for each of `FIELDS`, by its name, all of one length."""

_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True)
class Problem:
    """Why a request is refused. `field` is None where no single field is to blame; `row` counts from 0."""

    field: str | None
    reason: str
    row: int | None = None


class ValidationError(Exception):
    """The request cannot be answered as it stands. Holds at least one problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


@dataclass(frozen=True)
class NumberField:
    """A number within bounds, both included; a `step` of 1 asks for whole numbers."""

    name: str
    label: str
    unit: str
    minimum: float
    maximum: float
    step: float
    example: float
    hint: str = ""

    def fault(self, values: Sequence[object]) -> str | None:
        """Say what is wrong with at least one of `values` (one or more), or None if the model may see them all."""
        types = set(map(type, values))
        if not types <= {int, float}:  # isinstance would let true and false pass as 1 and 0
            return "must be a number"
        numbers = cast("Sequence[float]", values)
        inside = self.minimum <= min(numbers) and max(numbers) <= self.maximum
        if not inside or any(map(math.isnan, numbers)):  # min and max overlook a NaN that is not the first
            return f"must be between {self.minimum:g} and {self.maximum:g} {self.unit}".rstrip()
        if self.step == 1 and float in types and any(number % 1 for number in numbers):
            return "must be a whole number"
        return None

    def parse(self, text: str) -> Value:
        """Turn what somebody typed into a number; what is none stays as it is, for `fault` to refuse."""
        return float(text) if _DECIMAL.fullmatch(text) else text


@dataclass(frozen=True)
class ChoiceField:
    """One of a few words."""

    name: str
    label: str
    options: tuple[str, ...]
    example: str
    hint: str

    def fault(self, values: Sequence[object]) -> str | None:
        """Say what is wrong with at least one of `values`, or None if the model may see them all."""
        if not all(map(self.options.__contains__, values)):
            return f"must be one of {', '.join(self.options)}"
        return None

    def parse(self, text: str) -> Value:
        """Return what somebody chose."""
        return text


FIELDS: tuple[NumberField | ChoiceField, ...] = (
    NumberField("age", "Age", unit="years", minimum=18, maximum=64, step=1, example=42),
    ChoiceField("sex", "Sex", options=("female", "male"), example="female", hint="as the insurance has it"),
    NumberField(
        "bmi",
        "Body mass index",
        unit="kg/m²",
        minimum=15,
        maximum=55,
        step=0.1,
        example=27.4,
        hint="weight in kg ÷ (height in m)²",
    ),
    NumberField(
        "children", "Children", unit="", minimum=0, maximum=5, step=1, example=2, hint="covered by the same insurance"
    ),
    ChoiceField("smoker", "Smoker", options=("no", "yes"), example="no", hint="smokes at present"),
    ChoiceField(
        "region",
        "Region",
        options=("northeast", "northwest", "southeast", "southwest"),
        example="northwest",
        hint="of the United States",
    ),
)
NAMES = tuple(field.name for field in FIELDS)


def read_form(form: Mapping[str, str]) -> Row:
    """Check what somebody typed into the form; raises ValidationError with every problem that there is."""
    typed = {name: text.strip() for name, text in form.items()}
    answered = {name: text for name, text in typed.items() if text}
    parsers = {field.name: field.parse for field in FIELDS}
    return read_object({name: parsers[name](text) if name in parsers else text for name, text in answered.items()})


def read_object(document: object) -> Row:
    """Check one JSON object, `{"age": 42, …}`; raises ValidationError with every problem that there is."""
    if not isinstance(document, dict):
        raise ValidationError(Problem(None, f"must be one JSON object with the fields {', '.join(NAMES)}"))
    problems = _problems({name: [value] for name, value in document.items()})
    if problems:
        raise ValidationError(*(replace(problem, row=None) for problem in problems))
    return {name: document[name] for name in NAMES}


def read_table(document: object) -> Table:
    """Check `{"columns": [name, …], "data": [[value, …], …]}`, its columns in any order; raises ValidationError.

    A table may be long: it is checked column by column, and only a faulty column is searched for its first faulty row.
    """
    columns = _columns(document)
    problems = _problems(columns)
    if problems:
        raise ValidationError(*problems)
    return cast("Table", {name: columns[name] for name in NAMES})


def _problems(columns: Mapping[str, Sequence[object]]) -> list[Problem]:
    problems = []
    for field in FIELDS:
        if field.name not in columns:
            problems.append(Problem(field.name, "is missing"))
        elif field.fault(columns[field.name]):
            problems.append(_first_problem(field, columns[field.name]))
    known = f"is unknown; the fields are {', '.join(NAMES)}"
    return problems + [Problem(name, known) for name in columns if name not in NAMES]


def _columns(document: object) -> dict[str, Sequence[object]]:
    if not isinstance(document, dict) or document.keys() != {"columns", "data"}:
        raise ValidationError(Problem(None, 'must be one JSON object with the keys "columns" and "data"'))
    names, rows = document["columns"], document["data"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValidationError(Problem("columns", "must be a list of field names"))
    for name, times in Counter(names).items():
        if times > 1:
            raise ValidationError(Problem(name, "is named more than once"))
    if not isinstance(rows, list) or not rows:
        raise ValidationError(Problem("data", "must be a list of one row or more"))
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise ValidationError(Problem("data", f"must hold rows of {len(names)} values, one for each column", index))
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _first_problem(field: NumberField | ChoiceField, column: Sequence[object]) -> Problem:
    faults = ((row, field.fault([value])) for row, value in enumerate(column))
    return next(Problem(field.name, reason, row) for row, reason in faults if reason)
