"""RBAC authorization: roles, role bindings, service account tokens and access reviews.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.errors import StatusCause, invalid, invalid_value
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey

_ACCOUNT = "system:serviceaccount:"
_AUTHENTICATED, _MASTERS = "system:authenticated", "system:masters"
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
"""Paths that everybody may read: the role system:public-info-viewer."""
_OPEN = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi/*", "/readyz", "/version")
"""Paths that every authenticated user may read. The same page, "API discovery roles"."""


@dataclass(frozen=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...] = (_AUTHENTICATED,)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
"""The user of a request without credentials."""
ADMIN = User("rehearsal", (_AUTHENTICATED, _MASTERS))
"""The user of the rehearsal's kubeconfig; it needs no roles."""


@dataclass(frozen=True)
class AccessAttributes:
    """What a request does: a verb on a resource, on one object, or on a non-resource path."""

    verb: str
    group: str = ""
    plural: str = ""
    part: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def resource(self) -> str:
        """The resource as a role names it."""
        return f"{self.plural}/{self.part}" if self.part else self.plural

    @property
    def qualified(self) -> str:
        """The resource with its group: `deployments.apps`, `pods/log`."""
        name = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{name}/{self.part}" if self.part else name

    @classmethod
    def to_create(cls, resource: ApiResource, namespace: str) -> AccessAttributes:
        return cls("create", resource.group, resource.plural, namespace=namespace)


def allow_all(_attributes: AccessAttributes) -> bool:
    """The administrator of a cluster without another authorizer may do everything."""
    return True


class RbacAuthorizer:
    """Authorizes users by the cluster's roles and bindings. Thread-safe.

    allows_admin: the cloud's authorizer, which decides about ADMIN.
    """

    def __init__(self, store: Store, allows_admin: Callable[[AccessAttributes], bool] = allow_all) -> None:
        self._store = store
        self._allows_admin = allows_admin
        self._tokens: dict[str, ObjectKey] = {}
        self._accounts: dict[str, str] = {}
        self._used: set[str] = set()
        self._mutex = threading.Lock()

    def issue_token(self, account: Object) -> str:
        """Issue a token for a service account; it is valid while the account exists."""
        metadata, token = account["metadata"], secrets.token_urlsafe(32)
        self._tokens[token] = ObjectKey(kinds.ACCOUNTS, metadata["namespace"], metadata["name"])
        self._accounts[token] = metadata["uid"]
        return token

    def find_user(self, token: str) -> User | None:
        """The user of a service account token; None if the token is invalid."""
        key = self._tokens.get(token)
        account = self._store.get(key) if key is not None else None
        if key is None or account is None or account["metadata"]["uid"] != self._accounts[token]:
            return None
        return _account_user(key.namespace, key.name)

    def permits(self, user: User, attributes: AccessAttributes) -> bool:
        """Whether a user may do what a request does. Notes what a role has allowed."""
        if not self.allows(user, attributes):
            return False
        if _MASTERS not in user.groups and attributes.plural:
            with self._mutex:
                self._used.add(f"{attributes.verb} {attributes.qualified}")
        return True

    @property
    def used(self) -> frozenset[str]:
        """What roles have allowed since the start, such as `get pods/log` and `patch deployments.apps`."""
        with self._mutex:
            return frozenset(self._used)

    def allows(self, user: User, attributes: AccessAttributes) -> bool:
        is_open = attributes.verb == "get" and attributes.path in _PUBLIC
        if is_open or (_AUTHENTICATED in user.groups and _is_public(attributes)):
            return True
        if _MASTERS in user.groups:
            return self._allows_admin(attributes)
        return any(_covers(rule, attributes) for rule in self.rules(user, attributes.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Object]:
        """The rules that apply to a user in a namespace; "": cluster-wide."""
        for binding in self._store.list(kinds.CLUSTER_BINDINGS):
            yield from self._rules_of_binding(user, binding, "")
        for binding in self._store.list(kinds.BINDINGS, namespace) if namespace else ():
            yield from self._rules_of_binding(user, binding, namespace)

    def _rules_of_binding(self, user: User, binding: Object, namespace: str) -> Sequence[Object]:
        if not any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or ()):
            return ()
        reference = binding["roleRef"]
        in_cluster = reference["kind"] == "ClusterRole"
        key = ObjectKey(
            kinds.CLUSTER_ROLES if in_cluster else kinds.ROLES, "" if in_cluster else namespace, reference["name"]
        )
        rules: Sequence[Object] = (self._store.get(key) or {}).get("rules") or ()
        return rules


