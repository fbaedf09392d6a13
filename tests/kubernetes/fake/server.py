"""A fake API server: as much of it as a deployment uses, with the objects' rules of the rehearsal."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.wrappers import Response

from mldeploy.config.endpoints import Endpoints
from mldeploy.config.secret import Secret
from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import FaultProxy
from mldeploy.rehearsal.gateway.faults import FaultKind
from mldeploy.rehearsal.gateway.serving import Authority, create_server, serve
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.defaults import apply_defaults
from mldeploy.rehearsal.kubernetes.objects.errors import StatusError, bad_request, not_found, path_not_found
from mldeploy.rehearsal.kubernetes.objects.field_managers import (
    APPLY,
    UPDATE,
    FieldManager,
    apply_configuration,
    track_update,
)
from mldeploy.rehearsal.kubernetes.objects.field_validation import validate_fields
from mldeploy.rehearsal.kubernetes.objects.names import parse_field_selector, parse_label_selector
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object, now
from mldeploy.rehearsal.kubernetes.objects.types import Object, ObjectKey
from mldeploy.rehearsal.kubernetes.objects.validation import validate
from tests.kubernetes.fake.channels import App, execute, forward
from tests.kubernetes.fake.controllers import Controllers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

TOKEN = "a-token-of-the-fakes-own"
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?"
)
_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class ApiRequest:
    """A parsed request. key: of its object, None for a path without one."""

    method: str
    path: str
    query: Mapping[str, str]
    authorization: str
    key: ObjectKey | None
    part: str
    content: str
    body: bytes

    @property
    def verb(self) -> str:
        if self.method == "GET" and self.key is not None and not self.key.name:
            return "watch" if self.query.get("watch") == "true" else "list"
        return _VERBS[self.method]

    @property
    def action(self) -> str:
        if self.key is None:
            return f"get {self.path}"
        return f"{self.verb} {self.key.resource.name}{'/' + self.part if self.part else ''}"

    @property
    def is_writing(self) -> bool:
        return self.verb in ("create", "patch", "delete")


class FakeCluster:
    """An API server on its own address. tokens: the ones that it accepts."""

    def __init__(self, folder: Path, address: str, registry: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store()
        self.controllers = Controllers(self.store)
        self.tokens = {TOKEN}
        self.call_log = CallLog()
        self.app = App()
        self._authority = Authority(folder)
        self._address, self._registry = address, registry
        self._proxy = FaultProxy(self._answer, _FakeProtocol(self), self.call_log)
        self.up()

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(
            url=f"https://{self._address}:6443",
            credentials=(("token", Secret(TOKEN)),),
            ca_bundle=self._authority.bundle,
            services=(("registry", self._registry),) if self._registry else (),
        )

    def up(self) -> None:
        """Listen. The first time, and after `down`."""
        self._server = create_server(self._address, 6443, self._proxy, self._authority.context(self._address))
        serve(self._server)

    def down(self) -> None:
        """As a server that is being restarted: nobody listens, and every watch ends."""
        self._server.shutdown()
        self._server.server_close()
        self.store.expire()

    def close(self) -> None:
        self.down()
        self.app.close()
        self.controllers.close()

    def reset(self) -> None:
        """Nothing is there, nothing has been called, nothing is ordered."""
        self.call_log.faults.clear()
        self.app.prediction = [1]
        with self.store.changed:
            self.store.clear()
            self.controllers.reset()
        self.tokens = {TOKEN}
        self.call_log.forget()

    def put(self, document: Object) -> Object:
        """Somebody else makes something, in the usual way."""
        key, sent = self._key(document), copy.deepcopy(document)
        return self._written(key, None, sent, FieldManager("kubectl", UPDATE))

    def edit(self, document: Object, by: str) -> Object:
        """Somebody changes what is there."""
        key = self._key(document)
        return self._written(key, self.store.get(key), document, FieldManager(by, UPDATE))

    def find(self, kind: kinds.ApiResource, name: str, namespace: str) -> Object:
        found = self.store.get(ObjectKey(kind, namespace, name))
        assert found is not None, f"there is no {kind.kind} {name}"
        return copy.deepcopy(found)

    def _key(self, document: Object) -> ObjectKey:
        group, _, version = document["apiVersion"].rpartition("/")
        resource = next(each for each in kinds.STORED if (each.group, each.kind) == (group, document["kind"]))
        assert resource.version == version
        return ObjectKey(resource, document["metadata"].get("namespace", ""), document["metadata"]["name"])

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        request = parse_request(environ, environ["wsgi.input"].read())
        if request.part == "portforward":
            raise forward(environ, self.app.port)
        if request.part == "exec":
            query = parse_qs(environ["QUERY_STRING"])
            raise execute(environ, query["command"], stdin=query["stdin"] == ["true"])
        try:
            found = self._done(request)
        except StatusError as refused:
            return answer(refused.document, refused.status)(environ, start)
        made = found if isinstance(found, Response) else answer(found, 200)
        return made(environ, start)

    def _done(self, request: ApiRequest) -> Object | Response:
        if request.path == "/version":
            return {"gitVersion": "v1.33.0-fake"}
        if request.key is None:
            raise path_not_found()
        if request.key.resource is kinds.ACCESS_REVIEWS:
            return {**json.loads(request.body), "status": {"allowed": True}}
        if request.part == "log":
            fate = self.controllers.fates[request.key.name]
            lines = fate.earlier if request.query.get("previous") and fate.earlier is not None else fate.log
            written = self._get(request, request.key)["metadata"]["creationTimestamp"]
            stamped = [f"{written} {each}" for each in lines] if request.query.get("timestamps") else lines
            return Response("".join(f"{each}\n" for each in stamped[-int(request.query.get("tailLines", 1000)) :]))
        if request.verb == "watch":
            return self._watch(request, request.key)
        done = {"get": self._get, "list": self._list, "patch": self._patch, "delete": self._delete}[request.verb]
        return done(request, request.key)

    def _get(self, request: ApiRequest, key: ObjectKey) -> Object:
        found = self.store.get(key)
        if found is None:
            raise not_found(key.resource, key.name)
        return found

    def _list(self, request: ApiRequest, key: ObjectKey) -> Object:
        with self.store.changed:
            fits = _selector(request)
            items = [each for each in self.store.list(key.resource, key.namespace) if fits(each)]
            return {"items": items, "metadata": {"resourceVersion": str(self.store.version)}}

    def _watch(self, request: ApiRequest, key: ObjectKey) -> Response:
        first = int(request.query["resourceVersion"])
        self.store.since(first)  # one that is too old is said so at once
        return Response(self._events(request, key, first), mimetype="application/json")

    def _events(self, request: ApiRequest, key: ObjectKey, version: int) -> Iterator[bytes]:
        fits, era = _selector(request), self.store.era
        yield b""  # the answer has begun
        while True:
            self.store.wait(version, 0.5)
            try:
                changes = self.store.since(version)
            except StatusError as refused:
                if self.store.era == era:
                    yield _line("ERROR", refused.document)
                return
            for each in changes:
                version = each.version
                if each.key.resource is key.resource and key.namespace in ("", each.key.namespace):
                    yield from _told(each.before, each.after, fits, version)
            yield b""  # whoever has left is found out so

    def _patch(self, request: ApiRequest, key: ObjectKey) -> Object:
        before, sent = self.store.get(key), json.loads(request.body)
        manager = request.query["fieldManager"]
        if request.content == "application/merge-patch+json":
            if before is None:
                raise not_found(key.resource, key.name)
            return self._written(key, before, _merged(before, sent), FieldManager(manager, UPDATE))
        if request.content != "application/apply-patch+yaml":
            raise bad_request(f"unexpected {request.content}")
        validate_fields(key.resource, copy.deepcopy(sent), strict=True)
        made = apply_configuration(key.resource, before, sent, FieldManager(manager, APPLY), force=False)
        return self._written(key, before, made, None)

    def _written(self, key: ObjectKey, before: Object | None, made: Object, by: FieldManager | None) -> Object:
        with self.store.changed:
            if key.namespace:
                self._admit(key)
            apply_defaults(key.resource, made)
            validate(key.resource, made, before)
            if key.resource is kinds.PODS and before is None:
                self.controllers.admit(key.name)
            if by is not None:
                made = track_update(key.resource, before, made, by)
            if before is None:
                made = new_object(made)
            metadata = made["metadata"]
            changed = before is None or before.get("spec") != made.get("spec")
            metadata["generation"] = metadata.get("generation", 0) + changed
            return self.store.put(key, made)

    def _admit(self, key: ObjectKey) -> None:
        space = self.store.get(ObjectKey(kinds.NAMESPACES, "", key.namespace))
        if space is None:
            raise not_found(kinds.NAMESPACES, key.namespace)
        if "deletionTimestamp" in space["metadata"] and self.store.get(key) is None:
            why = f"unable to create new content in namespace {key.namespace} because it is being terminated"
            raise StatusError(403, "Forbidden", f'{key.resource.name} "{key.name}" is forbidden: {why}')

    def _delete(self, request: ApiRequest, key: ObjectKey) -> Object:
        with self.store.changed:
            found = self._get(request, key)
            order = json.loads(request.body or b"{}")
            if order.get("preconditions", {}).get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
                raise StatusError(409, "Conflict", "the UID in the precondition does not match")
            self.store.edit(key, lambda it: it["metadata"].update(deletionTimestamp=now()))
            return {"kind": "Status", "status": "Success"}


class _FakeProtocol:
    """`mldeploy.rehearsal.gateway.fault_proxy.ProtocolAdapter`."""

    def __init__(self, fake: FakeCluster) -> None:
        self._fake = fake

    def parse_request(self, environ: WSGIEnvironment, body: bytes) -> ApiRequest:
        return parse_request(environ, body)

    def authenticate(self, request: ApiRequest) -> Application | None:
        if request.authorization.removeprefix("Bearer ") in self._fake.tokens:
            return None
        return answer(StatusError(401, "Unauthorized", "Unauthorized").document, 401)

    def refusal(self, kind: FaultKind, request: ApiRequest) -> Application:
        status, reason = {
            FaultKind.THROTTLE: (429, "TooManyRequests"),
            FaultKind.ERROR: (500, "InternalError"),
            FaultKind.DENIED: (403, "Forbidden"),
        }[kind]
        output = f'User "fake" cannot {request.action}' if kind is FaultKind.DENIED else reason
        return answer(StatusError(status, reason, output).document, status)


def parse_request(environ: WSGIEnvironment, body: bytes) -> ApiRequest:
    found = _PATH.fullmatch(environ["PATH_INFO"])
    resource = None
    if found:
        resource = kinds.find_resource(found["group"] or "", found["version"] or found["core"], found["plural"])
    key = ObjectKey(resource, found["namespace"] or "", found["name"] or "") if resource and found else None
    return ApiRequest(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()},
        environ.get("HTTP_AUTHORIZATION", ""),
        key,
        (found["part"] or "") if found else "",
        environ.get("CONTENT_TYPE", ""),
        body,
    )


def _selector(request: ApiRequest):  # type: ignore[no-untyped-def]  # a test for objects
    labels, fields = (
        parse_label_selector(request.query.get("labelSelector", "")),
        parse_field_selector(request.query.get("fieldSelector", "")),
    )
    return lambda document: labels(document) and fields(document)


def _told(before: Object | None, after: Object | None, fits, version: int) -> Iterator[bytes]:  # type: ignore[no-untyped-def]
    was, now_ = before is not None and fits(before), after is not None and fits(after)
    if now_:
        yield _line("MODIFIED" if was else "ADDED", after or {})
    elif was and before is not None:
        gone = {**before, "metadata": {**before["metadata"], "resourceVersion": str(version)}}
        yield _line("DELETED", gone)


def _line(kind: str, document: Object) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def _merged(live: Object, patch: Object) -> Object:
    """RFC 7386."""
    made = dict(live)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name) or {}, value) if isinstance(value, dict) else value
    return made


def answer(document: Object, status: int) -> Response:
    """A document as an answer."""
    return Response(json.dumps(document), status, mimetype="application/json")
