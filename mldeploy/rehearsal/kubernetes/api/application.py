"""The API server: a WSGI application over the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.fault_proxy import is_disconnected
from mldeploy.rehearsal.kubernetes.api import discovery
from mldeploy.rehearsal.kubernetes.api.authorization import (
    ANONYMOUS,
    AccessAttributes,
    RbacAuthorizer,
    User,
    named_user,
    review_access,
)
from mldeploy.rehearsal.kubernetes.api.parameters import (
    delete_options,
    integer,
    object_filter,
    resource_version,
    write_options,
)
from mldeploy.rehearsal.kubernetes.api.pod_subresources import PodSubresources
from mldeploy.rehearsal.kubernetes.api.representation import (
    META,
    paginate,
    parse_body,
    partial_metadata,
    represent,
    wants_metadata,
)
from mldeploy.rehearsal.kubernetes.api.request import (
    KubernetesRequest,
    WatchRequest,
    access_denied,
    parse_request,
    status_response,
    stream_events,
)
from mldeploy.rehearsal.kubernetes.api.subresources import (
    PART_VERBS,
    STATUS_VERBS,
    UPGRADED_PARTS,
    is_misplaced,
    parse_replicas,
    parse_token_seconds,
    scale_document,
)
from mldeploy.rehearsal.kubernetes.api.tables import build_table, wants_table
from mldeploy.rehearsal.kubernetes.harshness import RefuseOnce
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.deletion import PERMANENT_NAMESPACES, DeleteOptions, delete_object
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusError,
    forbidden,
    method_not_allowed,
    not_found,
    path_not_found,
)
from mldeploy.rehearsal.kubernetes.objects.store import Store, now
from mldeploy.rehearsal.kubernetes.objects.types import ApiResource, Object, ObjectKey
from mldeploy.rehearsal.kubernetes.objects.writer import (
    APPLY_PATCH,
    MERGE_PATCH,
    ObjectWriter,
    WriteOptions,
    require_patch_type,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_VERBS = frozenset(("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"))


class ApiServer:
    """The API server. pods: handles Pod subresources. find_user: the user of a token. refuse: in harsh mode.

    missing_groups: API groups that this cluster does not serve.
    """

    def __init__(
        self,
        store: Store,
        writer: ObjectWriter,
        pods: PodSubresources,
        access: RbacAuthorizer,
        find_user: Callable[[str], User | None],
        refuse: RefuseOnce | None = None,
    ) -> None:
        self.missing_groups: frozenset[str] = frozenset()
        self._store = store
        self._writer = writer
        self._pods = pods
        self._access = access
        self._find_user = find_user
        self._refuse = refuse

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        http_request = Request(environ)
        query, authorization = http_request.query_string.decode(), http_request.headers.get("Authorization", "")
        impersonated = http_request.headers.get("Impersonate-User", "")
        request = parse_request(http_request.method, http_request.path, query, authorization)
        request = replace(request, impersonated=impersonated)
        try:
            self._authorize(request)
            response = self._handle(request, http_request)
        except StatusError as error:
            response = status_response(error)
        return response(environ, start)

    def _authorize(self, request: KubernetesRequest, verb: str = "") -> None:
        """Authorize a request. verb: check this verb instead of the request's own. Raises StatusError."""
        user, attempt = self._identify(request), request.attributes
        if not self._access.permits(user, replace(attempt, verb=verb or attempt.verb)):
            raise access_denied(request, user, verb)

    def _identify(self, request: KubernetesRequest) -> User:
        """Return the user on whose behalf a request is made. Raises StatusError.

        https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
        """
        user = self._find_user(request.token) if request.token else ANONYMOUS
        if user is None:
            raise StatusError(401, "Unauthorized", "Unauthorized")
        if not request.impersonated:
            return user
        if not self._access.allows(user, AccessAttributes("impersonate", "", "users", name=request.impersonated)):
            raise StatusError(403, "Forbidden", f'users "{request.impersonated}" is forbidden', {})
        return named_user(request.impersonated)

    def _handle(self, request: KubernetesRequest, http_request: Request) -> Response:
        if request.resource is None:
            return discovery.handle_discovery(request.path, self.missing_groups)
        if request.resource.group in self.missing_groups:
            raise path_not_found()
        if self._refuse is not None:
            verb = "merge" if http_request.mimetype == MERGE_PATCH else request.verb
            self._refuse.check(request.resource, verb, request.part, request.namespace, request.name)
        if request.part:
            return self._handle_subresource(request, http_request)
        if request.verb not in request.resource.verbs or request.verb not in _VERBS or is_misplaced(request):
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
        resource_version(request, self._store.version)
        document = self._require(request, resource)
        if wants_table(http_request):
            return _json_response(build_table(resource, [document], document["metadata"]))
        return represent(http_request, partial_metadata(document) if wants_metadata(http_request) else document)

    def _list(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        with self._store.changed:
            documents, version = self._store.list(resource, request.namespace), self._store.version
        resource_version(request, version)
        matches = object_filter(request)
        items, metadata = paginate(request, [each for each in documents if matches(each)], version)
        if wants_table(http_request):
            return _json_response(build_table(resource, items, metadata))
        kind, group = f"{resource.kind}List", resource.api_version
        if wants_metadata(http_request):
            kind, group, items = "PartialObjectMetadataList", META, [partial_metadata(each) for each in items]
        return represent(http_request, {"kind": kind, "apiVersion": group, "metadata": metadata, "items": items})

    def _watch(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        as_table, connection = wants_table(http_request), http_request.environ["werkzeug.socket"]
        matches = object_filter(request)
        if request.name:
            selected = matches
            matches = lambda each: selected(each) and each["metadata"]["name"] == request.name  # noqa: E731 - narrows the selector
        watch = WatchRequest(
            resource,
            request.namespace,
            matches,
            resource_version(request, self._store.version),
            float(integer(request, "timeoutSeconds")),
            request.flag("allowWatchBookmarks"),
            (lambda each: build_table(resource, [each], each["metadata"])) if as_table else (lambda each: each),
            lambda: is_disconnected(connection),
        )
        return Response(
            stream_events(self._store, watch), 200, content_type="application/json", direct_passthrough=True
        )

    def _create(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        document = parse_body(request, http_request)
        if resource in kinds.REVIEWS:
            return _json_response(review_access(self._access, self._identify(request), resource, document), 201)
        return _json_response(
            self._writer.create(resource, request.namespace, document, _write_options(request, http_request)), 201
        )

    def _update(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        key = ObjectKey(resource, request.namespace, request.name)
        return _json_response(
            self._writer.update(key, parse_body(request, http_request), _write_options(request, http_request))
        )

    def _patch(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        key, kind = ObjectKey(resource, request.namespace, request.name), http_request.mimetype
        require_patch_type(kind)
        if kind != APPLY_PATCH:
            self._require(request, resource)
        elif self._store.get(key) is None:
            self._authorize(request, "create")
        document, is_new = self._writer.patch(
            key, kind, parse_body(request, http_request), _write_options(request, http_request), request.part
        )
        return _json_response(document, 201 if is_new else 200)

    def _delete(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        options, document = _delete_options(request, http_request), self._require(request, resource)
        if request.parameter("dryRun"):
            if resource is kinds.NAMESPACES and request.name in PERMANENT_NAMESPACES:
                raise forbidden(resource, request.name, "this namespace may not be deleted")
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
        options, matches = _delete_options(request, http_request), object_filter(request)
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
        if request.verb not in PART_VERBS.get(request.part, STATUS_VERBS):
            raise method_not_allowed("")
        if request.part in ("status", "finalize"):
            return self._handle_status(request, resource, http_request)
        if request.part == "scale":
            return self._handle_scale(request, resource, http_request)
        if request.part == "token":
            return self._create_token(request, resource, http_request)
        if request.verb == "get" and request.part in UPGRADED_PARTS:
            self._authorize(request, "create")
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
            self._writer.update(key, parse_body(request, http_request), _write_options(request, http_request), part)
        )

    def _handle_scale(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/: scale"""
        document = self._require(request, resource)
        if request.verb in ("patch", "update"):
            patch = {"spec": {"replicas": parse_replicas(request.name, parse_body(request, http_request))}}
            key, writer = ObjectKey(resource, request.namespace, request.name), _write_options(request, http_request)
            document, _ = self._writer.patch(key, "application/merge-patch+json", patch, writer, "scale")
        return _json_response(scale_document(document))

    def _create_token(self, request: KubernetesRequest, resource: ApiResource, http_request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/"""
        if request.verb != "create":
            raise method_not_allowed("")
        account, spec = self._require(request, resource), parse_body(request, http_request).get("spec") or {}
        seconds = parse_token_seconds(spec)
        status = {"token": self._access.issue_token(account), "expirationTimestamp": now(seconds)}
        return _json_response({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": status}, 201)


def _write_options(request: KubernetesRequest, http_request: Request) -> WriteOptions:
    user_agent, applies = http_request.headers.get("User-Agent", ""), http_request.mimetype == APPLY_PATCH
    return write_options(request, user_agent, applies=applies)


def _delete_options(request: KubernetesRequest, http_request: Request) -> DeleteOptions:
    body = parse_body(request, http_request) if http_request.get_data() else {}
    return delete_options(request, body if isinstance(body, dict) else {})


def _json_response(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
