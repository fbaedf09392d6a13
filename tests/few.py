"""Parameters of which every run tries a few, and `make test-all` all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import pytest
from _pytest.mark.structures import ParameterSet

T = TypeVar("T")


def few(values: Iterable[T], count: int) -> list[ParameterSet]:
    """Mark all but `count` values, at even distances, as exhaustive. The order stays."""
    every = list(values)
    chosen = {index * len(every) // count for index in range(count)}
    return [_marked(value, is_quick=index in chosen) for index, value in enumerate(every)]


def _marked(value: object, *, is_quick: bool) -> ParameterSet:
    parameters = value if isinstance(value, ParameterSet) else pytest.param(value)
    return parameters if is_quick else parameters._replace(marks=(*parameters.marks, pytest.mark.exhaustive))
