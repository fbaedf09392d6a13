"""Where the requests to a host go."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.cloud import run_v2 as run
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gcp.run.front_end import DOMAIN, RequestRoute
from mldeploy.rehearsal.gcp.run.invoker import InvokerCheck
from mldeploy.rehearsal.gcp.run.stored_service import StoredService


class RunRouter:
    """Finds the service, the tag and the revisions of a host. number: of the project. services: lists all."""

    def __init__(self, number: str, invokers: InvokerCheck, services: Callable[[], Iterable[StoredService]]) -> None:
        self._number = number
        self._invokers = invokers
        self._services = services

    def find(self, host: str) -> RequestRoute | None:
        """Where the requests to a Host header go: an address, or a name of Cloud Run."""
        for stored in list(self._services()):
            for tag, address in list(stored.hosts.items()):
                prefix = f"{tag}---" if tag else ""
                name = f"{prefix}{stored.id}-{self._number}.{DOMAIN}"
                if host == address or host.partition(":")[0] == name:
                    return self._route(stored, tag)
        return None

    def _route(self, stored: StoredService, tag: str) -> RequestRoute:
        service = stored.service
        routes = {stored.tagged[tag]: 100} if tag in stored.tagged else {} if tag else dict(stored.routes)
        audiences = [*service.urls, *service.custom_audiences]

        def authorize(request: Request) -> Response | None:
            is_open = service.invoker_iam_disabled
            return None if is_open else self._invokers.refuse(request, stored.policy, audiences)

        revisions = [(stored.revisions[name], percent) for name, percent in routes.items() if name in stored.revisions]
        return RequestRoute(service.ingress == run.IngressTraffic.INGRESS_TRAFFIC_ALL, authorize, revisions)
