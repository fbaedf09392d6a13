"""The ingress of a container app: who reaches it, and how requests are divided between revisions.

Whatever decides who may send a request (`[target.containerapps] ingress`, and authentication) is configured here.
https://learn.microsoft.com/azure/container-apps/ingress-overview
"""

from __future__ import annotations

from collections.abc import Mapping

from azure.mgmt.appcontainers.models import Ingress, TrafficWeight

WHOLE = 100


def build_ingress(port: int, *, external: bool, weights: Mapping[str, int]) -> Ingress:
    """The managed part of the ingress, for a request that replaces nothing else of it.

    weights: percent by revision; empty for a new app: its first revision then gets all requests.
    """
    ingress = Ingress(external=external, target_port=port, transport="Auto", allow_insecure=False)
    if weights:
        ingress.traffic = build_traffic(weights)
    return ingress


def build_traffic(weights: Mapping[str, int]) -> list[TrafficWeight]:
    """The traffic rules. Revisions that they do not name get no requests."""
    return [TrafficWeight(revision_name=name, weight=weight) for name, weight in weights.items() if weight]


def parse_weights(ingress: Ingress | None, latest: str) -> Mapping[str, int]:
    """Percent by revision; empty if there is no rule. latest: the name of the latest revision."""
    weights: dict[str, int] = {}
    for each in (ingress.traffic if ingress else None) or ():
        name = latest if each.latest_revision else each.revision_name or ""
        if each.weight:
            weights[name] = weights.get(name, 0) + each.weight
    return weights


def follows_latest(ingress: Ingress | None) -> bool:
    """Whether a new revision gets requests at once, because no rule names a revision."""
    rules = (ingress.traffic if ingress else None) or ()
    return not rules or any(each.latest_revision and each.weight for each in rules)
