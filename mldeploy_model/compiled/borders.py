"""Rows at the thresholds of trees: the two neighbouring inputs between which a comparison changes its result.

The inputs are searched by halving through the plan itself, so they are right behind any scaling, and behind the
rounding to float32, which is where a conversion that computes in another precision goes wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array
from mldeploy_model.compiled.domains import InputDomain, Row, as_columns
from mldeploy_model.compiled.model import CompiledModel
from mldeploy_model.compiled.operations import dense
from mldeploy_model.compiled.trees import HistBoosting

MOST_BORDERS = 100  # thresholds a column that are tried
HALVINGS = 1100  # more than a range of float64 can be halved


def border_rows(
    compiled: CompiledModel, domains: Sequence[InputDomain], base: Sequence[Row], random: np.random.Generator
) -> list[dict[str, object]]:
    """Rows on both sides of thresholds, and one float64 further. None for a model without trees."""
    steps, end = _tree_end(compiled.plan)
    if end is None or not base:
        return []
    features = _Features(compiled, steps, end)
    thresholds = end.thresholds()
    rows: list[dict[str, object]] = []
    for domain in domains:
        if domain.is_number:
            row = dict(base[int(random.integers(len(base)))])
            rows += [{**row, domain.name: value} for value in _borders(features, thresholds, domain, row, random)]
    return rows


class _Features:
    """What the trees compare, for many values of one column in an otherwise fixed row."""

    def __init__(self, compiled: CompiledModel, steps: Sequence[Any], end: Any) -> None:
        self.compiled, self.steps = compiled, steps
        self.type = getattr(end, "compares", np.float32)

    def compute(self, row: Row, name: str, values: Array) -> Array:
        columns = as_columns([row] * len(values), self.compiled.inputs.names)
        block: Any = self.compiled.inputs.table({**columns, name: values.tolist()}, len(values))
        for step in self.steps:
            block = step.transform(block)
        return dense(block).astype(np.float64).astype(self.type)


def _borders(
    features: _Features, thresholds: dict[int, Array], domain: InputDomain, row: Row, random: np.random.Generator
) -> list[object]:
    low, high = domain.low - abs(domain.high - domain.low), domain.high + abs(domain.high - domain.low)
    try:
        ends = features.compute(row, domain.name, np.array([low, high]))
    except (ValueError, TypeError):
        return []
    pairs = [
        (feature, value)
        for feature, values in thresholds.items()
        if ends[0, feature] != ends[1, feature]
        for value in values
        if (ends[0, feature] <= value) != (ends[1, feature] <= value)
    ]
    if not pairs:
        return []
    chosen = [pairs[index] for index in random.permutation(len(pairs))[:MOST_BORDERS]]
    columns, limits = np.array([f for f, _ in chosen]), np.array([v for _, v in chosen])
    below = ends[0, columns] <= limits

    def is_first_side(values: Array) -> Array:
        computed = features.compute(row, domain.name, values)
        return np.asarray((computed[np.arange(len(values)), columns] <= limits) == below)

    first, second = _halve(is_first_side, np.full(len(chosen), low), np.full(len(chosen), high))
    if domain.kind == "int":
        whole = {side for x in first for side in (math.floor(x), math.ceil(x))}
        return list(whole)
    further = [np.nextafter(first, -np.inf), np.nextafter(second, np.inf)]
    return [float(x) for side in (first, second, *further) for x in side]


def _halve(is_first_side: Any, first: Array, second: Array) -> tuple[Array, Array]:
    """Neighbouring numbers of which the first is on the first side and the second is not."""
    for _ in range(HALVINGS):
        middle = first + (second - first) / 2
        if ((middle == first) | (middle == second)).all():
            break
        on_first = is_first_side(middle)
        first, second = np.where(on_first, middle, first), np.where(on_first, second, middle)
    return first, second


def _tree_end(plan: Any) -> tuple[list[Any], Any]:
    """The operations before the trees of a plan and the trees, or None if another estimator is at its end."""
    steps: list[Any] = []
    while True:
        if isinstance(plan, HistBoosting):
            return [*steps, *plan.parts()], plan
        if hasattr(plan, "thresholds"):
            return steps, plan
        if hasattr(plan, "steps"):
            steps.append(plan.steps)
            plan = plan.end
        elif hasattr(plan, "regressor"):
            plan = plan.regressor
        else:
            return steps, None
