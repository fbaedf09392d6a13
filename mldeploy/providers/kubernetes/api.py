"""A thin, typed layer over the SDK's HTTP client: paths of our own, documents in and out.

https://kubernetes.io/docs/reference/using-api/api-concepts/. Every method raises Refusal, or what the SDK and urllib3
raise: `mldeploy.providers.kubernetes.errors.kubernetes_errors` translates them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from websocket import WebSocket, WebSocketBadStatusException

from mldeploy.providers.kubernetes.errors import Refusal
from mldeploy.providers.kubernetes.reading import Document, rows, text
from mldeploy.providers.kubernetes.sdk import (
    ApiClient,
    Configuration,
    WSClient,
    create_websocket,
    get_websocket_url,
)
from mldeploy.providers.kubernetes.types import POD, ObjectType, type_of

MANAGER = "mldeploy"
"""Under this name our fields are ours in server-side apply."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
WATCH_SECONDS = 240
"""So long one watch may last; then it is begun anew where it ended."""
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
RETRIES = urllib3.Retry(
    total=5,
    backoff_factor=0.2,
    backoff_jitter=0.1,
    backoff_max=10,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
"""Every request that we send may be repeated: to apply twice is to apply once, a second deletion finds nothing."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Listing:
    """All objects of a type, and the moment at which it was so: where a watch goes on."""

    items: tuple[Document, ...]
    version: str


def prepare(configuration: Configuration) -> Configuration:
    """What every client of ours has, whoever made its configuration: retries, and keep-alive on its connections."""
    configuration.retries = RETRIES
    configuration.keep_alive = True
    return configuration


class Kube:
    """One API server, with credentials. It may be used from several threads."""

    def __init__(self, client: ApiClient) -> None:
        """client: with a configuration that `prepare` has seen, and a hook that refreshes its token if need be."""
        self._client = client

    @property
    def server(self) -> str:
        """The base URL."""
        return str(self._client.configuration.host)

    def version(self) -> str:
        """`v1.31.2`. Every authenticated user may ask."""
        return text(self._call("get /version", "GET", "/version"), "gitVersion")

    def serves(self, path: str) -> bool:
        """Whether the server has this part of the API: `/apis/metrics.k8s.io/v1beta1`."""
        try:
            self._call(f"get {path}", "GET", path)
        except Refusal as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def get(self, kind: ObjectType, name: str, namespace: str = "") -> Document | None:
        """One object, None if there is none."""
        try:
            return self._call(f"get {kind.resource}", "GET", kind.path(namespace, name))
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, kind: ObjectType, namespace: str = "", query: Query = ()) -> Listing:
        """All objects of a type that a selector fits. query: `labelSelector`, `fieldSelector`."""
        found = self._call(f"list {kind.resource}", "GET", kind.path(namespace), query)
        return Listing(rows(found, "items"), text(found, "metadata", "resourceVersion"))

    def select(self, kind: ObjectType, namespace: str, labels: Mapping[str, str]) -> tuple[Document, ...]:
        """All objects of a type that bear these labels."""
        return self.list(kind, namespace, selecting(labels)).items

    def apply(self, manifest: Document, *, dry_run: bool = False) -> Document:
        """Server-side apply: the object has the manifest's fields afterwards, and they are ours.

        A field that belongs to another manager is never taken: Refusal (409).
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        kind = type_of(text(manifest, "kind"))
        path = kind.path(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name"))
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]
        return self._call(f"patch {kind.resource}", "PATCH", path, query, manifest, APPLY)

    def annotate(self, kind: ObjectType, name: str, namespace: str, notes: Mapping[str, str | None]) -> None:
        """Set annotations of something that a controller has made; None takes one away."""
        body = {"metadata": {"annotations": dict(notes)}}
        query = (("fieldManager", MANAGER),)
        self._call(f"patch {kind.resource}", "PATCH", kind.path(namespace, name), query, body, MERGE)

    def delete(
        self, kind: ObjectType, name: str, namespace: str = "", *, uid: str = "", grace: int | None = None
    ) -> bool:
        """Begin to remove an object, and what it owns before it goes. True if it was there.

        uid: if it is another one meanwhile, nothing is removed. grace: seconds that a pod has to end; None: those that
        it asks for.
        """
        order: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if kind.namespaced else "Background",
        }
        if uid:
            order["preconditions"] = {"uid": uid}
        if grace is not None:
            order["gracePeriodSeconds"] = grace
        try:
            self._call(f"delete {kind.resource}", "DELETE", kind.path(namespace, name), (), order)
        except Refusal as refusal:
            if refusal.status == 404 or (refusal.status == 409 and uid):
                return False
            raise
        return True

    def create(self, kind: ObjectType, document: Document) -> Document:
        """What can only be created, such as a review of our own permissions."""
        return self._call(f"create {kind.resource}", "POST", kind.path(), (), document)

    def watch(self, kind: ObjectType, namespace: str, query: Query, version: str) -> urllib3.BaseHTTPResponse:
        """The changes since a version, one JSON document a line, until the server ends it."""
        more = (("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true"))
        parts = (*query, *more, ("timeoutSeconds", str(WATCH_SECONDS)))
        return self._open(f"watch {kind.resource}", kind.path(namespace), parts, WATCH_SECONDS + READ_SECONDS)

    def log(self, pod: str, namespace: str, query: Query, *, seconds: float = READ_SECONDS) -> urllib3.BaseHTTPResponse:
        """What a Pod has written. seconds: how long it may stay silent."""
        return self._open("get pods/log", POD.path(namespace, pod, "log"), query, seconds)

    def forward(self, pod: str, namespace: str, port: int) -> WebSocket:
        """A connection to a Pod's port, through the API server; the caller closes it."""
        url, headers = self._websocket(POD.path(namespace, pod, "portforward"), (("ports", str(port)),))
        with _upgraded("get pods/portforward"):
            connection: WebSocket = create_websocket(self._client.configuration, url, headers)
        return connection

    def execute(self, pod: str, namespace: str, container: str, command: Iterable[str], *, stdin: bool) -> WSClient:
        """A command in a Pod's container, its streams in channels; the caller closes them."""
        words = tuple(("command", each) for each in command)
        streams = (("stdin", str(stdin).lower()), ("stdout", "true"), ("stderr", "true"), ("tty", "false"))
        url, headers = self._websocket(POD.path(namespace, pod, "exec"), (("container", container), *words, *streams))
        with _upgraded("get pods/exec"):
            return WSClient(self._client.configuration, url, headers, capture_all=False, binary=True)

    def _websocket(self, path: str, query: Query) -> tuple[str, dict[str, str]]:
        url, headers = self._request("GET", path, query, JSON)
        return str(get_websocket_url(url)), headers

    def _request(self, method: str, path: str, query: Query, content: str) -> tuple[str, dict[str, str]]:
        """The URL, and the headers with the credentials as they are at this moment."""
        headers = {"Accept": JSON, "Content-Type": content}
        _, url, signed, _, _ = self._client.param_serialize(
            method, path, query_params=list(query), header_params=headers, auth_settings=["BearerToken"]
        )
        return url, signed

    def _call(
        self,
        action: str,
        method: str,
        path: str,
        query: Query = (),
        body: Document | None = None,
        content: str = JSON,
    ) -> Document:
        url, headers = self._request(method, path, query, content)
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        answer = self._client.call_api(method, url, headers, body, _request_timeout=timeout).response
        try:
            said = answer.read().decode(errors="replace")
        finally:
            answer.release_conn()
        if not 200 <= answer.status < 300:
            raise Refusal(action, answer.status, said)
        found = json.loads(said)
        return found if isinstance(found, dict) else {}

    def _open(self, action: str, path: str, query: Query, seconds: float) -> urllib3.BaseHTTPResponse:
        """An answer that is read as it comes; the caller closes it."""
        url, headers = self._request("GET", path, query, JSON)
        answer: urllib3.BaseHTTPResponse = self._client.call_api(
            "GET", url, headers, _request_timeout=(CONNECT_SECONDS, seconds)
        ).response
        if answer.status == 200:
            return answer
        try:
            said = answer.read().decode(errors="replace")
        finally:
            answer.close()
        raise Refusal(action, answer.status, said)


@contextmanager
def _upgraded(action: str) -> Iterator[None]:
    """A server that does not let us in says why, as for any other request."""
    try:
        yield
    except WebSocketBadStatusException as error:
        body = error.resp_body or b""
        raise Refusal(action, error.status_code, body.decode(errors="replace")) from error


def selecting(labels: Mapping[str, str]) -> Query:
    """The query for objects that bear these labels."""
    return (("labelSelector", ",".join(f"{key}={value}" for key, value in labels.items())),)
