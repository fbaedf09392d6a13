"""Which values the columns of a model have, and rows that are made of them to show a difference of two paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mldeploy_model.compiled.encoding import UNKNOWN, LookUp
from mldeploy_model.compiled.model import CompiledModel
from mldeploy_model.compiled.operations import Chain
from mldeploy_model.compiled.scaling import Bins

if TYPE_CHECKING:
    from mldeploy_model.schema import Column

Row = Mapping[str, object]
ODD_NUMBERS = (
    math.nan,
    math.inf,
    -math.inf,
    1e39,
    -1e39,
    1e308,
    3.4028235677973366e38,  # the least number that becomes infinity in float32
    5e-324,
    -0.0,
    0.0,
    "abc",
    "12.5",
)
ODD_INTEGERS = (0, -1, 2**53 + 1, 2**31, "abc")
ODD_TEXTS = (UNKNOWN, "", " ", "nan")


class InputDomain(NamedTuple):
    """The values that one column may have. `values` are its categories and those of the sample."""

    name: str
    kind: str  # "float", "int", "bool" or "object"
    low: float
    high: float
    values: tuple[object, ...]

    @property
    def is_number(self) -> bool:
        return self.kind in ("float", "int")

    def draw(self, random: np.random.Generator, count: int) -> list[object]:
        """Random values over the range, a little beyond it too, or of the categories."""
        if self.kind == "float":
            margin = (self.high - self.low) * 0.1
            numbers = random.uniform(self.low - margin, self.high + margin, count)
            rounded = np.where(random.random(count) < 0.3, np.round(numbers), numbers)
            return list(rounded.tolist())
        if self.kind == "int":
            return list(random.integers(math.floor(self.low), math.ceil(self.high) + 1, count).tolist())
        choices = self.values or (True, False) if self.kind == "bool" else self.values or ("a", "b")
        return [choices[index] for index in random.integers(0, len(choices), count)]

    def odd_values(self) -> list[object]:
        """Values at which the paths could refuse or convert in different ways."""
        if self.kind == "float":
            return [None, *ODD_NUMBERS]
        if self.kind == "int":
            return [None, *ODD_INTEGERS]
        if self.kind == "bool":
            return [None, True, False]
        texts = [value for value in self.values if isinstance(value, str)][:2]
        return [None, *ODD_TEXTS, *(text.swapcase() for text in texts), *(text + " " for text in texts), 7]

    def known_values(self) -> list[object]:
        """Each category once, and numbers next to each number that the model compares with."""
        if self.kind == "float":
            numbers = [float(value) for value in self.values if isinstance(value, (int, float))]
            sides = (0.0, -math.inf, math.inf)
            return [float(np.nextafter(x, side or x)) for x in numbers if math.isfinite(x) for side in sides]
        return [value for value in self.values if value is not None]


def input_domains(compiled: CompiledModel, columns: Sequence[Column], sample: Sequence[Row]) -> list[InputDomain]:
    """One domain a column of the model, from the description, the sample and the model's own categories."""
    described = {column.name: column for column in columns}
    categories = model_categories(compiled.plan)
    domains = []
    for name, kind in zip(compiled.inputs.names, compiled.inputs.kinds):
        column = described.get(name)
        values = [*(column.categories if column else ()), *(row.get(name) for row in sample), *categories.get(name, ())]
        known = tuple(dict.fromkeys(value for value in values if value is not None and value == value))  # noqa: PLR0124
        domains.append(_domain(name, kind or _kind(known), known, column))
    return domains


def _domain(name: str, kind: str, known: tuple[object, ...], column: Column | None) -> InputDomain:
    numbers = [float(value) for value in known if isinstance(value, (int, float)) and math.isfinite(value)]
    if column is not None:
        numbers += [bound for bound in (column.minimum, column.maximum) if bound is not None]
    low, high = (min(numbers), max(numbers)) if numbers else (-1000.0, 1000.0)
    return InputDomain(name, kind, low, high if high > low else low + 1.0, known)


def _kind(values: Sequence[object]) -> str:
    types = set(map(type, values))
    if types == {bool}:
        return "bool"
    if types == {int}:
        return "int"
    return "float" if types <= {int, float} else "object"


def model_categories(part: Any) -> dict[str, list[object]]:
    """The categories and bin borders by column that encoders of a plan know, where they take columns by name."""
    known: dict[str, list[object]] = {}
    for branch in getattr(part, "branches", ()):
        if isinstance(branch.picks, list):
            for name, values in zip(branch.picks, _first_values(branch.operation)):
                known.setdefault(str(name), []).extend(values)
    for child in part.parts():
        for name, values in model_categories(child).items():
            known.setdefault(name, []).extend(values)
    return known


def _first_values(operation: Any) -> list[list[object]]:
    """What the first encoder of a chain compares with, a list for each of its columns."""
    for part in operation.operations if isinstance(operation, Chain) else (operation,):
        if isinstance(part, LookUp):
            return [list(codes) for codes in part.codes]
        if isinstance(part, Bins):
            return [[float(border) for border in borders] for borders in part.borders]
    return []


def random_columns(domains: Sequence[InputDomain], count: int, random: np.random.Generator) -> dict[str, list[object]]:
    """Random rows, column by column."""
    return {domain.name: domain.draw(random, count) for domain in domains}


def known_rows(domains: Sequence[InputDomain], base: Row) -> list[dict[str, object]]:
    """Each category of each column once, in a row that is otherwise an ordinary one."""
    return [{**base, domain.name: value} for domain in domains for value in domain.known_values()[:1000]]


def odd_rows(domains: Sequence[InputDomain], base: Row) -> list[dict[str, object]]:
    """Rows with one odd value each, and one in which everything is missing."""
    rows = [{**base, domain.name: value} for domain in domains[:60] for value in domain.odd_values()]
    return [*rows, {domain.name: None for domain in domains}]


def as_columns(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[object]]:
    """Rows turned into columns; what a row does not have is missing."""
    return {name: [row.get(name) for row in rows] for name in names}
