"""The rules of a load balancer's listener: which action a request meets, and to which target group that leads.

Standard: Elastic Load Balancing, "Listener rules for your Application Load Balancer".
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from moto.elbv2.models import FakeAction, FakeListener
from werkzeug.wrappers import Request


def find_actions(listener: FakeListener, request: Request) -> Sequence[FakeAction]:
    """Return the actions of the first rule, by priority, whose conditions the request meets; else the default ones."""
    rules = [rule for rule in list(listener.rules.values()) if not rule.is_default]
    for rule in sorted(rules, key=lambda rule: int(rule.priority)):
        if all(_is_met(condition, request) for condition in rule.conditions):
            return list(rule.actions)
    return listener.default_actions


def choose_group(actions: Sequence[FakeAction]) -> str:
    """Return the ARN of the target group for one request, at random by weight; empty if it is not forwarded."""
    for action in actions:
        if action.type != "forward":
            continue
        groups = (action.data.get("ForwardConfig") or {}).get("TargetGroups") or [{"TargetGroupArn": None}]
        weights = [int(each.get("Weight", 1)) for each in groups]
        if sum(weights):
            (chosen,) = random.choices(groups, weights)  # noqa: S311 - not for security
            return str(chosen["TargetGroupArn"] or action.data["TargetGroupArn"])
    return ""


def find_redirect(actions: Sequence[FakeAction], request: Request) -> str:
    """Return where a request is redirected to; empty if it is not. Standard: ELBv2, RedirectActionConfig."""
    config = next((each.data["RedirectConfig"] for each in actions if each.type == "redirect"), None)
    if config is None:
        return ""
    protocol, port = config.get("Protocol", request.scheme).lower(), str(config.get("Port", ""))
    host = request.host.partition(":")[0] + (
        "" if (protocol, port) in (("https", "443"), ("http", "80")) else f":{port}"
    )
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    return f"{protocol}://{host}{request.path}{query}"


def _is_met(condition: Mapping[str, Any], request: Request) -> bool:
    """Whether a request meets a condition on a header, the host or the path. Letters' case counts in paths alone."""
    kind = condition["Field"]
    config = next((condition[each] for each in _CONFIGS if condition.get(each)), condition)
    if kind == "http-header":
        actual = request.headers.get(config["HttpHeaderName"], "")
    elif kind == "host-header":
        actual = request.host
    elif kind == "path-pattern":
        return any(fnmatchcase(request.path, pattern) for pattern in config["Values"])
    else:
        return False
    return any(fnmatchcase(actual.lower(), pattern.lower()) for pattern in config["Values"])


_CONFIGS = ("HttpHeaderConfig", "HostHeaderConfig", "PathPatternConfig")
