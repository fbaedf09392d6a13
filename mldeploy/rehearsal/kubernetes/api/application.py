"""The API server behind its front door: a WSGI application over the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.door.frontdoor import has_left
from mldeploy.rehearsal.kubernetes.api import discovery, reviews
from mldeploy.rehearsal.kubernetes.api.access import MASTER, Access, User
from mldeploy.rehearsal.kubernetes.api.asked import Asked, answered, denied, understood
from mldeploy.rehearsal.kubernetes.api.pods import PodParts
from mldeploy.rehearsal.kubernetes.api.tables import table, wants_table
from mldeploy.rehearsal.kubernetes.api.watching import Watch, events
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, bad_request, no_such_path, not_allowed, not_found
from mldeploy.rehearsal.kubernetes.objects.removal import Removal, remove
from mldeploy.rehearsal.kubernetes.objects.selectors import Fits, by_fields, by_labels
from mldeploy.rehearsal.kubernetes.objects.store import Store
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object, Resource
from mldeploy.rehearsal.kubernetes.objects.writing import APPLIED, Writer, Writing

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_FOR_ALL = frozenset(("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"))


class ApiServer:
    """pods: what of a Pod is no document: its log, a command in it. who: whose a token is.

    lacking: API groups that this cluster does not know.
    """

    def __init__(
        self, store: Store, writing: Writing, pods: PodParts, access: Access, who: Callable[[str], User | None]
    ) -> None:
        self.lacking: frozenset[str] = frozenset()
        self._store = store
        self._writing = writing
        self._pods = pods
        self._access = access
        self._who = who

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        query, authorization = request.query_string.decode(), request.headers.get("Authorization", "")
        asked = understood(request.method, request.path, query, authorization)
        try:
            self._let_in(asked)
            response = self._answer(asked, request)
        except Refused as refused:
            response = answered(refused)
        return response(environ, start)

    def _let_in(self, asked: Asked, verb: str = "") -> None:
        """Raises Refused. verb: another than the request's own, which it needs, too."""
        user, attempt = self._who(asked.token), asked.attempt
        if user is None:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if not self._access.allows(user, replace(attempt, verb=verb or attempt.verb)):
            raise denied(asked, user, verb)

    def _answer(self, asked: Asked, request: Request) -> Response:
        if asked.resource is None:
            return discovery.answer(asked.path, self.lacking)
        if asked.resource.group in self.lacking:
            raise no_such_path()
        if asked.part:
            return self._of_part(asked, request)
        if asked.verb not in asked.resource.verbs or asked.verb not in _FOR_ALL:
            raise not_allowed("")
        ways: Mapping[str, Callable[[Asked, Resource, Request], Response]] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_all,
        }
        return ways[asked.verb](asked, asked.resource, request)

    def _found(self, asked: Asked, resource: Resource) -> Object:
        found = self._store.get(Key(resource, asked.namespace, asked.name))
        if found is None:
            raise not_found(resource, asked.name)
        return found

    def _get(self, asked: Asked, resource: Resource, request: Request) -> Response:
        found = self._found(asked, resource)
        return _json(table(resource, [found], found["metadata"]) if wants_table(request) else found)

    def _list(self, asked: Asked, resource: Resource, request: Request) -> Response:
        with self._store.changed:
            found, version = self._store.list(resource, asked.namespace), self._store.version
        fits, metadata = _fits(asked), {"resourceVersion": str(version)}
        items = [each for each in found if fits(each)]
        if wants_table(request):
            return _json(table(resource, items, metadata))
        kind = f"{resource.kind}List"
        return _json({"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": items})

    def _watch(self, asked: Asked, resource: Resource, request: Request) -> Response:
        as_table, connection = wants_table(request), request.environ["werkzeug.socket"]
        fits = _fits(asked)
        if asked.name:
            named = fits
            fits = lambda each: named(each) and each["metadata"]["name"] == asked.name  # noqa: E731 - it narrows the other
        watch = Watch(
            resource,
            asked.namespace,
            fits,
            asked.said("resourceVersion"),
            float(asked.said("timeoutSeconds") or 0),
            asked.flag("allowWatchBookmarks"),
            (lambda each: table(resource, [each], each["metadata"])) if as_table else (lambda each: each),
            lambda: has_left(connection),
        )
        return Response(events(self._store, watch), 200, content_type="application/json", direct_passthrough=True)

    def _create(self, asked: Asked, resource: Resource, request: Request) -> Response:
        sent = _body(request)
        if resource in kinds.REVIEWS:
            return _json(reviews.answered(self._access, self._who(asked.token) or MASTER, resource, sent), 201)
        return _json(self._writing.create(resource, asked.namespace, sent, _writer(asked, request)), 201)

    def _update(self, asked: Asked, resource: Resource, request: Request) -> Response:
        key = Key(resource, asked.namespace, asked.name)
        return _json(self._writing.update(key, _body(request), _writer(asked, request)))

    def _patch(self, asked: Asked, resource: Resource, request: Request) -> Response:
        key, kind = Key(resource, asked.namespace, asked.name), request.mimetype
        if kind == APPLIED and self._store.get(key) is None:
            self._let_in(asked, "create")
        made, is_new = self._writing.patch(key, kind, _body(request), _writer(asked, request), asked.part)
        return _json(made, 201 if is_new else 200)

    def _delete(self, asked: Asked, resource: Resource, request: Request) -> Response:
        removal, found = _removal(asked, request), self._found(asked, resource)
        if asked.said("dryRun"):
            return _json(found)
        left = remove(self._store, Key(resource, asked.namespace, asked.name), removal)
        if left is not None:
            return _json(left)
        details = {
            "name": asked.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": found["metadata"]["uid"],
        }
        details = {name: value for name, value in details.items() if value}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return _json(status)

    def _delete_all(self, asked: Asked, resource: Resource, request: Request) -> Response:
        removal, fits = _removal(asked, request), _fits(asked)
        with self._store.changed:
            found = [each for each in self._store.list(resource, asked.namespace) if fits(each)]
            for each in found:
                remove(self._store, kinds.key_of(resource, each), removal)
        metadata = {"resourceVersion": str(self._store.version)}
        kind = f"{resource.kind}List"
        return _json({"kind": kind, "apiVersion": resource.api_version, "metadata": metadata, "items": found})

    def _of_part(self, asked: Asked, request: Request) -> Response:
        resource = asked.resource
        if resource is None or asked.part not in resource.parts:
            raise no_such_path()
        if asked.part in ("status", "finalize"):
            return self._status(asked, resource, request)
        if asked.part == "scale":
            return self._scale(asked, resource, request)
        if asked.part == "token":
            return self._token(asked, resource, request)
        return self._pods.answer(asked, self._found(asked, resource), request)

    def _status(self, asked: Asked, resource: Resource, request: Request) -> Response:
        if asked.verb == "get":
            return _json(self._found(asked, resource))
        if asked.verb == "patch":
            return self._patch(asked, resource, request)
        if asked.verb != "update":
            raise not_allowed("")
        key, part = Key(resource, asked.namespace, asked.name), asked.part
        return _json(self._writing.update(key, _body(request), _writer(asked, request), part))

    def _scale(self, asked: Asked, resource: Resource, request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/: scale"""
        found = self._found(asked, resource)
        if asked.verb in ("patch", "update"):
            count = (_body(request).get("spec") or {}).get("replicas", 0)
            if not isinstance(count, int) or count < 0:
                raise bad_request(f"spec.replicas: Invalid value: {count}: must be greater than or equal to 0")
            changed = {"spec": {"replicas": count}}
            key, writer = Key(resource, asked.namespace, asked.name), _writer(asked, request)
            found, _ = self._writing.patch(key, "application/merge-patch+json", changed, writer, "scale")
        return _json(_scale(found))

    def _token(self, asked: Asked, resource: Resource, request: Request) -> Response:
        """https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/"""
        if asked.verb != "create":
            raise not_allowed("")
        account, spec = self._found(asked, resource), _body(request).get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or 3600)
        status = {"token": self._access.issued(account), "expirationTimestamp": now(seconds)}
        return _json({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": status}, 201)


def _scale(document: Object) -> Object:
    metadata = {name: document["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    selector = ",".join(f"{key}={value}" for key, value in document["spec"]["selector"].get("matchLabels", {}).items())
    status = {"replicas": document.get("status", {}).get("replicas", 0), "selector": selector}
    spec = {"replicas": document["spec"].get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _fits(asked: Asked) -> Fits:
    labels, fields = by_labels(asked.said("labelSelector")), by_fields(asked.said("fieldSelector"))
    return lambda document: labels(document) and fields(document)


def _writer(asked: Asked, request: Request) -> Writer:
    named = asked.said("fieldManager")
    if not named and request.mimetype != "application/apply-patch+yaml":
        named = request.headers.get("User-Agent", "unknown").partition("/")[0]
    if (dry := asked.said("dryRun")) not in ("", "All"):
        raise bad_request(f'invalid dryRun: "{dry}"')
    return Writer(named, dry == "All", asked.said("fieldValidation") == "Strict", asked.flag("force"))


def _removal(asked: Asked, request: Request) -> Removal:
    options: dict[str, Any] = _body(request) if request.get_data() else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if asked.said(name):
            options = {name: int(asked.said(name)) if name.startswith("grace") else asked.said(name), **options}
    return Removal.read(options)


def _body(request: Request) -> Any:
    """What was sent. Raises Refused."""
    if "protobuf" in request.mimetype:
        raise Refused(415, "UnsupportedMediaType", "only JSON and YAML are understood here", {})
    try:
        return yaml.safe_load(request.get_data()) if "yaml" in request.mimetype else json.loads(request.get_data())
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the object provided is unrecognized: {error}") from error


def _json(document: object, status: int = 200) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")
