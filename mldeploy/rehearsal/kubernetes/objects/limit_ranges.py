"""The admission controller LimitRanger. https://kubernetes.io/docs/concepts/policy/limit-range/"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mldeploy.rehearsal.kubernetes.objects.container_rules import iterate_containers
from mldeploy.rehearsal.kubernetes.objects.quantities import parse_quantity
from mldeploy.rehearsal.kubernetes.objects.types import Object


def apply_limit_ranges(ranges: Iterable[Object], spec: Object) -> list[str]:
    """Set the defaults of LimitRanges in a Pod's spec (modified). Returns what exceeds their limits."""
    limits = [each for one in ranges for each in (one.get("spec") or {}).get("limits") or ()]
    problems: list[str] = []
    for container, _ in iterate_containers(spec, ""):
        for limit in limits:
            if limit.get("type") == "Container":
                _set_defaults(limit, container.setdefault("resources", {}))
                problems += _exceeded(limit, container["resources"])
    return problems


def _set_defaults(limit: Object, resources: Object) -> None:
    for part, name in (("limits", "default"), ("requests", "defaultRequest")):
        if given := limit.get(name) or (limit.get("default") if part == "requests" else None):
            resources[part] = {**given, **resources.get(part, {})}


def _exceeded(limit: Object, resources: Object) -> Iterator[str]:
    for name, most in (limit.get("max") or {}).items():
        amount = resources.get("limits", {}).get(name)
        if amount is None:
            yield f"maximum {name} usage per Container is {most}.  No limit is specified"
        elif parse_quantity(amount) > parse_quantity(most):
            yield f"maximum {name} usage per Container is {most}, but limit is {amount}"
    for name, least in (limit.get("min") or {}).items():
        amount = resources.get("requests", {}).get(name)
        if amount is None:
            yield f"minimum {name} usage per Container is {least}.  No request is specified"
        elif parse_quantity(amount) < parse_quantity(least):
            yield f"minimum {name} usage per Container is {least}, but request is {amount}"
