"""Which permissions an access token needs, and for what.

https://docs.docker.com/security/access-tokens/reference/
"""

from __future__ import annotations

from collections.abc import Mapping

NEEDED: Mapping[str, tuple[str, ...]] = {
    "Read": ("GetRepository", "listNamespaceRepositories", "ListRepositoryTags", "RegistryToken with pull"),
    "Write": ("RegistryToken with push",),
    "Delete": ("CreateRepository", "SetRepositoryPrivacy", "DeleteRepository", "DeleteTag"),
}
"""By permission. A repository that is there and stays needs no more than the first two."""


def policy(app: str) -> Mapping[str, object]:
    """What makes a token, with why: the scope `repo:admin` is Read, Write, Delete together.

    https://docs.docker.com/reference/api/hub/latest/#tag/access-tokens
    """
    needed = {permission: list(operations) for permission, operations in NEEDED.items()}
    return {"token_label": f"mldeploy {app}", "scopes": ["repo:admin"], "permissions": needed}
