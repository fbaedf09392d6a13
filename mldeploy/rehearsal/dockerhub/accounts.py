"""Who a caller is, and what he may do: a user, an organization in which he works, and access tokens of four scopes.

https://docs.docker.com/security/access-tokens/reference/
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

USER, ORGANIZATION, STRANGER = "rehearsal", "rehearsal-team", "stranger"
"""Namespaces: his own, one in which he may push, one in which he may not."""
SCOPES = ("repo:public_read", "repo:read", "repo:write", "repo:admin")
"""Each allows what those before it do. The last one is called Read, Write, Delete."""
PULL, PUSH, DELETE = "pull", "push", "delete"


@dataclass(frozen=True)
class Identity:
    """Somebody with an access token. name: empty for those who show none. scope: of SCOPES."""

    name: str = ""
    namespaces: frozenset[str] = frozenset()
    scope: str = SCOPES[0]

    def rights(self, namespace: str, *, public: bool) -> Iterator[str]:
        """What he may do with a repository. public: everybody may pull it."""
        rank = SCOPES.index(self.scope) if namespace in self.namespaces else 0
        if public or rank >= 1:
            yield PULL
        if rank >= 2:
            yield PUSH
        if rank >= 3:
            yield DELETE

    def covers(self, actions: Iterable[str]) -> bool:
        """Whether the token itself allows so much anywhere. Nobody has one."""
        return not self.name or PUSH not in actions or SCOPES.index(self.scope) >= 2


NOBODY = Identity()


class Accounts:
    """Access tokens and whose they are. May be used from several threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._known: dict[str, Identity] = {}
        self.token = self.give(SCOPES[-1])

    def give(self, scope: str, *, organization: bool = False) -> str:
        """Make a token of the user's, or one of the organization itself, for which the organization's name stands."""
        namespaces = frozenset((ORGANIZATION,) if organization else (USER, ORGANIZATION))
        token = f"dckr_{'oat' if organization else 'pat'}_{secrets.token_urlsafe(20)}"
        with self._mutex:
            self._known[token] = Identity(ORGANIZATION if organization else USER, namespaces, scope)
        return token

    def reset(self) -> None:
        """Only the first one is good."""
        with self._mutex:
            self._known = {self.token: self._known[self.token]}

    def proved(self, name: str, secret: str) -> Identity | None:
        """Who shows this; None if it is wrong."""
        with self._mutex:
            known = list(self._known.items())
        for token, identity in known:
            if hmac.compare_digest(token.encode(), secret.encode()) and identity.name == name:
                return identity
        return None
