"""The front end of a site's containers: HTTPS at the site's address, and error pages while no container is up."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import requests
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.azure.registry_hosts import cut_connection
from mldeploy.rehearsal.containers.host import PublicAddressPool
from mldeploy.rehearsal.gateway.proxy import Upstream, forward_request
from mldeploy.rehearsal.gateway.serving import Authority, create_server, serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from mldeploy.rehearsal.gateway.fault_proxy import Application

HTTPS, HTTP = 8443, 8080
"""Ports used instead of 443 and 80, on which only root may listen."""


_ROUTE, _SELF = "x-ms-routing-name", "self"
"""The cookie and query parameter that name a slot, and the name of the site itself."""


class FrontedSite(Protocol):
    """The properties of a site that its front end needs."""

    @property
    def host(self) -> str:
        """HOST:PORT of its HTTPS address."""

    @property
    def is_stopped(self) -> bool:
        """The site is stopped: by the stop operation, not by a failed start."""

    @property
    def is_secure_only(self) -> bool:
        """HTTP requests are redirected to HTTPS."""

    @property
    def rules(self) -> Sequence[RampUpRule]:
        """The rules that give a share of the requests to slots."""

    def upstream(self) -> str:
        """Return the URL of a running container, without a path; empty if none runs. May start containers."""


@dataclass(frozen=True)
class RampUpRule:
    """name: what the cookie says. percent: of the requests without a cookie. site: the slot that answers them."""

    name: str
    percent: float
    site: FrontedSite


@dataclass
class SiteAddress:
    """An address that a new site reuses after the previous one is deleted. servers: for HTTPS and for HTTP."""

    address: str
    servers: tuple[BaseWSGIServer, BaseWSGIServer]
    is_free: bool = False

    @property
    def host(self) -> str:
        return f"{self.address}:{HTTPS}"

    def serve(self, application: Application) -> None:
        """Set the application that handles the requests to this address."""
        for each in self.servers:
            each.app = application


class SiteAddressPool:
    """The addresses of all sites. May be used from several threads."""

    def __init__(self, public: PublicAddressPool, authority: Authority) -> None:
        self._public = public
        self._authority = authority
        self._mutex = threading.Lock()
        self._addresses: list[SiteAddress] = []

    def take(self) -> SiteAddress:
        """Return an address that no site uses."""
        with self._mutex:
            address = next((each for each in self._addresses if each.is_free), None) or self._open_address()
            address.is_free = False
            return address

    def release(self, address: SiteAddress) -> None:
        """Return an address to the pool after its site is deleted."""
        address.serve(cut_connection)
        with self._mutex:
            address.is_free = True

    def shutdown(self) -> None:
        """Stop all servers."""
        for server in (server for each in self._addresses for server in each.servers):
            server.shutdown()
            server.server_close()

    def _open_address(self) -> SiteAddress:
        host = self._public.take()
        tls = self._authority.context(host)
        https = create_server(host, HTTPS, cut_connection, tls, is_public=True)
        address = SiteAddress(host, (https, create_server(host, HTTP, cut_connection, is_public=True)))
        for each in address.servers:
            serve(each)
        self._addresses.append(address)
        return address


class SiteFrontEnd:
    """A WSGI application that handles the requests to a site."""

    def __init__(self, site: FrontedSite) -> None:
        self._site = site

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        if request.scheme == "http" and self._site.is_secure_only:
            where = f"https://{self._site.host}{request.full_path.removesuffix('?')}"
            return Response("", 301, {"Location": where})
        if self._site.is_stopped:
            return _render_page(403, "Error 403 - This web app is stopped.")
        name, site = self._route(request)
        response = self._forward(request, site)
        if self._site.rules and request.cookies.get(_ROUTE) != name:
            response.set_cookie(_ROUTE, name, path="/", secure=True)
        return response

    def _route(self, request: Request) -> tuple[str, FrontedSite]:
        """Choose who answers: by the query or the cookie, otherwise at random. "self" is the site itself.

        Source: App Service, "Set up staging environments", route traffic: a client stays where it was routed first.
        """
        named = request.args.get(_ROUTE) or request.cookies.get(_ROUTE)
        if named == _SELF:
            return _SELF, self._site
        rules = self._site.rules
        if chosen := next((each for each in rules if each.name == named), None):
            return chosen.name, chosen.site
        at = random.uniform(0, 100)  # noqa: S311 - no secret
        for each in rules:
            if at < each.percent:
                return each.name, each.site
            at -= each.percent
        return _SELF, self._site

    def _forward(self, request: Request, site: FrontedSite) -> Response:
        upstream = site.upstream()
        if not upstream:
            return _render_page(503, "Application Error: the site is being started, or could not be started.")
        request.environ |= {"HTTP_X_FORWARDED_PROTO": request.scheme, "HTTP_X_FORWARDED_FOR": request.remote_addr or ""}
        try:
            return forward_request(request, Upstream(upstream), request.get_data())
        except requests.RequestException:
            return _render_page(502, "Bad Gateway: the app did not answer.")


def _render_page(status: int, title: str) -> Response:
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(page, status, content_type="text/html")
