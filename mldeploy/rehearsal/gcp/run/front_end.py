"""The HTTPS addresses of services and tags, and what happens to a request there."""

from __future__ import annotations

import html
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import requests
from google.logging.type import http_request_pb2  # type: ignore[import-untyped]
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.proxy import Upstream, forward_request
from mldeploy.rehearsal.gateway.serving import Authority, PublicHostCheck, create_server, serve
from mldeploy.rehearsal.gcp.logs.entries import REQUESTS, LogEntries, LogRecord
from mldeploy.rehearsal.gcp.project import REGION
from mldeploy.rehearsal.gcp.run.instances import InstanceStartError, NoInstanceError, NotServingError, RevisionInstances
from mldeploy.rehearsal.gcp.run.launcher import RevisionLauncher

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PORT = 8443
"""Used instead of 443, on which only root may listen."""
MOST_BYTES = 32 * 2**20
"""Of a request with HTTP/1. https://cloud.google.com/run/quotas#request_limits"""
DOMAIN = f"{REGION}.run.app"
_NAME = re.compile(rf"[a-z0-9-]+\.{re.escape(DOMAIN)}(?::\d+)?")


class RoutedRevision(Protocol):
    """A revision that gets requests."""

    @property
    def launcher(self) -> RevisionLauncher:
        """It knows the labels of the logs."""

    @property
    def instances(self) -> RevisionInstances:
        """They answer."""

    @property
    def seconds(self) -> float:
        """The request timeout."""


@dataclass(frozen=True)
class RequestRoute:
    """Where the requests to a host go. audience: of ID tokens. revisions: with the percentage of each.

    authorize: returns the error response for a request that may not invoke the service, from the request.
    """

    is_public_ingress: bool
    authorize: Callable[[Request], Response | None]
    revisions: Sequence[tuple[RoutedRevision, int]]

    def choose(self) -> RoutedRevision | None:
        """Choose a revision at random, by the percentages."""
        weights = [percent for _, percent in self.revisions]
        return random.choices([each for each, _ in self.revisions], weights)[0] if any(weights) else None  # noqa: S311


class RunHostCheck(PublicHostCheck):
    """Accepts requests to the address, and to names of Cloud Run, which no name server leads here."""

    def _is_ours(self, authority: str) -> bool:
        return super()._is_ours(authority) or _NAME.fullmatch(authority) is not None


class RunAddresses:
    """The addresses of all services and tags. Those that are given back are used again. Thread-safe."""

    def __init__(self, public: PublicAddressPool, authority: Authority, application: RunFrontEnd) -> None:
        self._public = public
        self._authority = authority
        self._application = application
        self._mutex = threading.Lock()
        self._free: list[str] = []
        self._servers: list[BaseWSGIServer] = []

    def take(self) -> str:
        """Return HOST:PORT of an address that answers."""
        with self._mutex:
            return self._free.pop(0) if self._free else self._open()

    def give_back(self, host: str) -> None:
        with self._mutex:
            self._free.append(host)

    def _open(self) -> str:
        address = self._public.take()
        tls = self._authority.context(address, f"*.{DOMAIN}")
        server = create_server(address, PORT, self._application, tls, check=RunHostCheck)
        serve(server)
        self._servers.append(server)
        return f"{address}:{PORT}"

    def close(self) -> None:
        """Stop all servers."""
        for each in self._servers:
            each.shutdown()
            each.server_close()


class RunFrontEnd:
    """A WSGI application: all requests to services. find: returns the route of a Host header."""

    def __init__(self, find: Callable[[str], RequestRoute | None], logs: LogEntries) -> None:
        self._find = find
        self._logs = logs

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        route = self._find(request.host)
        if route is None or not route.is_public_ingress:
            return render_page(404, "Page not found", f"The requested URL {request.path} was not found on this server.")
        if refusal := route.authorize(request):
            return refusal
        revision = route.choose()
        if revision is None:
            return render_page(404, "Page not found", f"The requested URL {request.path} was not found on this server.")
        if (request.content_length or 0) > MOST_BYTES:
            return Response("Request Entity Too Large", 413, content_type="text/plain")
        begun = time.monotonic()
        response = self._forward(request, revision)
        self._log(request, response, revision, time.monotonic() - begun)
        return response

    def _forward(self, request: Request, revision: RoutedRevision) -> Response:
        """Ask an instance. The statuses: https://cloud.google.com/run/docs/troubleshooting"""
        stack = ExitStack()
        address = request.environ.get("REMOTE_ADDR", "")
        request.environ |= {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": address}
        try:
            upstream = Upstream(f"http://{stack.enter_context(revision.instances.serving())}")
            response = forward_request(request, upstream, request.get_data(), seconds=revision.seconds)
        except NotServingError:
            return Response("Service Unavailable", 503, content_type="text/plain")
        except NoInstanceError:
            revision.launcher.log("The request was aborted because there was no available instance.", "ERROR")
            return Response("Rate exceeded.", 429, content_type="text/plain")
        except InstanceStartError:
            return Response("Service Unavailable", 503, content_type="text/plain")
        except requests.Timeout:
            stack.close()
            return Response("upstream request timeout", 504, content_type="text/plain")
        except requests.RequestException:
            stack.close()
            revision.launcher.log(
                "The request failed because either the HTTP response was malformed or connection to "
                "the instance had an error.",
                "ERROR",
            )
            return Response("Service Unavailable", 503, content_type="text/plain")
        response.call_on_close(stack.close)
        return response

    def _log(self, request: Request, response: Response, revision: RoutedRevision, seconds: float) -> None:
        about = http_request_pb2.HttpRequest(
            request_method=request.method,
            request_url=request.url,
            status=response.status_code,
            remote_ip=request.remote_addr or "",
            user_agent=request.user_agent.string,
            protocol="HTTP/1.1",
        )
        about.latency.FromNanoseconds(int(seconds * 1e9))
        severity = "ERROR" if response.status_code >= 500 else "WARNING" if response.status_code >= 400 else "INFO"
        self._logs.write(LogRecord(REQUESTS, revision.launcher.labels, severity=severity, request=about))


def render_page(status: int, title: str, text: str) -> Response:
    """An error page of Google's front end."""
    page = (
        f"<html><head>\n<title>{status} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>Error: {title}</h1>\n<h2>{html.escape(text)}</h2>\n<h2></h2>\n</body></html>\n"
    )
    return Response(page, status, content_type="text/html; charset=UTF-8")
