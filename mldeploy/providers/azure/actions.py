"""The permission that a request to Azure Resource Manager needs, read from its method and its address.

https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

RESOURCES = "Microsoft.Resources"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def action_of(method: str, url: str) -> str:
    """`PUT …/providers/Microsoft.Web/sites/NAME` → `Microsoft.Web/sites/write`; empty if none is addressed."""
    parts = [part for part in unquote(urlsplit(url).path).split("/") if part]
    verb = _VERBS.get(method.upper(), "action")
    places = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    if places and places[-1] + 1 < len(parts):
        kinds = _kinds(parts[places[-1] + 1 :])
        return "/".join((*kinds, verb))
    lowered = [part.lower() for part in parts]
    if "resourcegroups" in lowered:
        inside = parts[lowered.index("resourcegroups") + 2 :]
        kind = "subscriptions/resourceGroups" + ("/resources" if inside else "")
        return f"{RESOURCES}/{kind}/{verb}"
    if lowered[:1] == ["subscriptions"]:
        return f"{RESOURCES}/subscriptions/{'/'.join((*parts[2:], verb))}"
    return ""


def _kinds(parts: list[str]) -> list[str]:
    """`[Microsoft.Web, sites, NAME, config, web]` → `[Microsoft.Web, sites, config]`: every other part is a name."""
    return [parts[0], *parts[1::2]]
