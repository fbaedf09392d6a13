"""What the API server does with a write: decode, merge, complete, validate, admit, number, keep.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.kubernetes.objects import managers, patches
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import admit
from mldeploy.rehearsal.kubernetes.objects.assigned import assign
from mldeploy.rehearsal.kubernetes.objects.defaults import fill
from mldeploy.rehearsal.kubernetes.objects.managers import APPLY, UPDATE, Manager
from mldeploy.rehearsal.kubernetes.objects.refusals import (
    Refused,
    already_exists,
    bad_request,
    invalid,
    modified,
    not_found,
    required,
    unreadable,
    wrong,
)
from mldeploy.rehearsal.kubernetes.objects.removal import released
from mldeploy.rehearsal.kubernetes.objects.rules import check
from mldeploy.rehearsal.kubernetes.objects.schemas import schema_of
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.structure import check_typed, checked, without_nulls
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource

APPLIED, JSON_PATCH, MERGE_PATCH, STRATEGIC = (
    f"application/{each}"
    for each in ("apply-patch+yaml", "json-patch+json", "merge-patch+json", "strategic-merge-patch+json")
)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GIVEN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
"""Of the metadata, what only the server says."""


@dataclass(frozen=True)
class Writer:
    """Who writes, and how. manager: under which name its fields are kept. strict: an unknown field is refused.

    dry: the answer is what would be, and nothing is kept. force: fields of others are taken over.
    """

    manager: str
    dry: bool = False
    strict: bool = False
    force: bool = False


class Writing:
    """The writes to one cluster. May be used from several threads; each write is done whole or not at all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, resource: Resource, namespace: str, sent: Object, writer: Writer) -> Object:
        """Raises Refused."""
        document = self._decoded(resource, sent, writer)
        self._placed(resource, namespace, document)
        metadata = document["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + suffix()
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        with self._store.changed:
            return self._made(resource, namespace, document, writer, Manager(writer.manager, UPDATE))

    def _made(self, resource: Resource, namespace: str, document: Object, writer: Writer, manager: Manager) -> Object:
        name = document["metadata"].get("name", "")
        key = Key(resource, namespace, name)
        if self._store.get(key) is not None:
            raise already_exists(resource, name)
        if resource.has_status:
            document.pop("status", None)
        if manager.operation == UPDATE:
            document = managers.updated(resource, None, document, manager)
        for given in _GIVEN:
            document["metadata"].pop(given, None)
        fill(resource, document)
        check(resource, document, None)
        admit(self._store, resource, namespace, document)
        assign(self._store, resource, document, None)
        made = born(document)
        if resource.counted:
            made["metadata"]["generation"] = 1
        return made if writer.dry else self._store.put(key, made)

    def update(self, key: Key, sent: Object, writer: Writer, part: str = "") -> Object:
        """Replace an object, or its status alone. Raises Refused."""
        document = self._decoded(key.resource, sent, writer)
        self._placed(key.resource, key.namespace, document)
        if document["metadata"].get("name") != key.name:
            raise bad_request(
                f"the name of the object ({document['metadata'].get('name', '')}) does not match the name on the URL "
                f"({key.name})"
            )
        with self._store.changed:
            before = self._found(key)
            return self._changed(key, before, document, writer, Manager(writer.manager, UPDATE, part))

    def patch(self, key: Key, kind: str, patch: Any, writer: Writer, part: str = "") -> tuple[Object, bool]:
        """The object, and whether it is new. kind: the patch's media type. Raises Refused."""
        with self._store.changed:
            if kind == APPLIED:
                return self._apply(key, patch, writer, part)
            before = self._found(key)
            after = self._decoded(key.resource, _patched(key.resource, kind, before, patch), writer)
            manager = Manager(writer.manager, UPDATE, part)
            return self._changed(key, before, after, writer, manager), False

    def _apply(self, key: Key, patch: Any, writer: Writer, part: str) -> tuple[Object, bool]:
        resource, sent = key.resource, self._configuration(key, patch, writer)
        before, manager = self._store.get(key), Manager(writer.manager, APPLY, part)
        if before is None and sent["metadata"].get("uid"):
            raise Refused(409, "Conflict", f"uid mismatch: the provided object specified uid {sent['metadata']['uid']}")
        document = managers.applied(resource, before, sent, manager, force=writer.force)
        if before is None:
            return self._made(resource, key.namespace, document, writer, manager), True
        return self._changed(key, before, document, writer, manager), False

    def _configuration(self, key: Key, patch: Any, writer: Writer) -> Object:
        """What somebody applies. Raises Refused."""
        resource = key.resource
        if not isinstance(patch, dict):
            raise bad_request("error decoding YAML: the patch is no object")
        if not writer.manager:
            cause = required("fieldManager", "is required for apply patch")
            raise Refused(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}')
        said = patch.get("apiVersion", "")
        if said != resource.api_version or patch.get("kind") != resource.kind:
            what = f"Incorrect version specified in apply patch. Specified patch version: {said}, expected: "
            raise bad_request(f"{what}{resource.api_version}")
        sent: Object = without_nulls(patch)
        check_typed(resource, key.namespace, key.name, sent)
        if (sent.get("metadata") or {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        sent.setdefault("metadata", {}).setdefault("name", key.name)
        self._placed(resource, key.namespace, sent)
        if sent["metadata"]["name"] != key.name:
            raise bad_request(
                f"the name of the object ({sent['metadata']['name']}) does not match the name on the URL ({key.name})"
            )
        if resource is kinds.SECRETS and "stringData" in sent:
            fill(resource, sent)
        return sent

    def _changed(self, key: Key, before: Object, document: Object, writer: Writer, manager: Manager) -> Object:
        resource, version = key.resource, document["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise modified(resource, key.name)
        if document["metadata"].get("uid", before["metadata"]["uid"]) != before["metadata"]["uid"]:
            raise modified(resource, key.name)
        document = _of_part(resource, before, document, manager.part)
        _keep_given(before, document)
        if manager.operation == UPDATE:
            document = managers.updated(resource, before, document, manager)
        fill(resource, document)
        if manager.part != "status":
            check(resource, document, before)
            assign(self._store, resource, document, before)
        if resource.counted and document.get("spec") != before.get("spec"):
            document["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        if writer.dry:
            return document
        return released(self._store, key, document) or document

    def _found(self, key: Key) -> Object:
        found = self._store.get(key)
        if found is None:
            raise not_found(key.resource, key.name)
        return found

    def _decoded(self, resource: Resource, sent: Any, writer: Writer) -> Object:
        """A copy of what was sent. Raises Refused for what cannot be one of these."""
        if not isinstance(sent, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
        kind, version = sent.get("kind", resource.kind), sent.get("apiVersion", resource.api_version)
        if (kind, version) != (resource.kind, resource.api_version):
            raise bad_request(
                f"the API version in the data ({version}, Kind={kind}) does not match the expected API version "
                f"({resource.api_version}, Kind={resource.kind})"
            )
        document: Object = without_nulls(sent)
        document.update(kind=resource.kind, apiVersion=resource.api_version)
        checked(resource, document, strict=writer.strict)
        document.setdefault("metadata", {})
        return document

    def _placed(self, resource: Resource, namespace: str, document: Object) -> None:
        """It says itself where it is."""
        metadata = document["metadata"]
        if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not resource.namespaced and metadata.pop("namespace", ""):
            name = metadata.get("name", "")
            raise invalid(resource, name, [wrong("metadata.namespace", namespace, "not allowed on this type")])


def _of_part(resource: Resource, before: Object, document: Object, part: str) -> Object:
    """What a write through a subresource, or not through one, may change."""
    if part == "status":
        return {**copy.deepcopy(before), "status": document.get("status", {})}
    if resource.has_status:
        kept = {name: each for name, each in document.items() if name != "status"}
        return {**kept, "status": copy.deepcopy(before["status"])} if "status" in before else kept
    return document


def _keep_given(before: Object, document: Object) -> None:
    metadata = document["metadata"] = dict(document["metadata"])
    for name in (*_GIVEN, "name", "namespace", "resourceVersion"):
        metadata.pop(name, None)
        if name in before["metadata"]:
            metadata[name] = before["metadata"][name]


def _patched(resource: Resource, kind: str, before: Object, patch: Any) -> Any:
    ways: dict[str, Callable[[], Any]] = {
        JSON_PATCH: lambda: patches.json_patched(before, patch),
        MERGE_PATCH: lambda: patches.merge_patched(before, patch),
        STRATEGIC: lambda: patches.strategically_patched(schema_of(resource), before, patch),
    }
    if kind not in ways:
        raise unreadable(f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC}, {APPLIED}")
    return ways[kind]()


def suffix(length: int = 5) -> str:
    """The end of a name that the server makes."""
    return "".join(random.choices(_ALPHABET, k=length))  # noqa: S311 - a name, not a secret
