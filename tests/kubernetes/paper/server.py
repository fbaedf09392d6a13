"""The API server on paper: as much of it as a deployment uses, with the objects' rules of the rehearsal."""

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
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.faults import Fault, Kind
from mldeploy.rehearsal.door.frontdoor import FrontDoor
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.door.serving import listening, serve
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.defaults import fill
from mldeploy.rehearsal.kubernetes.objects.managers import APPLY, UPDATE, Manager, applied, updated
from mldeploy.rehearsal.kubernetes.objects.refusals import Refused, bad_request, no_such_path, not_found
from mldeploy.rehearsal.kubernetes.objects.rules import check
from mldeploy.rehearsal.kubernetes.objects.selectors import by_fields, by_labels
from mldeploy.rehearsal.kubernetes.objects.store import Store, born
from mldeploy.rehearsal.kubernetes.objects.structure import checked
from mldeploy.rehearsal.kubernetes.objects.types import Key, Object
from tests.kubernetes.paper.channels import App, execute, forward
from tests.kubernetes.paper.controllers import Controllers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

TOKEN = "a-token-of-the-papers-own"
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>[^/]+))?"
)
_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Asked:
    """A request. key: of what it is about, None for a path that is about no object."""

    method: str
    path: str
    query: Mapping[str, str]
    authorization: str
    key: Key | None
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


