"""What the stand-in holds."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.rehearsal.azure.arm.account import Account
from mldeploy.rehearsal.azure.shelf import Shelf
from mldeploy.rehearsal.door.interface import Thing


def listed(account: Account, shelf: Shelf) -> Iterator[Thing]:
    """Every thing that somebody made and that is still there; what every new subscription has is left out."""
    with account.lock:
        account.settle()
        for each in account.of():
            about = str((each.properties.get("principalType") and each.properties["scope"].rpartition("/")[2]) or "")
            yield Thing(each.kind.name, f"{about}/{each.name}" if about else each.name, dict(each.tags))
    for registry in shelf.registries:
        for repository, digests in list(registry.repositories.items()):
            for digest in digests:
                yield Thing("Microsoft.ContainerRegistry/manifests", f"{registry.name}/{repository}@{digest}")
