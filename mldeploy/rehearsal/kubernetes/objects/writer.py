"""Write path of the API server: decode, merge, default, validate, admit and store.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mldeploy.rehearsal.kubernetes.objects import field_managers
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.admission import admit_pod, assign_values, check_admission
from mldeploy.rehearsal.kubernetes.objects.defaults import apply_defaults, drop_type_fields
from mldeploy.rehearsal.kubernetes.objects.deletion import put_or_finalize
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    invalid_patch,
    invalid_value,
    malformed_version,
    not_found,
    object_modified,
    unsupported_media_type,
)
from mldeploy.rehearsal.kubernetes.objects.field_managers import APPLY, UPDATE, FieldManager
from mldeploy.rehearsal.kubernetes.objects.field_validation import drop_nulls, validate_fields, validate_typed_patch
from mldeploy.rehearsal.kubernetes.objects.schemas import schema_of
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey
from mldeploy.rehearsal.kubernetes.objects.validation import validate

APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH = (
    f"application/{each}"
    for each in ("apply-patch+yaml", "json-patch+json", "merge-patch+json", "strategic-merge-patch+json")
)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)
"""Metadata fields that only the server sets."""


@dataclass(frozen=True)
class WriteOptions:
    """Options of a write. manager: the field manager. strict: reject unknown fields.

    dry: dry run, nothing is stored. force: take over fields of other managers.
    """

    manager: str
    dry: bool = False
    strict: bool = False
    force: bool = False


def keep_workload(resource: ApiResource, document: Object) -> None:
    """A cluster without a mutating admission controller."""


class ObjectWriter:
    """Writes objects to a store. Thread-safe; each write is atomic.

    adjust: a mutating admission controller. It changes a document before it is validated.
    """

    def __init__(self, store: Store, adjust: Callable[[ApiResource, Object], None] = keep_workload) -> None:
        self._store = store
        self._adjust = adjust

    def create(self, resource: ApiResource, namespace: str, sent: Object, options: WriteOptions) -> Object:
        """Create an object. Raises StatusError."""
        document = self._decode(resource, sent, options)
        self._set_namespace(resource, namespace, document)
        metadata = document["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix()
        if metadata.get("resourceVersion") and not options.dry:
            raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
        with self._store.changed:
            return self._create(resource, namespace, document, options, FieldManager(options.manager, UPDATE))

    def _create(
        self, resource: ApiResource, namespace: str, document: Object, options: WriteOptions, manager: FieldManager
    ) -> Object:
        name = document["metadata"].get("name", "")
        key = ObjectKey(resource, namespace, name)
        if self._store.get(key) is not None:
            raise already_exists(resource, name)
        if resource.has_status:
            document.pop("status", None)
        if manager.operation == UPDATE:
            document = field_managers.track_update(resource, None, document, manager)
        for given in _SERVER_FIELDS:
            document["metadata"].pop(given, None)
        apply_defaults(resource, document)
        self._adjust(resource, document)
        if resource is kinds.PODS:
            admit_pod(self._store, namespace, document)
        validate(resource, document, None)
        check_admission(self._store, resource, namespace, document)
        assign_values(self._store, resource, document, None)
        made = new_object(document)
        if resource.counted:
            made["metadata"]["generation"] = 1
        return made if options.dry else self._store.put(key, made)

    def update(self, key: ObjectKey, sent: Object, options: WriteOptions, part: str = "") -> Object:
        """Replace an object, or only its status. Raises StatusError."""
        document = self._decode(key.resource, sent, options)
        self._set_namespace(key.resource, key.namespace, document)
        if document["metadata"].get("name") != key.name:
            raise bad_request(
                f"the name of the object ({document['metadata'].get('name', '')}) does not match the name on the URL "
                f"({key.name})"
            )
        with self._store.changed:
            before = self._require(key)
            return self._update(key, before, document, options, FieldManager(options.manager, UPDATE, part))

    def patch(
        self, key: ObjectKey, kind: str, patch: Any, options: WriteOptions, part: str = ""
    ) -> tuple[Object, bool]:
        """Patch an object. Returns it and whether it is new. kind: media type of the patch. Raises StatusError."""
        with self._store.changed:
            if kind == APPLY_PATCH:
                return self._apply(key, patch, options, part)
            before = self._require(key)
            if kind == MERGE_PATCH and not isinstance(patch, dict):
                raise bad_request(
                    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]"
                )
            after = self._decode_patched(key, _apply_patch(key.resource, kind, before, patch), options)
            manager = FieldManager(options.manager, UPDATE, part)
            return self._update(key, before, after, options, manager), False

    def _decode_patched(self, key: ObjectKey, patched: Any, options: WriteOptions) -> Object:
        """Decode a patched object. Raises StatusError: 422 where the object of a request would get 400."""
        try:
            after = self._decode(key.resource, patched, options)
        except StatusError as error:
            raise invalid_patch(patched, error.message) from error
        if after["metadata"].get("name") != key.name:
            raise bad_request(
                f"the name of the object ({after['metadata'].get('name', '')}) does not match the name on the URL "
                f"({key.name})"
            )
        return after

    def _apply(self, key: ObjectKey, patch: Any, options: WriteOptions, part: str) -> tuple[Object, bool]:
        resource, sent = key.resource, self._parse_configuration(key, patch, options)
        before, manager = self._store.get(key), FieldManager(options.manager, APPLY, part)
        if before is None and sent["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {sent['metadata']['uid']}, and no existing object"
            raise conflict(resource, key.name, f"{why} was found")
        document = field_managers.apply_configuration(resource, before, sent, manager, force=options.force)
        self._set_namespace(resource, key.namespace, document)
        if before is None:
            return self._create(resource, key.namespace, document, options, manager), True
        return self._update(key, before, document, options, manager), False

    def _parse_configuration(self, key: ObjectKey, patch: Any, options: WriteOptions) -> Object:
        """Parse and validate an apply configuration. Raises StatusError."""
        resource = key.resource
        if not isinstance(patch, dict):
            raise bad_request("error decoding YAML: the patch is no object")
        version = patch.get("apiVersion", "")
        if version != resource.api_version or patch.get("kind") != resource.kind:
            kind = patch.get("kind", "")
            raise bad_request(f"invalid object type: {version or '/'}, Kind={kind}")
        sent: Object = drop_nulls(patch)
        validate_typed_patch(resource, key.namespace, key.name, sent)
        if (sent.get("metadata") or {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if not sent.setdefault("metadata", {}).get("name"):
            why = "name must be provided"
            raise bad_request(f"the name of the object ({key.name} based on URL) was undeterminable: {why}")
        if resource.namespaced:
            sent["metadata"].setdefault("namespace", key.namespace)
        if sent["metadata"]["name"] != key.name:
            raise bad_request(
                f"the name of the object ({sent['metadata']['name']}) does not match the name on the URL ({key.name})"
            )
        if resource is kinds.SECRETS and "stringData" in sent:
            apply_defaults(resource, sent)
        return sent

    def _update(
        self, key: ObjectKey, before: Object, document: Object, options: WriteOptions, manager: FieldManager
    ) -> Object:
        resource, version = key.resource, document["metadata"].get("resourceVersion")
        if version and not str(version).isdecimal():
            raise malformed_version(version)
        if version and version != before["metadata"]["resourceVersion"]:
            raise object_modified(resource, key.name)
        uid = document["metadata"].get("uid", before["metadata"]["uid"])
        if uid != before["metadata"]["uid"]:
            raise invalid(resource, key.name, [invalid_value("metadata.uid", uid, "field is immutable")])
        document = _limit_to_subresource(resource, before, document, manager.part)
        _keep_server_fields(before, document)
        if manager.operation == UPDATE:
            document = field_managers.track_update(resource, before, document, manager)
        if resource is kinds.SERVICES:
            drop_type_fields(before, document)
        apply_defaults(resource, document)
        if manager.part != "status":
            self._adjust(resource, document)
            validate(resource, document, before)
            assign_values(self._store, resource, document, before)
        if resource.counted and document.get("spec") != before.get("spec"):
            document["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        if options.dry:
            return document
        return put_or_finalize(self._store, key, document) or document

    def _require(self, key: ObjectKey) -> Object:
        document = self._store.get(key)
        if document is None:
            raise not_found(key.resource, key.name)
        return document

    def _decode(self, resource: ApiResource, sent: Any, options: WriteOptions) -> Object:
        """Decode a body into a document. Raises StatusError if it is not of this type."""
        if not isinstance(sent, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
        kind, version = sent.get("kind", resource.kind), sent.get("apiVersion", resource.api_version)
        if (kind, version) != (resource.kind, resource.api_version):
            raise bad_request(
                f"the API version in the data ({version}, Kind={kind}) does not match the expected API version "
                f"({resource.api_version}, Kind={resource.kind})"
            )
        document: Object = drop_nulls(sent)
        document.update(kind=resource.kind, apiVersion=resource.api_version)
        validate_fields(resource, document, strict=options.strict)
        document.setdefault("metadata", {})
        return document

    def _set_namespace(self, resource: ApiResource, namespace: str, document: Object) -> None:
        """Set the namespace, and check it against the request's."""
        metadata = document["metadata"]
        if resource.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if not resource.namespaced:
            metadata.pop("namespace", "")


