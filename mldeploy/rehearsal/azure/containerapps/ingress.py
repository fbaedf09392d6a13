"""The ingress: requests to an app, a revision or a label reach a replica of a revision, and error pages otherwise.

Standard: Container Apps, "Ingress", "Traffic splitting"; the texts are those of its Envoy and of its 404 page.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import requests
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.containerapps.replica import Replica
from mldeploy.rehearsal.azure.containerapps.revision import StandInRevision
from mldeploy.rehearsal.azure.sites.front_end import HTTPS
from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.proxy import Upstream, forward_request
from mldeploy.rehearsal.gateway.serving import Authority, QuietRequestHandler, create_server, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_UNAVAILABLE = "Error 404 - This Container App is stopped or does not exist."
_NO_CONNECTION = "upstream connect error or disconnect/reset before headers. reset reason: connection failure"


class RoutedApp(Protocol):
    """What the ingress needs of an app."""

    @property
    def allows_insecure(self) -> bool:
        """HTTP requests are not redirected to HTTPS."""

    @property
    def target_port(self) -> int:
        """The port of the containers. It is the app's: a change counts for all revisions at once."""

    def choose(self) -> StandInRevision | None:
        """Return the revision for the next request; None: the app does not answer."""


class RevisionIngress:
    """A WSGI application: choose a revision for each request. host: where HTTP requests are redirected to."""

    def __init__(self, app: RoutedApp, choose: Callable[[], StandInRevision | None], host: Callable[[], str]) -> None:
        self._app = app
        self._choose = choose
        self._host = host

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        if request.scheme == "http" and not self._app.allows_insecure:
            where = f"https://{self._host()}{request.full_path.removesuffix('?')}"
            return Response("", 301, {"Location": where})
        revision = self._choose()
        if revision is None:
            return unavailable_page()
        replica = revision.take()
        if replica is None and not revision.is_active:  # deactivated since it was chosen
            revision = self._choose() or revision
            replica = revision.take()
        if replica is None:
            return Response(_NO_CONNECTION, 503, content_type="text/plain")
        return self._forward(request, revision, replica)

    def _forward(self, request: Request, revision: StandInRevision, replica: Replica) -> Response:
        request.environ |= {"HTTP_X_FORWARDED_PROTO": request.scheme, "HTTP_X_FORWARDED_FOR": request.remote_addr or ""}
        try:
            response = forward_request(request, Upstream(replica.url(self._app.target_port)), request.get_data())
        except BaseException as error:
            revision.give_back(replica)
            if isinstance(error, requests.RequestException):
                return Response(_NO_CONNECTION, 503, content_type="text/plain")
            raise
        response.response = CountedBody(response.iter_encoded(), lambda: revision.give_back(replica))
        return response


class CountedBody:
    """The body of a response that is passed on piece by piece. on_end: called once at its end, or if it is given up."""

    def __init__(self, pieces: Iterable[bytes], on_end: Callable[[], None]) -> None:
        self._pieces = iter(pieces)
        self._on_end = on_end
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """End it. The server calls this after each response. May be repeated."""
        if not self._has_ended:
            self._has_ended = True
            self._on_end()


def unavailable_page() -> Response:
    """Return the page for an app that is stopped, has no revision with traffic, or does not exist."""
    title = "<title>Azure Container App - Unavailable</title>"
    page = f'<html><head>{title}</head><body><h1 id="unavailable">{_UNAVAILABLE}</h1></body></html>'
    return Response(page, 404, content_type="text/html")


class EnvironmentIngress:
    """The static IP of an environment: it finds the app by the Host header, and the certificate by the server's name.

    find: returns the application of a host name. certified: the custom domains that have a certificate.
    """

    def __init__(
        self,
        public: PublicAddressPool,
        authority: Authority,
        domain: str,
        find: Callable[[str], RevisionIngress | None],
        certified: Callable[[], frozenset[str]],
    ) -> None:
        self.address = public.take()
        self._public = public
        self._authority = authority
        self._find = find
        self._certified = certified
        self._domain = domain
        self._mutex = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        own = authority.context(f"*.{domain}", domain)
        own.sni_callback = self._choose_certificate
        self._server: BaseWSGIServer = create_server(self.address, HTTPS, self, own, check=QuietRequestHandler)
        serve(self._server)

    def close(self) -> None:
        """Stop the server, and give the address back."""
        self._server.shutdown()
        self._server.server_close()
        self._public.give_back(self.address)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", "")).partition(":")[0].lower()
        application = self._find(host)
        return (application or unavailable_page())(environ, start)

    def _choose_certificate(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: object) -> None:
        if name and name.lower() in self._certified():
            with self._mutex:
                if name not in self._contexts:
                    self._contexts[name] = self._authority.context(name)
                connection.context = self._contexts[name]
