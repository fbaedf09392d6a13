"""The permission that a request to Azure Resource Manager needs, read from its method and its address.

https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

RESOURCES = "Microsoft.Resources"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_QUESTIONS = frozenset({"checknameavailability"})
"""What is asked with POST, and changes nothing."""


def action_of(method: str, url: str) -> str:
    """`PUT …/providers/Microsoft.Web/sites/NAME` → `Microsoft.Web/sites/write`; empty if none is addressed."""
    parts = [part for part in unquote(urlsplit(url).path).split("/") if part]
    verb = "read" if parts and parts[-1].lower() in _QUESTIONS else _VERBS.get(method.upper(), "action")
    places = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    if not places or places[-1] + 1 == len(parts):
        return _above(parts, verb)
    namespace, *rest = parts[places[-1] + 1 :]
    if not rest:
        return f"{RESOURCES}/subscriptions/providers/{verb}"
    return "/".join((namespace, *rest[0::2], verb))  # every other part is a name


def _above(parts: list[str], verb: str) -> str:
    """Of what no provider has: groups, and lists over all of a subscription."""
    lowered = [part.lower() for part in parts]
    if lowered[:1] != ["subscriptions"]:
        return ""
    if "resourcegroups" not in lowered:
        return f"{RESOURCES}/subscriptions/{'/'.join((*parts[2:], verb))}"
    inside = "/resources" if parts[lowered.index("resourcegroups") + 2 :] else ""
    return f"{RESOURCES}/subscriptions/resourceGroups{inside}/{verb}"
