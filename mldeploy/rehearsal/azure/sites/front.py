"""The front end before a site's containers: HTTPS at an address of its own, and what is said while nothing is up."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import requests
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.shelf import nobody
from mldeploy.rehearsal.containers.network import Addresses
from mldeploy.rehearsal.door.authority import Authority
from mldeploy.rehearsal.door.proxy import sent_on
from mldeploy.rehearsal.door.serving import listening, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.door.frontdoor import Application

HTTPS, HTTP = 8443, 8080
"""Instead of 443 and 80, on which only root may listen."""


class Visited(Protocol):
    """A site as its front end knows it."""

    @property
    def host(self) -> str:
        """HOST:PORT of its HTTPS address."""

    @property
    def is_stopped(self) -> bool:
        """Somebody has stopped it."""

    @property
    def is_secure_only(self) -> bool:
        """Who comes by HTTP is sent to HTTPS."""

    def upstream(self) -> str:
        """The URL of a container that answers, without a path; empty: there is none. One may be started then."""


@dataclass
class Front:
    """An address that sites have one after the other. servers: by HTTPS, and by HTTP."""

    address: str
    servers: tuple[BaseWSGIServer, BaseWSGIServer]
    is_free: bool = False

    @property
    def host(self) -> str:
        return f"{self.address}:{HTTPS}"

    def serve(self, application: Application) -> None:
        """From now on this answers here."""
        for each in self.servers:
            each.app = application


class Fronts:
    """All front ends."""

    def __init__(self, public: Addresses, authority: Authority) -> None:
        self._public = public
        self._authority = authority
        self._mutex = threading.Lock()
        self._fronts: list[Front] = []

    def take(self) -> Front:
        """One that no site has."""
        with self._mutex:
            front = next((each for each in self._fronts if each.is_free), None) or self._another()
            front.is_free = False
            return front

    def give_back(self, front: Front) -> None:
        """Its site is gone."""
        front.serve(nobody)
        with self._mutex:
            front.is_free = True

    def end(self) -> None:
        """Listen nowhere any more."""
        for server in (server for each in self._fronts for server in each.servers):
            server.shutdown()
            server.server_close()

    def _another(self) -> Front:
        address = self._public.take()
        tls = self._authority.context(address)
        front = Front(address, (listening(address, HTTPS, nobody, tls), listening(address, HTTP, nobody)))
        for each in front.servers:
            serve(each)
        self._fronts.append(front)
        return front


class Reception:
    """A WSGI application: what a site's visitors meet."""

    def __init__(self, site: Visited) -> None:
        self._site = site

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        if request.scheme == "http" and self._site.is_secure_only:
            where = f"https://{self._site.host}{request.full_path.removesuffix('?')}"
            return Response("", 301, {"Location": where})
        if self._site.is_stopped:
            return _page(403, "Error 403 - This web app is stopped.")
        upstream = self._site.upstream()
        if not upstream:
            return _page(503, "Application Error: the site is being started, or could not be started.")
        request.environ |= {"HTTP_X_FORWARDED_PROTO": request.scheme, "HTTP_X_FORWARDED_FOR": request.remote_addr or ""}
        try:
            return sent_on(request, upstream, request.get_data())
        except requests.RequestException:
            return _page(502, "Bad Gateway: the app did not answer.")


def _page(status: int, title: str) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(page, status, content_type="text/html")