def _limit_to_subresource(resource: ApiResource, before: Object, document: Object, part: str) -> Object:
    """Keep only the changes that a write through this subresource may make."""
    if part == "status":
        return {**copy.deepcopy(before), "status": document.get("status", {})}
    if resource.has_status:
        kept = {name: each for name, each in document.items() if name != "status"}
        return {**kept, "status": copy.deepcopy(before["status"])} if "status" in before else kept
    return document


def _keep_server_fields(before: Object, document: Object) -> None:
    metadata = document["metadata"] = dict(document["metadata"])
    for name in (*_SERVER_FIELDS, "name", "namespace", "resourceVersion"):
        metadata.pop(name, None)
        if name in before["metadata"]:
            metadata[name] = before["metadata"][name]


def require_patch_type(kind: str) -> None:
    """Raises StatusError (415) for a media type that is no patch."""
    known = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
    if kind not in known:
        raise unsupported_media_type(", ".join(known))


def _apply_patch(resource: ApiResource, kind: str, before: Object, patch: Any) -> Any:
    patchers: dict[str, Callable[[], Any]] = {
        JSON_PATCH: lambda: field_managers.apply_json_patch(before, patch),
        MERGE_PATCH: lambda: field_managers.apply_merge_patch(before, patch),
        STRATEGIC_MERGE_PATCH: lambda: field_managers.apply_strategic_merge_patch(schema_of(resource), before, patch),
    }
    return patchers[kind]()


def random_suffix(length: int = 5) -> str:
    """The random suffix of a generated name."""
    return "".join(random.choices(_ALPHABET, k=length))  # noqa: S311 - a name, not a secret