class Paper:
    """An API server of one's own, on an address of its own. tokens: which it accepts."""

    def __init__(self, folder: Path, address: str, registry: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = Store()
        self.controllers = Controllers(self.store)
        self.tokens = {TOKEN}
        self.ledger = Ledger()
        self.app = App()
        self._authority = Authority(folder)
        self._address, self._registry = address, registry
        self._door = Door(self._answer, _Words(self), self.ledger)
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
        self._server = listening(self._address, 6443, self._door, self._authority.context(self._address))
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
        self.ledger.orders.clear()
        self.app.prediction = [1]
        with self.store.changed:
            self.store.clear()
            self.controllers.reset()
        self.tokens = {TOKEN}
        self.ledger.forget()

    def put(self, document: Object) -> Object:
        """Somebody else makes something, in the usual way."""
        key, sent = self._key(document), copy.deepcopy(document)
        return self._written(key, None, sent, Manager("kubectl", UPDATE))

    def edit(self, document: Object, by: str) -> Object:
        """Somebody changes what is there."""
        key = self._key(document)
        return self._written(key, self.store.get(key), document, Manager(by, UPDATE))

    def find(self, kind: kinds.Resource, name: str, namespace: str) -> Object:
        found = self.store.get(Key(kind, namespace, name))
        assert found is not None, f"there is no {kind.kind} {name}"
        return copy.deepcopy(found)

    def _key(self, document: Object) -> Key:
        group, _, version = document["apiVersion"].rpartition("/")
        resource = next(each for each in kinds.KEPT if (each.group, each.kind) == (group, document["kind"]))
        assert resource.version == version
        return Key(resource, document["metadata"].get("namespace", ""), document["metadata"]["name"])

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked = understood(environ, environ["wsgi.input"].read())
        if asked.part == "portforward":
            raise forward(environ, self.app.port)
        if asked.part == "exec":
            query = parse_qs(environ["QUERY_STRING"])
            raise execute(environ, query["command"], stdin=query["stdin"] == ["true"])
        try:
            found = self._done(asked)
        except Refused as refused:
            return answer(refused.document, refused.status)(environ, start)
        made = found if isinstance(found, Response) else answer(found, 200)
        return made(environ, start)

    def _done(self, asked: Asked) -> Object | Response:
        if asked.path == "/version":
            return {"gitVersion": "v1.33.0-paper"}
        if asked.key is None:
            raise no_such_path()
        if asked.key.resource is kinds.ACCESS_REVIEWS:
            return {**json.loads(asked.body), "status": {"allowed": True}}
        if asked.part == "log":
            lines = self.controllers.fates[asked.key.name].log
            written = self._get(asked, asked.key)["metadata"]["creationTimestamp"]
            stamped = [f"{written} {each}" for each in lines] if asked.query.get("timestamps") else lines
            return Response("".join(f"{each}\n" for each in stamped[-int(asked.query.get("tailLines", 1000)) :]))
        if asked.verb == "watch":
            return self._watch(asked, asked.key)
        done = {"get": self._get, "list": self._list, "patch": self._patch, "delete": self._delete}[asked.verb]
        return done(asked, asked.key)

    def _get(self, asked: Asked, key: Key) -> Object:
        found = self.store.get(key)
        if found is None:
            raise not_found(key.resource, key.name)
        return found

    def _list(self, asked: Asked, key: Key) -> Object:
        with self.store.changed:
            fits = _selector(asked)
            items = [each for each in self.store.list(key.resource, key.namespace) if fits(each)]
            return {"items": items, "metadata": {"resourceVersion": str(self.store.version)}}

    def _watch(self, asked: Asked, key: Key) -> Response:
        first = int(asked.query["resourceVersion"])
        self.store.since(first)  # one that is too old is said so at once
        return Response(self._events(asked, key, first), mimetype="application/json")

    def _events(self, asked: Asked, key: Key, version: int) -> Iterator[bytes]:
        fits, era = _selector(asked), self.store.era
        yield b""  # the answer has begun
        while True:
            self.store.wait(version, 0.5)
            try:
                changes = self.store.since(version)
            except Refused as refused:
                if self.store.era == era:
                    yield _line("ERROR", refused.document)
                return
            for each in changes:
                version = each.version
                if each.key.resource is key.resource and key.namespace in ("", each.key.namespace):
                    yield from _told(each.before, each.after, fits, version)
            yield b""  # whoever has left is found out so

    def _patch(self, asked: Asked, key: Key) -> Object:
        before, sent = self.store.get(key), json.loads(asked.body)
        manager = asked.query["fieldManager"]
        if asked.content == "application/merge-patch+json":
            if before is None:
                raise not_found(key.resource, key.name)
            return self._written(key, before, _merged(before, sent), Manager(manager, UPDATE))
        if asked.content != "application/apply-patch+yaml":
            raise bad_request(f"unexpected {asked.content}")
        checked(key.resource, copy.deepcopy(sent), strict=True)
        made = applied(key.resource, before, sent, Manager(manager, APPLY), force=False)
        return self._written(key, before, made, None)

    def _written(self, key: Key, before: Object | None, made: Object, by: Manager | None) -> Object:
        with self.store.changed:
            if key.namespace:
                self._admit(key)
            fill(key.resource, made)
            check(key.resource, made, before)
            if key.resource is kinds.PODS and before is None:
                self.controllers.admit(key.name)
            if by is not None:
                made = updated(key.resource, before, made, by)
            if before is None:
                made = born(made)
            metadata = made["metadata"]
            changed = before is None or before.get("spec") != made.get("spec")
            metadata["generation"] = metadata.get("generation", 0) + changed
            return self.store.put(key, made)

    def _admit(self, key: Key) -> None:
        space = self.store.get(Key(kinds.NAMESPACES, "", key.namespace))
        if space is None:
            raise not_found(kinds.NAMESPACES, key.namespace)
        if "deletionTimestamp" in space["metadata"] and self.store.get(key) is None:
            why = f"unable to create new content in namespace {key.namespace} because it is being terminated"
            raise Refused(403, "Forbidden", f'{key.resource.name} "{key.name}" is forbidden: {why}')

    def _delete(self, asked: Asked, key: Key) -> Object:
        with self.store.changed:
            found = self._get(asked, key)
            order = json.loads(asked.body or b"{}")
            if order.get("preconditions", {}).get("uid", found["metadata"]["uid"]) != found["metadata"]["uid"]:
                raise Refused(409, "Conflict", "the UID in the precondition does not match")
            self.store.edit(key, lambda it: it["metadata"].update(deletionTimestamp=now()))
            return {"kind": "Status", "status": "Success"}


class _Words:
    """`mldeploy.rehearsal.door.frontdoor.Language`."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper

    def understood(self, environ: WSGIEnvironment, body: bytes) -> Asked:
        return understood(environ, body)

    def turned_away(self, asked: Asked) -> Application | None:
        if asked.authorization.removeprefix("Bearer ") in self._paper.tokens:
            return None
        return answer(Refused(401, "Unauthorized", "Unauthorized").document, 401)

    def refusal(self, kind: Kind, asked: Asked) -> Application:
        status, reason = {
            Kind.THROTTLE: (429, "TooManyRequests"),
            Kind.ERROR: (500, "InternalError"),
            Kind.DENIED: (403, "Forbidden"),
        }[kind]
        said = f'User "paper" cannot {asked.action}' if kind is Kind.DENIED else reason
        return answer(Refused(status, reason, said).document, status)


class Door(FrontDoor[Asked]):
    """A watch whose answer is lost is one that nobody answers: it has no effect that could come first."""

    def _strike(self, asked, strike, environ, start):  # type: ignore[no-untyped-def]  # as its parent's
        if asked.verb == "watch" and strike.fault.kind in (Kind.LOST, Kind.CUT_AFTER):
            kind = Kind.TIMEOUT if strike.fault.kind is Kind.LOST else Kind.CUT_BEFORE
            strike = type(strike)(Fault(kind, seconds=strike.fault.seconds), strike.era)
        return super()._strike(asked, strike, environ, start)


def understood(environ: WSGIEnvironment, body: bytes) -> Asked:
    found = _PATH.fullmatch(environ["PATH_INFO"])
    resource = None
    if found:
        resource = kinds.found(found["group"] or "", found["version"] or found["core"], found["plural"])
    key = Key(resource, found["namespace"] or "", found["name"] or "") if resource and found else None
    return Asked(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()},
        environ.get("HTTP_AUTHORIZATION", ""),
        key,
        (found["part"] or "") if found else "",
        environ.get("CONTENT_TYPE", ""),
        body,
    )


def _selector(asked: Asked):  # type: ignore[no-untyped-def]  # a test for objects
    labels, fields = by_labels(asked.query.get("labelSelector", "")), by_fields(asked.query.get("fieldSelector", ""))
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
