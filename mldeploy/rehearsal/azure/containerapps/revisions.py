"""Revisions and replicas of apps. Standard: Container Apps REST API, "Container Apps Revisions"."""

from __future__ import annotations

from collections.abc import Iterator

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.routes import ArmRequest, ArmResponse, ArmRoute
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import ArmResource, not_found_error
from mldeploy.rehearsal.azure.containerapps.app import StandInApp
from mldeploy.rehearsal.azure.containerapps.apps import APP_PATH, ContainerApps, format_created, stream_path
from mldeploy.rehearsal.azure.containerapps.replica import Replica
from mldeploy.rehearsal.azure.containerapps.revision import StandInRevision
from mldeploy.rehearsal.azure.containerapps.template import show_template

_REVISIONS = f"{APP_PATH}/revisions"
REVISION_PATH = f"{_REVISIONS}/{{revision}}"


class Revisions:
    """The operations on revisions and replicas. url: the stand-in's own URL, for the log streams."""

    def __init__(self, apps: ContainerApps, url: str) -> None:
        self._apps = apps
        self._url = url

    @property
    def routes(self) -> Iterator[ArmRoute]:
        kind = resource_types.REVISION
        yield ArmRoute(f"GET {_REVISIONS}", kind, self._list)
        yield ArmRoute(f"GET {REVISION_PATH}", kind, self._get)
        yield ArmRoute(f"POST {REVISION_PATH}/activate", kind, self._activate)
        yield ArmRoute(f"POST {REVISION_PATH}/deactivate", kind, self._deactivate)
        yield ArmRoute(f"POST {REVISION_PATH}/restart", kind, self._restart)
        yield ArmRoute(f"GET {REVISION_PATH}/replicas", kind, self._list_replicas)
        yield ArmRoute(f"GET {REVISION_PATH}/replicas/{{replica}}", kind, self._get_replica)

    def _find_app(self, request: ArmRequest) -> StandInApp:
        at = request.path.lower().rindex("/revisions")
        return self._apps[request.account.get(request.path[:at])]

    def _find(self, request: ArmRequest) -> tuple[StandInApp, StandInRevision]:
        """Raises ArmError, 404. Source: microsoft/azure-container-apps, `RevisionNotFound`; its words are assumed."""
        app = self._find_app(request)
        revision = app.revisions.get(request["revision"])
        if revision is None:
            what = f"The revision '{request['revision']}' of the container app '{app.name}' was not found."
            raise ArmError(404, "RevisionNotFound", what)
        return app, revision

    def _list(self, request: ArmRequest) -> ArmResponse:
        app = self._find_app(request)
        return ArmResponse(200, {"value": [self._describe(request, app, each) for each in app.revisions.values()]})

    def _get(self, request: ArmRequest) -> ArmResponse:
        app, revision = self._find(request)
        if request.account.is_first("answer about", self._resource(request, app, revision)):  # not replicated yet
            raise not_found_error(request.path)
        return ArmResponse(200, self._describe(request, app, revision))

    def _activate(self, request: ArmRequest) -> ArmResponse:
        app, revision = self._find(request)
        if app.is_single:
            what = "Activating a revision is not allowed in single revision mode."  # assumed
            raise ArmError(400, "ContainerAppSingleRevisionMode", what)
        revision.activate()
        return ArmResponse(200)

    def _deactivate(self, request: ArmRequest) -> ArmResponse:
        """Standard: Container Apps, "Manage revisions". Its traffic is no obstacle (issue 410)."""
        _, revision = self._find(request)
        revision.deactivate()
        return ArmResponse(200)

    def _restart(self, request: ArmRequest) -> ArmResponse:
        _, revision = self._find(request)
        revision.restart()
        return ArmResponse(200)

    def _resource(self, request: ArmRequest, app: StandInApp, revision: StandInRevision) -> ArmResource:
        return request.account.get(f"{app.resource.id}/revisions/{revision.name}")

    def _describe(self, request: ArmRequest, app: StandInApp, revision: StandInRevision) -> Json:
        resource, state = self._resource(request, app, revision), revision.describe_state()
        properties = {
            "createdTime": resource.properties["createdTime"],
            "lastActiveTime": format_created(revision.last_active),
            "fqdn": revision.host if app.ingress else None,
            "template": show_template(resource.properties["template"]),
            "active": revision.is_active,
            "replicas": len(revision.replicas),
            "trafficWeight": app.weight_of(revision.name),
            "healthState": state.health,
            "provisioningState": state.provisioning,
            "provisioningError": state.details or None,
            "runningState": state.running,
            "runningStateDetails": state.details,
        }
        kind = resource_types.REVISION.name
        return {"id": resource.id, "name": revision.name, "type": kind, "properties": properties}

    def _list_replicas(self, request: ArmRequest) -> ArmResponse:
        app, revision = self._find(request)
        return ArmResponse(200, {"value": [self._describe_replica(app, revision, each) for each in revision.replicas]})

    def _get_replica(self, request: ArmRequest) -> ArmResponse:
        app, revision = self._find(request)
        for each in revision.replicas:
            if each.name == request["replica"]:
                return ArmResponse(200, self._describe_replica(app, revision, each))
        raise not_found_error(request.path)

    def _describe_replica(self, app: StandInApp, revision: StandInRevision, replica: Replica) -> Json:
        identity = f"{app.resource.id}/revisions/{revision.name}/replicas/{replica.name}"
        container = f"containers/{revision.plan.container}"
        stream = f"{self._url}{stream_path(identity)}/{container}/logstream"
        properties = {"createdTime": format_created(replica.created), **replica.describe(stream)}
        kind = "Microsoft.App/containerapps/revisions/replicas"
        return {"id": identity, "name": replica.name, "type": kind, "properties": properties}
