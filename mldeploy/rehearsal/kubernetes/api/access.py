"""Who may do what: roles, and to whom they are bound.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

_AUTHENTICATED, _MASTERS = "system:authenticated", "system:masters"
_OPEN = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi/*", "/readyz", "/version")
"""What everybody who has a token may look at. The same page, "API discovery roles"."""


@dataclass(frozen=True)
class User:
    """Somebody whose token is good."""

    name: str
    groups: tuple[str, ...] = (_AUTHENTICATED,)


MASTER = User("rehearsal", (_AUTHENTICATED, _MASTERS))
"""Whose kubeconfig stands in the rehearsal's folder: no role needs to allow anything."""


@dataclass(frozen=True)
class Attempt:
    """A verb on objects of a type, or on one of them, or on a path that is about no object."""

    verb: str
    group: str = ""
    plural: str = ""
    part: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def resource(self) -> str:
        """As a role names it."""
        return f"{self.plural}/{self.part}" if self.part else self.plural

    @classmethod
    def to_make(cls, resource: Resource, namespace: str) -> Attempt:
        return cls("create", resource.group, resource.plural, namespace=namespace)


class Access:
    """What the cluster's roles and bindings say. May be used from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tokens: dict[str, Key] = {}
        self._accounts: dict[str, str] = {}

    def issued(self, account: Object) -> str:
        """A token of a service account, good as long as that is there."""
        metadata, token = account["metadata"], secrets.token_urlsafe(32)
        self._tokens[token] = Key(kinds.ACCOUNTS, metadata["namespace"], metadata["name"])
        self._accounts[token] = metadata["uid"]
        return token

    def owner(self, token: str) -> User | None:
        """The service account that a token belongs to."""
        key = self._tokens.get(token)
        account = self._store.get(key) if key is not None else None
        if key is None or account is None or account["metadata"]["uid"] != self._accounts[token]:
            return None
        groups = (_AUTHENTICATED, "system:serviceaccounts", f"system:serviceaccounts:{key.namespace}")
        return User(f"system:serviceaccount:{key.namespace}:{key.name}", groups)

    def allows(self, user: User, attempt: Attempt) -> bool:
        if _MASTERS in user.groups or _is_open(attempt):
            return True
        return any(_covers(rule, attempt) for rule in self.rules(user, attempt.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Object]:
        """All that apply to somebody in a namespace; "": in the cluster as a whole."""
        for binding in self._store.list(kinds.CLUSTER_BINDINGS):
            yield from self._bound(user, binding, "")
        for binding in self._store.list(kinds.BINDINGS, namespace) if namespace else ():
            yield from self._bound(user, binding, namespace)

    def _bound(self, user: User, binding: Object, namespace: str) -> Sequence[Object]:
        if not any(_is_meant(subject, user, namespace) for subject in binding.get("subjects") or ()):
            return ()
        reference = binding["roleRef"]
        in_cluster = reference["kind"] == "ClusterRole"
        key = Key(
            kinds.CLUSTER_ROLES if in_cluster else kinds.ROLES, "" if in_cluster else namespace, reference["name"]
        )
        found: Sequence[Object] = (self._store.get(key) or {}).get("rules") or ()
        return found


def _is_meant(subject: Object, user: User, namespace: str) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def _is_open(attempt: Attempt) -> bool:
    if attempt.plural:
        return attempt.verb == "create" and attempt.plural in {each.plural for each in kinds.REVIEWS}
    return attempt.verb == "get" and any(fnmatchcase(attempt.path, each) for each in _OPEN)


def _covers(rule: Object, attempt: Attempt) -> bool:
    if not {"*", attempt.verb} & set(rule.get("verbs") or ()):
        return False
    if not attempt.plural:
        return any(fnmatchcase(attempt.path, each) for each in rule.get("nonResourceURLs") or ())
    names, named = rule.get("resourceNames") or (), {"*", attempt.resource}
    if attempt.part:
        named.add(f"*/{attempt.part}")
    of_group = {"*", attempt.group} & set(rule.get("apiGroups") or ())
    return bool(of_group and named & set(rule.get("resources") or ()) and (not names or attempt.name in names))
