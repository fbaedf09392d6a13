"""A thin, typed client on top of the SDK's HTTP client: own paths, documents in and out.

https://kubernetes.io/docs/reference/using-api/api-concepts/. Every method raises ApiStatusError, or an exception of
the SDK or urllib3: `mldeploy.providers.kubernetes.errors.kubernetes_errors` translates them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from websocket import WebSocket, WebSocketBadStatusException

from mldeploy.bounded_http import bound_pools, bounded_answers
from mldeploy.core.parsing import parse_json
from mldeploy.providers.kubernetes.documents import MANAGER, Document, rows, text
from mldeploy.providers.kubernetes.errors import (
    ApiClient,
    ApiStatusError,
    Configuration,
    WSClient,
    create_websocket,
    get_websocket_url,
)

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
ANSWER_SECONDS = 120.0
"""For a whole response, such as a list of thousands of objects."""
ANSWER_LIMIT = 256 << 20
WATCH_SECONDS = 240
"""The maximum duration of one watch request; then it is resumed."""
CONFLICT_ATTEMPTS = 5
"""For a merge patch: the server answers 409 if the object changes too often while it applies the patch."""
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
"""All requests are idempotent: a second apply or deletion changes nothing."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ObjectList:
    """Objects of a type. version: the list's resource version, from which a watch starts."""

    items: tuple[Document, ...]
    version: str


def configure_client(configuration: Configuration) -> Configuration:
    """Set retries and keep-alive on a client's configuration, and return it."""
    configuration.retries = RETRIES
    configuration.keep_alive = True
    return configuration


