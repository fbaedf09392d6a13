"""Patches other than server-side apply: JSON patch, merge patch, strategic merge patch.

Standards: RFC 6902, RFC 7386; https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException

from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, bad_request
from mldeploy.rehearsal.kubernetes.objects.schemas import FREE, Schema, child, item, merge_key

_DIRECTIVE = "$patch"


def json_patched(document: Any, patch: Any) -> Any:
    """Raises Refused for a patch that cannot be read, or does not fit."""
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        return jsonpatch.JsonPatch(patch).apply(copy.deepcopy(document))
    except (jsonpatch.JsonPatchException, JsonPointerException) as error:
        raise Refused(
            422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
        ) from error


def merge_patched(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merge_patched(made.get(name), value)
    return made


def strategically_patched(schema: Schema, document: Any, patch: Any) -> Any:
    """As kubectl patches: the items of some lists are found by a key."""
    if isinstance(patch, list):
        return _list_patched(schema, document, patch)
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get(_DIRECTIVE) == "replace":
        return {name: value for name, value in patch.items() if name != _DIRECTIVE}
    made = dict(document) if isinstance(document, dict) else {}
    if (kept := patch.get("$retainKeys")) is not None:
        made = {name: value for name, value in made.items() if name in kept}
    for name, value in patch.items():
        if name.startswith("$"):
            _direct(made, name, value)
        elif value is None:
            made.pop(name, None)
        else:
            made[name] = strategically_patched(child(schema, name) or FREE, made.get(name), value)
    return made


def _direct(made: dict[str, Any], name: str, value: Any) -> None:
    """`$deleteFromPrimitiveList/NAME`; the order of a list is left as it is."""
    kind, _, field = name.partition("/")
    if kind == "$deleteFromPrimitiveList":
        made[field] = [each for each in made.get(field, ()) if each not in value]


def _list_patched(schema: Schema, document: Any, patch: list[Any]) -> Any:
    key, there = merge_key(schema), list(document or ())
    if any(isinstance(each, dict) and each.get(_DIRECTIVE) == "replace" for each in patch):
        return [each for each in patch if _DIRECTIVE not in each]
    if not key:
        merges = schema.get("x-kubernetes-patch-strategy") == "merge"
        return [*there, *(each for each in patch if each not in there)] if merges else copy.deepcopy(patch)
    for each in patch:
        place = next((number for number, old in enumerate(there) if old.get(key) == each.get(key)), None)
        if each.get(_DIRECTIVE) == "delete":
            there = [old for old in there if old.get(key) != each.get(key)]
        elif place is None:
            there.append(copy.deepcopy(each))
        else:
            there[place] = strategically_patched(item(schema), there[place], each)
    return there
