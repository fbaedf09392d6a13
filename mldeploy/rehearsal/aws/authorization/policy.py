"""Evaluation of IAM policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

Statement: TypeAlias = Mapping[str, object]


@dataclass(frozen=True)
class Permission:
    """What a call needs. resource: an ARN, or `*` where the action has no resource types. context: condition keys."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


def is_allowed(documents: Iterable[str], needed: Permission) -> bool:
    """Whether a statement allows it and none denies it. documents: JSON that IAM has accepted."""
    effects = {
        str(statement["Effect"])
        for document in documents
        for statement in _statements(document)
        if _applies(statement, needed)
    }
    return effects == {"Allow"}


def _statements(document: str) -> Iterator[Statement]:
    content = json.loads(document)["Statement"]
    yield from content if isinstance(content, list) else [content]


def _applies(statement: Statement, needed: Permission) -> bool:
    return (
        _covers(statement, "Action", needed.action, lambda pattern, text: matches(pattern.lower(), text.lower()))
        and _covers(statement, "Resource", needed.resource, matches)
        and _holds(statement, needed.context)
    )


def _covers(statement: Statement, element: str, text: str, match: Callable[[str, str], bool]) -> bool:
    """Whether `Action` or `NotAction` (`Resource` or `NotResource`) covers it."""
    if element in statement:
        return any(match(each, text) for each in _texts(statement[element]))
    return not any(match(each, text) for each in _texts(statement[f"Not{element}"]))


def _holds(statement: Statement, context: Mapping[str, str]) -> bool:
    """Every condition must hold; one of its values is enough. A key that the call does not have fails it.

    An operator that is not evaluated here allows nothing and denies everything.
    """
    conditions = statement.get("Condition", {})
    for operator, keys in conditions.items() if isinstance(conditions, dict) else ():
        for_all = operator.startswith(FOR_ALL)
        compare = OPERATORS.get(operator.removeprefix(FOR_ALL))
        if compare is None:
            return statement["Effect"] == "Deny"
        for key, values in keys.items():
            actual = context.get(key)
            if actual is None and for_all:
                continue  # of no values, all match
            given = actual.splitlines() if actual is not None and for_all else [actual]
            if not all(each is not None and any(compare(v, each) for v in _texts(values)) for each in given):
                return False
    return True


def _equals(pattern: str, text: str) -> bool:
    return pattern == text


def matches(pattern: str, text: str) -> bool:
    """Whether the text matches a pattern with `*` and `?`."""
    return _compile(pattern).fullmatch(text) is not None


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


FOR_ALL = "ForAllValues:"

OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