class KubeClient:
    """A client for one API server, with credentials. Thread-safe."""

    def __init__(self, client: ApiClient) -> None:
        """client: with a configuration from `configure_client`, and a hook that refreshes its token if needed."""
        self._client = client
        bound_pools(client.rest_client.pool_manager)

    @property
    def server(self) -> str:
        """The base URL."""
        return str(self._client.configuration.host)

    def version(self) -> str:
        """Return the server's version, such as `v1.31.2`. Every authenticated user may read it."""
        return text(self._call("get /version", "GET", "/version"), "gitVersion")

    def serves(self, path: str) -> bool:
        """Whether the server serves an API group version, such as `/apis/metrics.k8s.io/v1beta1`."""
        try:
            self._call(f"get {path}", "GET", path)
        except ApiStatusError as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def get(self, kind: ObjectType, name: str, namespace: str = "") -> Document | None:
        """Return one object, None if there is none."""
        try:
            return self._call(f"get {kind.resource}", "GET", kind.path(namespace, name))
        except ApiStatusError as refusal:
            if refusal.status == 404:
                return None
            raise

    def list(self, kind: ObjectType, namespace: str = "", query: Query = ()) -> ObjectList:
        """Return all objects of a type that match. query: `labelSelector`, `fieldSelector`."""
        response = self._call(f"list {kind.resource}", "GET", kind.path(namespace), query)
        return ObjectList(rows(response, "items"), text(response, "metadata", "resourceVersion"))

    def select(self, kind: ObjectType, namespace: str, labels: Mapping[str, str]) -> tuple[Document, ...]:
        """Return all objects of a type with these labels."""
        return self.list(kind, namespace, label_query(labels)).items

    def apply(self, manifest: Document, *, dry_run: bool = False) -> Document:
        """Apply a manifest server-side, and return the object. mldeploy owns the manifest's fields afterwards.

        Raises ApiStatusError (409) for a field that belongs to another manager.
        https://kubernetes.io/docs/reference/using-api/server-side-apply/
        """
        kind = object_type(text(manifest, "kind"))
        path = kind.path(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name"))
        query = [("fieldManager", MANAGER), ("fieldValidation", "Strict"), *([("dryRun", "All")] if dry_run else [])]
        return self._call(f"patch {kind.resource}", "PATCH", path, query, manifest, APPLY)

    def annotate(self, kind: ObjectType, name: str, namespace: str, notes: Mapping[str, str | None]) -> None:
        """Set annotations of an object that a controller created; None removes one."""
        body = {"metadata": {"annotations": dict(notes)}}
        query = (("fieldManager", MANAGER),)
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                self._call(f"patch {kind.resource}", "PATCH", kind.path(namespace, name), query, body, MERGE)
            except ApiStatusError as refusal:
                if refusal.status != 409 or attempt == CONFLICT_ATTEMPTS - 1:
                    raise
            else:
                return

    def delete(
        self, kind: ObjectType, name: str, namespace: str = "", *, uid: str = "", grace: int | None = None
    ) -> bool:
        """Start the deletion of an object, after the objects that it owns. True if it existed.

        uid: delete only the object with this uid. grace: seconds that a pod has to end; None: the pod's own.
        """
        options: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if kind.namespaced else "Background",
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self._call(f"delete {kind.resource}", "DELETE", kind.path(namespace, name), (), options)
        except ApiStatusError as refusal:
            if refusal.status == 404 or (refusal.status == 409 and uid):
                return False
            raise
        return True

    def create(self, kind: ObjectType, document: Document) -> Document:
        """Create an object that cannot be applied, such as a SelfSubjectAccessReview."""
        return self._call(f"create {kind.resource}", "POST", kind.path(), (), document)

    def watch(self, kind: ObjectType, namespace: str, query: Query, version: str) -> urllib3.BaseHTTPResponse:
        """Return the changes since a version as a stream, one JSON document per line, until the server ends it."""
        more = (("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true"))
        parts = (*query, *more, ("timeoutSeconds", str(WATCH_SECONDS)))
        return self._open(f"watch {kind.resource}", kind.path(namespace), parts, WATCH_SECONDS + READ_SECONDS)

    def log(self, pod: str, namespace: str, query: Query, *, seconds: float = READ_SECONDS) -> urllib3.BaseHTTPResponse:
        """Return a pod's log as a stream. seconds: the read timeout."""
        return self._open("get pods/log", POD.path(namespace, pod, "log"), query, seconds)

    def forward(self, pod: str, namespace: str, port: int) -> WebSocket:
        """Return a connection to a pod's port, through the API server. The caller closes it."""
        url, headers = self._websocket(POD.path(namespace, pod, "portforward"), (("ports", str(port)),))
        with _translate_handshake_errors("get pods/portforward"):
            connection: WebSocket = create_websocket(self._client.configuration, url, headers)
        return connection

    def execute(self, pod: str, namespace: str, container: str, command: Iterable[str], *, stdin: bool) -> WSClient:
        """Run a command in a pod's container, and return its channels. The caller closes them."""
        words = tuple(("command", each) for each in command)
        streams = (("stdin", str(stdin).lower()), ("stdout", "true"), ("stderr", "true"), ("tty", "false"))
        url, headers = self._websocket(POD.path(namespace, pod, "exec"), (("container", container), *words, *streams))
        with _translate_handshake_errors("get pods/exec"):
            return WSClient(self._client.configuration, url, headers, capture_all=False, binary=True)

    def _websocket(self, path: str, query: Query) -> tuple[str, dict[str, str]]:
        url, headers = self._request("GET", path, query, JSON)
        return str(get_websocket_url(url)), headers

    def _request(self, method: str, path: str, query: Query, content: str) -> tuple[str, dict[str, str]]:
        """Return the URL, and the headers with current credentials."""
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
        with bounded_answers(ANSWER_SECONDS, size=ANSWER_LIMIT):
            response = self._client.call_api(method, url, headers, body, _request_timeout=timeout).response
            try:
                content_text = response.read().decode(errors="replace")
            finally:
                response.release_conn()
        if not 200 <= response.status < 300:
            raise ApiStatusError(action, response.status, content_text)
        parsed = parse_json(content_text)
        return parsed if isinstance(parsed, dict) else {}

    def _open(self, action: str, path: str, query: Query, seconds: float) -> urllib3.BaseHTTPResponse:
        """Return a streamed response. The caller closes it."""
        url, headers = self._request("GET", path, query, JSON)
        response: urllib3.BaseHTTPResponse = self._client.call_api(
            "GET", url, headers, _request_timeout=(CONNECT_SECONDS, seconds)
        ).response
        if response.status == 200:
            return response
        try:
            content_text = response.read().decode(errors="replace")
        finally:
            response.close()
        raise ApiStatusError(action, response.status, content_text)


@contextmanager
def _translate_handshake_errors(action: str) -> Iterator[None]:
    """Translate a rejected WebSocket handshake into an ApiStatusError."""
    try:
        yield
    except WebSocketBadStatusException as error:
        body = error.resp_body or b""
        raise ApiStatusError(action, error.status_code, body.decode(errors="replace")) from error


def label_query(labels: Mapping[str, str]) -> Query:
    """Return the query for objects with these labels."""
    return (("labelSelector", ",".join(f"{key}={value}" for key, value in labels.items())),)


@dataclass(frozen=True)
class ObjectType:
    """A type of the API. https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris

    version: with its group, `apps/v1`. plural: its name in a path. kind: its name in a manifest.
    """

    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """ "" for the core group."""
        return self.version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """The name in RBAC and error messages: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", part: str = "") -> str:
        """Return the path of all objects, of one object, or of a subresource (`log`)."""
        parts = ["apis" if self.group else "api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/" + "/".join(filter(None, (*parts, self.plural, name, part)))


NAMESPACE = ObjectType("v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAP = ObjectType("v1", "configmaps", "ConfigMap")
SECRET = ObjectType("v1", "secrets", "Secret")
SERVICE = ObjectType("v1", "services", "Service")
POD = ObjectType("v1", "pods", "Pod")
VOLUME_CLAIM = ObjectType("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
EVENT = ObjectType("v1", "events", "Event")
DEPLOYMENT = ObjectType("apps/v1", "deployments", "Deployment")
REPLICA_SET = ObjectType("apps/v1", "replicasets", "ReplicaSet")
AUTOSCALER = ObjectType("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
DISRUPTION_BUDGET = ObjectType("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
INGRESS = ObjectType("networking.k8s.io/v1", "ingresses", "Ingress")
HTTP_ROUTE = ObjectType("gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")
ACCESS_REVIEW = ObjectType(
    "authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)

APPLIED = (
    NAMESPACE,
    CONFIG_MAP,
    SECRET,
    SERVICE,
    POD,
    DEPLOYMENT,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    INGRESS,
    HTTP_ROUTE,
)
"""The types that mldeploy applies."""


def object_type(kind: str) -> ObjectType:
    """Return the type of an applied kind. Raises KeyError for any other kind."""
    return {each.kind: each for each in APPLIED}[kind]
