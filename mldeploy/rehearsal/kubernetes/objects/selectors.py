"""Which objects a selector fits. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mldeploy.rehearsal.kubernetes.objects.refusals import bad_request
from mldeploy.rehearsal.kubernetes.objects.types import Object

Fits = Callable[[Object], bool]
_SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<how>==|=|!=)\s*(?P<value>[^\s!=,()]*)")
_THERE = re.compile(r"(?P<no>!?)\s*(?P<key>[^\s!=,()]+)")
_PARTS = re.compile(r",(?![^(]*\))")


def by_labels(text: str) -> Fits:
    """Raises Refused (400) for what cannot be read."""
    tests = [_requirement(each.strip()) for each in _PARTS.split(text) if each.strip()]
    return lambda document: all(test(labels_of(document)) for test in tests)


def labels_of(document: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = document.get("metadata", {}).get("labels") or {}
    return found


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if parts := _SET.fullmatch(text):
        key, values = parts["key"], {each.strip() for each in parts["values"].split(",")}
        return _within(key, values, parts["how"] == "in")
    if parts := _EQUAL.fullmatch(text):
        return _within(parts["key"], {parts["value"]}, parts["how"] != "!=")
    if parts := _THERE.fullmatch(text):
        key, there = parts["key"], not parts["no"]
        return lambda labels: (key in labels) is there
    raise bad_request(f"unable to parse requirement: {text}")


def _within(key: str, values: set[str], wanted: bool) -> Callable[[Mapping[str, str]], bool]:
    if wanted:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def by_fields(text: str) -> Fits:
    """As kubectl asks for one object or for its events: `metadata.name=x,status.phase!=Running`."""
    tests = []
    for each in filter(None, text.split(",")):
        parts = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", each)
        if parts is None:
            raise bad_request(f"invalid selector: '{each}'; can't understand '{each}'")
        tests.append((parts[1].split("."), parts[3], parts[2] != "!="))
    return lambda document: all((_at(document, path) == value) is same for path, value, same in tests)


def _at(document: Any, path: list[str]) -> str:
    for name in path:
        document = document.get(name, "") if isinstance(document, Mapping) else ""
    return str(document).lower() if isinstance(document, bool) else str(document)


def selects(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector fits labels. None fits nothing, an empty one everything."""
    if selector is None:
        return False
    simple = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return simple and all(_expression(each, labels) for each in selector.get("matchExpressions") or ())


def _expression(each: Object, labels: Mapping[str, str]) -> bool:
    found, values = labels.get(each["key"]), each.get("values") or ()
    answers = {
        "In": found in values,
        "NotIn": found not in values,
        "Exists": found is not None,
        "DoesNotExist": found is None,
    }
    return answers[each["operator"]]