def named_user(name: str) -> User:
    """Return the user of this name, with the groups of a service account if it is one."""
    if not name.startswith(_ACCOUNT):
        return User(name)
    return _account_user(name.removeprefix(_ACCOUNT).partition(":")[0], name.rpartition(":")[2])


def _account_user(namespace: str, name: str) -> User:
    groups = (_AUTHENTICATED, "system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"{_ACCOUNT}{namespace}:{name}", groups)


def _is_subject(subject: Object, user: User, namespace: str) -> bool:
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}"
    return subject["name"] in (user.groups if subject["kind"] == "Group" else (user.name,))


def _is_public(attributes: AccessAttributes) -> bool:
    if attributes.plural:
        return attributes.verb == "create" and attributes.plural in {each.plural for each in kinds.REVIEWS}
    return attributes.verb == "get" and any(fnmatchcase(attributes.path, each) for each in _OPEN)


def _covers(rule: Object, attributes: AccessAttributes) -> bool:
    if not {"*", attributes.verb} & set(rule.get("verbs") or ()):
        return False
    if not attributes.plural:
        return any(fnmatchcase(attributes.path, each) for each in rule.get("nonResourceURLs") or ())
    names, named = rule.get("resourceNames") or (), {"*", attributes.resource}
    if attributes.part:
        named.add(f"*/{attributes.part}")
    of_group = {"*", attributes.group} & set(rule.get("apiGroups") or ())
    return bool(of_group and named & set(rule.get("resources") or ()) and (not names or attributes.name in names))


def review_access(access: RbacAuthorizer, user: User, resource: ApiResource, document: Object) -> Object:
    """Respond to a SelfSubjectAccessReview or SelfSubjectRulesReview."""
    response, spec = {**document, "apiVersion": resource.api_version, "kind": resource.kind}, document.get("spec") or {}
    if resource is kinds.ACCESS_REVIEWS:
        _check_review(resource, spec)
        return {**response, "status": {"allowed": access.allows(user, _parse_attributes(spec))}}
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    rules = [every] if user == ADMIN else list(access.rules(user, spec.get("namespace", "")))
    about_objects = [each for each in rules if each.get("resources")]
    about_paths = [each for each in rules if each.get("nonResourceURLs")]
    status = {"resourceRules": about_objects, "nonResourceRules": about_paths, "incomplete": False}
    return {**response, "status": status}


def _check_review(resource: ApiResource, spec: Object) -> None:
    """Raises StatusError (422) unless the review is about exactly one of a resource and a path."""
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if about and path:
        why = "cannot be specified in combination with resourceAttributes"
        raise invalid(resource, "", [invalid_value("spec.nonResourceAttributes", str(path), why)])
    if not about and not path:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = StatusCause("spec.resourceAttributes", "FieldValueInvalid", f"Invalid value: null: {why}")
        raise invalid(resource, "", [cause])


def _parse_attributes(spec: Object) -> AccessAttributes:
    if attributes := spec.get("nonResourceAttributes"):
        return AccessAttributes(attributes.get("verb", ""), path=attributes.get("path", ""))
    attributes = spec.get("resourceAttributes") or {}
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return AccessAttributes(*(attributes.get(name, "") for name in names))
