"""The API server: a WSGI application over the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.fault_proxy import is_disconnected
from mldeploy.rehearsal.kubernetes.api import discovery
from mldeploy.rehearsal.kubernetes.api.authorization import ADMIN, RbacAuthorizer, User, review_access
from mldeploy.rehearsal.kubernetes.api.pod_subresources import PodSubresources
from mldeploy.rehearsal.kubernetes.api.request import (
    KubernetesRequest,
    WatchRequest,
    access_denied,
    parse_request,
    status_response,
    stream_events,
)
from mldeploy.rehearsal.kubernetes.api.tables import build_table, wants_table
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import DeleteOptions, delete_object
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusError,
    bad_request,
    method_not_allowed,
    not_found,
    path_not_found,
)
from mldeploy.rehearsal.kubernetes.objects.names import ObjectFilter, parse_field_selector, parse_label_selector
from mldeploy.rehearsal.kubernetes.objects.store import Store, now
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey
from mldeploy.rehearsal.kubernetes.objects.writer import APPLY_PATCH, ObjectWriter, WriteOptions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_VERBS = frozenset(("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"))


class ApiServer:
    """The API server. pods: handles Pod subresources. find_user: the user of a token.

    missing_groups: API groups that this cluster does not serve.
    """

    def __init__(
        self,
        store: Store,
        writer: ObjectWriter,
        pods: PodSubresources,
        access: RbacAuthorizer,
        find_user: Callable[[str], User | None],
    ) -> None:
        self.missing_groups: frozenset[str] = frozenset()
        self._store = store
        self._writer = writer
        self._pods = pods
        self._access = access
        self._find_user = find_user

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        http_request = Request(environ)
        query, authorization = http_request.query_string.decode(), http_request.headers.get("Authorization", "")
        request = parse_request(http_request.method, http_request.path, query, authorization)
        try:
            self._authorize(request)
            response = self._handle(request, http_request)
        except StatusError as error:
            response = status_response(error)
        return response(environ, start)

    def _authorize(self, request: KubernetesRequest, verb: str = "") -> None:
        """Authorize a request. verb: check this verb instead of the request's own. Raises StatusError."""
        user, attempt = self._find_user(request.token), request.attributes
        if user is None:
            raise StatusError(401, "Unauthorized", "Unauthorized")
        if not self._access.allows(user, replace(attempt, verb=verb or attempt.verb)):
            raise access_denied(request, user, verb)

    def _handle(self, request: KubernetesRequest, http_request: Request) -> Response:
        if request.resource is None:
            return discovery.handle_discovery(request.path, self.missing_groups)
        if request.resource.group in self.missing_groups:
            raise path_not_found()
        if request.part:
            return self._handle_subresource(request, http_request)
        if request.verb not in request.resource.verbs or request.verb not in _VERBS:
            raise method_not_allowed("")
        handlers: Mapping[str, Callable[[KubernetesRequest, ApiResource, Request], Response]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        return handlers[request.verb](request, request.resource, http_request)

    def _require(self, request: KubernetesRequest, resource: ApiResource) -> Object:
        document = self._store.get(ObjectKey(resource, request.namespace, request.name))
        if document is None:
            raise not_found(resource, request.name)
        return document

    def _get(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        document = self._require(request, resource)
        return _json_response(
            build_table(resource, [document], document["metadata"]) if wants_table(http_request) else document
        )

    def _list(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        with self._store.changed:
            documents, version = self._store.list(resource, request.namespace), self._store.version
        matches, metadata = _selector(request), {"resourceVersion": str(version)}
        items = [each for each in documents if matches(each)]
        if wants_table(http_request):
            return _json_response(build_table(resource, items, metadata))
        kind = f"{resource.kind}List"
        return _json_response({"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": items})

    def _watch(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        as_table, connection = wants_table(http_request), http_request.environ["werkzeug.socket"]
        matches = _selector(request)
        if request.name:
            selected = matches
            matches = lambda each: selected(each) and each["metadata"]["name"] == request.name  # noqa: E731 - narrows the selector
        watch = WatchRequest(
            resource,
            request.namespace,
            matches,
            request.parameter("resourceVersion"),
            float(request.parameter("timeoutSeconds") or 0),
            request.flag("allowWatchBookmarks"),
            (lambda each: build_table(resource, [each], each["metadata"])) if as_table else (lambda each: each),
            lambda: is_disconnected(connection),
        )
        return Response(
            stream_events(self._store, watch), 200, content_type="application/json", direct_passthrough=True
        )

    def _create(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        document = _parse_body(http_request)
        if resource in kinds.REVIEWS:
            return _json_response(
                review_access(self._access, self._find_user(request.token) or ADMIN, resource, document), 201
            )
        return _json_response(
            self._writer.create(resource, request.namespace, document, _write_options(request, http_request)), 201
        )

    def _update(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        key = ObjectKey(resource, request.namespace, request.name)
        return _json_response(
            self._writer.update(key, _parse_body(http_request), _write_options(request, http_request))
        )

    def _patch(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        key, kind = ObjectKey(resource, request.namespace, request.name), http_request.mimetype
        if kind == APPLY_PATCH and self._store.get(key) is None:
            self._authorize(request, "create")
        document, is_new = self._writer.patch(
            key, kind, _parse_body(http_request), _write_options(request, http_request), request.part
        )
        return _json_response(document, 201 if is_new else 200)

    def _delete(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        options, document = _delete_options(request, http_request), self._require(request, resource)
        if request.parameter("dryRun"):
            return _json_response(document)
        remaining = delete_object(self._store, ObjectKey(resource, request.namespace, request.name), options)
        if remaining is not None:
            return _json_response(remaining)
        details = {
            "name": request.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": document["metadata"]["uid"],
        }
        details = {name: value for name, value in details.items() if value}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _json_response(status)

    def _delete_collection(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        options, matches = _delete_options(request, http_request), _selector(request)
        with self._store.changed:
            documents = [each for each in self._store.list(resource, request.namespace) if matches(each)]
            for each in documents:
                delete_object(self._store, kinds.key_of(resource, each), options)
        metadata = {"resourceVersion": str(self._store.version)}
        kind = f"{resource.kind}List"
        return _json_response(
            {"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": documents}
        )

    def _handle_subresource(self, request: KubernetesRequest, http_request: Request) -> Response:
        resource = request.resource
        if resource is None or request.part not in resource.parts:
            raise path_not_found()
        if request.part in ("status", "finalize"):
            return self._handle_status(request, resource, http_request)
        if request.part == "scale":
            return self._handle_scale(request, resource, http_request)
        if request.part == "token":
            return self._create_token(request, resource, http_request)
        return self._pods.handle(request, self._require(request, resource), http_request)

    def _handle_status(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        if request.verb == "get":
            return _json_response(self._require(request, resource))
        if request.verb == "patch":
            return self._patch(request, resource, http_request)
        if request.verb != "update":
            raise method_not_allowed("")
        key, part = ObjectKey(resource, request.namespace, request.name), request.part
        return _json_response(
            self._writer.update(key, _parse_body(http_request), _write_options(request, http_request), part)
        )

    def _handle_scale(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/: scale"""
        document = self._require(request, resource)
        if request.verb in ("patch", "update"):
            count = (_parse_body(http_request).get("spec") or {}).get("replicas", 0)
            if not isinstance(count, int) or count < 0:
                raise bad_request(f"spec.replicas: Invalid value: {count}: must be greater than or equal to 0")
            patch = {"spec": {"replicas": count}}
            key, writer = ObjectKey(resource, request.namespace, request.name), _write_options(request, http_request)
            document, _ = self._writer.patch(key, "application/merge-patch+json", patch, writer, "scale")
        return _json_response(_scale_document(document))

    def _create_token(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/"""
        if request.verb != "create":
            raise method_not_allowed("")
        account, spec = self._require(request, resource), _parse_body(http_request).get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or 3600)
        status = {"token": self._access.issue_token(account), "expirationTimestamp": now(seconds)}
        return _json_response({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": status}, 201)


def _scale_document(document: Object) -> Object:
    metadata = {name: document["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    selector = ",".join(f"{key}={value}" for key, value in document["spec"]["selector"].get("matchLabels", {}).items())
    status = {"replicas": document.get("status", {}).get("replicas", 0), "selector": selector}
    spec = {"replicas": document["spec"].get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _selector(request: KubernetesRequest) -> ObjectFilter:
    labels, fields = (
        parse_label_selector(request.parameter("labelSelector")),
        parse_field_selector(request.parameter("fieldSelector")),
    )
    return lambda document: labels(document) and fields(document)


def _write_options(request: KubernetesRequest, http_request: Request) -> WriteOptions:
    manager = request.parameter("fieldManager")
    if not manager and http_request.mimetype != "application/apply-patch+yaml":
        manager = http_request.headers.get("User-Agent", "unknown").partition("/")[0]
    if (dry := request.parameter("dryRun")) not in ("", "All"):
        raise bad_request(f'invalid dryRun: "{dry}"')
    return WriteOptions(manager, dry == "All", request.parameter("fieldValidation") == "Strict", request.flag("force"))


def _delete_options(request: KubernetesRequest, http_request: Request) -> DeleteOptions:
    options: dict[str, Any] = _parse_body(http_request) if http_request.get_data() else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if request.parameter(name):
            options = {
                name: int(request.parameter(name)) if name.startswith("grace") else request.parameter(name),
                **options,
            }
    return DeleteOptions.read(options)


def _parse_body(http_request: Request) -> Any:
    """Parse the request body. Raises StatusError."""
    if "protobuf" in http_request.mimetype:
        raise StatusError(415, "UnsupportedMediaType", "only JSON and YAML are understood here", {})
    try:
        return (
            yaml.safe_load(http_request.get_data())
            if "yaml" in http_request.mimetype
            else json.loads(http_request.get_data())
        )
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _json_response(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
