"""Services and revisions. https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2"""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from google.cloud import run_v2 as run
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.registry import DOWNLOAD
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code, permission_denied
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.longrunning import LongRunning
from mldeploy.rehearsal.gcp.policies import PolicyWriter
from mldeploy.rehearsal.gcp.project import ProjectLocation
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods
from mldeploy.rehearsal.gcp.run.front_end import DOMAIN, RequestRoute, RunAddresses, RunFrontEnd
from mldeploy.rehearsal.gcp.run.invoker import InvokerCheck
from mldeploy.rehearsal.gcp.run.launcher import RunContext
from mldeploy.rehearsal.gcp.run.messages import RUN, act_as_denied, conflict, name_taken
from mldeploy.rehearsal.gcp.run.rollout import roll_out
from mldeploy.rehearsal.gcp.run.stored_service import StoredRevision, StoredService
from mldeploy.rehearsal.gcp.run.template import make_revision, now, set_defaults
from mldeploy.rehearsal.gcp.run.validation import NEW_PROJECT, REVISIONS, check_service
from mldeploy.rehearsal.gcp.service_accounts import ServiceAccountsApi

SERVICES, REVISION_SERVICE = "google.cloud.run.v2.Services", "google.cloud.run.v2.Revisions"
OPERATIONS = "run.operations.get"
IDLE_SECONDS = 120.0
"""After the last request of an instance. Cloud Run keeps idle ones for up to 15 minutes."""
_PHASES = 2
_REAP_SECONDS = 1.0
_PAGE = 100
SPEC = frozenset(
    (
        "description", "labels", "annotations", "client", "client_version", "ingress", "launch_stage",
        "binary_authorization", "template", "traffic", "scaling", "invoker_iam_disabled", "default_uri_disabled",
        "custom_audiences",
    )
)  # fmt: skip
"""The fields of a service that a caller sets."""
MessageT = TypeVar("MessageT", run.Service, run.Revision)


class CloudRun:
    """All services of the project, with their addresses and containers."""

    def __init__(
        self,
        context: RunContext,
        operations: LongRunning,
        conditions: ProjectConditions,
        iam: ProjectIam,
        policies: PolicyWriter,
        accounts: ServiceAccountsApi,
    ) -> None:
        self._context = context
        self._operations = operations
        self._conditions = conditions
        self._iam = iam
        self._policies = policies
        self._accounts = accounts
        self._invokers = InvokerCheck(context.project, context.tokens, iam)
        self._addresses = RunAddresses(context.public, context.authority, RunFrontEnd(self._find_route, context.logs))
        self._services: dict[str, StoredService] = {}
        self.quotas: dict[str, float] = dict(NEW_PROJECT)
        self._idle_seconds = IDLE_SECONDS
        self._has_ended = threading.Event()
        threading.Thread(target=self._stop_idle, daemon=True).start()

    def contents(self) -> Iterator[StandInObject]:
        """List services and revisions."""
        for stored in list(self._services.values()):
            yield StandInObject("run:service", stored.id, dict(stored.service.labels))
            for each in list(stored.revisions.values()):
                yield StandInObject("run:revision", each.name, dict(each.revision.labels))

    def cancel(self) -> None:
        """End all containers, also those that are just starting. Waits for their end."""
        for stored in list(self._services.values()):
            stored.close()

    def reset(self) -> None:
        """Delete everything. No operation may be running."""
        self.cancel()
        self._services.clear()
        self.quotas, self._idle_seconds = dict(NEW_PROJECT), IDLE_SECONDS

    def close(self) -> None:
        """Stop everything for good."""
        self._has_ended.set()
        self.cancel()
        self._addresses.close()

    def set_idle_seconds(self, seconds: float) -> None:
        """Set how long an instance without requests is kept."""
        self._idle_seconds = seconds

    def instances(self) -> dict[str, int]:
        """The number of running containers by revision."""
        every = (each for stored in list(self._services.values()) for each in list(stored.revisions.values()))
        return {each.name: len(each.instances.running) for each in every}

    def _stop_idle(self) -> None:
        while not self._has_ended.wait(_REAP_SECONDS):
            for stored in list(self._services.values()):
                for each in list(stored.revisions.values()):
                    if each.is_ready and not stored.is_going:
                        each.instances.stop_idle(self._idle_seconds)

    @property
    def methods(self) -> Methods:
        def of(name: str, verb: str, request: type, answer: Callable[..., object]) -> tuple[str, Method[Any]]:
            return f"{SERVICES}/{name}", Method(RUN, f"run.services.{verb}", request, answer)

        revisions: dict[str, Method[Any]] = {
            f"{REVISION_SERVICE}/GetRevision": Method(
                RUN, "run.revisions.get", run.GetRevisionRequest, self._get_revision
            ),
            f"{REVISION_SERVICE}/ListRevisions": Method(
                RUN, "run.revisions.list", run.ListRevisionsRequest, self._list_revisions
            ),
            f"{REVISION_SERVICE}/DeleteRevision": Method(
                RUN, "run.revisions.delete", run.DeleteRevisionRequest, self._delete_revision
            ),
        }
        services = (
            of("CreateService", "create", run.CreateServiceRequest, self._create),
            of("GetService", "get", run.GetServiceRequest, self._get),
            of("ListServices", "list", run.ListServicesRequest, self._list),
            of("UpdateService", "update", run.UpdateServiceRequest, self._update),
            of("DeleteService", "delete", run.DeleteServiceRequest, self._delete),
            of("GetIamPolicy", "getIamPolicy", iam_policy_pb2.GetIamPolicyRequest, self._policy),
            of("SetIamPolicy", "setIamPolicy", iam_policy_pb2.SetIamPolicyRequest, self._set_policy),
        )
        test = Method("", "run.services.testIamPermissions", iam_policy_pb2.TestIamPermissionsRequest, self._test)
        every: dict[str, Method[Any]] = dict(services)
        return {**every, **revisions, f"{SERVICES}/TestIamPermissions": test}

    def _create(self, request: run.CreateServiceRequest) -> operations_pb2.Operation:
        location = self._parse(request.parent, "run.services.create")
        if not location.is_region:
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Location {location.location} is not found or access is unauthorized."
            )
        name = f"projects/{self._context.project.id}/locations/{location.location}/services/{request.service_id}"
        service = run.Service({each: getattr(request.service, each) for each in SPEC if each in request.service})
        self._check(request.service_id, service)
        if name in self._services:
            what = f"Resource '{request.service_id}' already exists."
            raise ApiError(Code.ALREADY_EXISTS, what)
        service.name, service.creator, service.create_time = name, self._context.project.account, now()
        stored = StoredService(service, self._addresses)
        if request.validate_only:
            return self._begin(stored, lambda: service, 0)
        self._services[name] = stored
        stored.open(self._context.project.number)
        self._conditions.add(name)
        return self._apply(stored, service)

    def _update(self, request: run.UpdateServiceRequest) -> operations_pb2.Operation:
        name = self._full_name(request.service.name, "run.services.update")
        if name not in self._services and request.allow_missing:
            self._iam.require("run.services.create")
            parent, _, service_id = name.partition("/services/")
            create = run.CreateServiceRequest(parent=parent, service=request.service, service_id=service_id)
            create.validate_only = request.validate_only
            return self._create(create)
        stored = self._find(request.service.name, "run.services.update")
        self._require_etag(stored.service.name, request.service.etag, stored.service.etag)
        service = _merge(stored.service, request.service, list(request.update_mask.paths))
        self._check(stored.id, service)
        if request.validate_only:
            return self._begin(stored, lambda: service, 0)
        return self._apply(stored, service)

    def _check(self, service_id: str, service: run.Service) -> None:
        """Raise ApiError for a service that is refused. Sets what the caller left open."""
        check_service(service_id, service, self._context.registry, self.quotas)
        set_defaults(service, self._context.project)
        account = service.template.service_account
        if not self._accounts.is_known(account) or not self._iam.allows("iam.serviceAccounts.actAs"):
            raise act_as_denied(account)
        self._iam.require(DOWNLOAD)  # https://cloud.google.com/artifact-registry/docs/integrate-cloud-run

    def _apply(self, stored: StoredService, service: run.Service) -> operations_pb2.Operation:
        """Begin the change of a service to a valid specification."""
        with stored.lock:
            name = self._new_revision(stored, service)
            service.generation += 1
            service.etag, service.update_time = f'"{now().ToNanoseconds():x}"', now()
            service.uid = service.uid or "".join(random.choices("0123456789abcdef", k=32))  # noqa: S311
            service.last_modifier = self._context.project.account
            revision = None
            if name:
                full = f"{service.name}/revisions/{name}"
                service.latest_created_revision = full
                revision = StoredRevision.of(self._context, make_revision(service, full))
                stored.revisions[name], stored.template = revision, _unnamed(service.template)
            stored.service = service
            stored.set_reconciling()
            self._retire(stored)
            generation = service.generation
        return self._begin(stored, lambda: roll_out(stored, generation, revision), _PHASES)

    def _new_revision(self, stored: StoredService, service: run.Service) -> str:
        """The name of the revision that a changed template makes; empty if it is unchanged. Raises ApiError."""
        wanted, is_same = service.template.revision, _unnamed(service.template) == stored.template
        if wanted in stored.revisions:
            newest = stored.service.latest_created_revision.rpartition("/")[2]
            if wanted != newest or not is_same:
                raise name_taken(wanted)
            return ""
        if not wanted and is_same:
            return ""
        stored.number += 1
        suffix = "".join(random.choices(string.ascii_lowercase + string.digits, k=3))  # noqa: S311
        return wanted or f"{stored.id}-{stored.number:05}-{suffix}"

    def _retire(self, stored: StoredService) -> None:
        """Delete the oldest unused revisions above the limit. https://cloud.google.com/run/quotas"""
        surplus = len(stored.revisions) - int(self.quotas[REVISIONS])
        for each in list(stored.unused())[: max(0, surplus)]:
            self._remove_revision(stored, each)

    def _get(self, request: run.GetServiceRequest) -> run.Service:
        stored = self._find(request.name, "run.services.get")
        if self._conditions.is_missing(stored.service.name):
            raise ApiError(Code.NOT_FOUND, f"Resource '{stored.id}' of kind 'SERVICE' in region does not exist.")
        with stored.lock:
            return run.Service(stored.service)

    def _list(self, request: run.ListServicesRequest) -> run.ListServicesResponse:
        location = self._parse(request.parent, "run.services.list")
        services = [
            run.Service(each.service)
            for name, each in sorted(self._services.items())
            if location.location in ("-", name.split("/")[3])
        ]
        page, token = _paginate(services, request.page_size, request.page_token)
        return run.ListServicesResponse(services=page, next_page_token=token)

    def _delete(self, request: run.DeleteServiceRequest) -> operations_pb2.Operation:
        stored = self._find(request.name, "run.services.delete")
        self._require_etag(stored.service.name, request.etag, stored.service.etag)

        def remove() -> run.Service:
            stored.close()
            self._services.pop(stored.service.name, None)
            return stored.service

        if request.validate_only:
            return self._begin(stored, lambda: stored.service, 0)
        stored.service.delete_time, stored.service.reconciling = now(), True
        return self._begin(stored, remove, 1)

    def _get_revision(self, request: run.GetRevisionRequest) -> run.Revision:
        stored, revision = self._find_revision(request.name, "run.revisions.get")
        with stored.lock:
            return run.Revision(revision.revision)

    def _list_revisions(self, request: run.ListRevisionsRequest) -> run.ListRevisionsResponse:
        parent, _, service_id = request.parent.partition("/services/")
        location = self._parse(parent, "run.revisions.list")
        if service_id != "-":
            self._find(request.parent, "run.revisions.list")
        revisions = [
            run.Revision(each.revision)
            for name, stored in sorted(self._services.items())
            if service_id in ("-", stored.id) and location.location == name.split("/")[3]
            for each in reversed(list(stored.revisions.values()))
        ]
        page, token = _paginate(revisions, request.page_size, request.page_token)
        return run.ListRevisionsResponse(revisions=page, next_page_token=token)

    def _delete_revision(self, request: run.DeleteRevisionRequest) -> operations_pb2.Operation:
        """What is refused: https://cloud.google.com/run/docs/managing/revisions; the words are assumed."""
        stored, revision = self._find_revision(request.name, "run.revisions.delete")
        self._require_etag(revision.revision.name, request.etag, revision.revision.etag)
        if revision not in list(stored.unused()):
            what = (
                f"Revision '{revision.name}' cannot be deleted because it can receive traffic or is the latest created "
                "revision of its service."
            )
            raise ApiError(Code.FAILED_PRECONDITION, what)

        def remove() -> run.Revision:
            self._remove_revision(stored, revision)
            return revision.revision

        return self._begin(stored, (lambda: revision.revision) if request.validate_only else remove, 1)

    def _remove_revision(self, stored: StoredService, revision: StoredRevision) -> None:
        stored.revisions.pop(revision.name, None)
        revision.instances.close()

    def _policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        return self._find(request.resource, "run.services.getIamPolicy").policy.policy

    def _set_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        stored = self._find(request.resource, "run.services.setIamPolicy")
        return self._policies.write(stored.policy, request.policy)

    def _test(self, request: iam_policy_pb2.TestIamPermissionsRequest) -> iam_policy_pb2.TestIamPermissionsResponse:
        self._find(request.resource, "run.services.get")
        granted = [each for each in request.permissions if self._iam.has(each)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=granted)

    def _begin(
        self, stored: StoredService, finish: Callable[[], run.Service | run.Revision], phases: float
    ) -> operations_pb2.Operation:
        parent = f"{stored.service.name.partition('/services/')[0]}/operations"
        return self._operations.begin(
            parent, phases, finish, metadata=stored.service, check=lambda: self._iam.require(OPERATIONS)
        )

    def _require_etag(self, name: str, given: str, current: str) -> None:
        if given not in ("", current):
            raise conflict(name.rpartition("/")[2], given, current)

    def _find_revision(self, name: str, permission: str) -> tuple[StoredService, StoredRevision]:
        service, _, revision = name.partition("/revisions/")
        stored = self._find(service, permission)
        if revision not in stored.revisions:
            raise ApiError(Code.NOT_FOUND, f"Resource '{revision}' of kind 'REVISION' does not exist.")
        return stored, stored.revisions[revision]

    def _find(self, name: str, permission: str) -> StoredService:
        full = self._full_name(name, permission)
        if full not in self._services:
            what = f"Resource '{full.rpartition('/')[2]}' of kind 'SERVICE' in region does not exist."
            raise ApiError(Code.NOT_FOUND, what)
        return self._services[full]

    def _full_name(self, name: str, permission: str) -> str:
        location = self._parse(name, permission)
        return f"projects/{self._context.project.id}/locations/{location.location}/{location.rest}"

    def _parse(self, name: str, permission: str) -> ProjectLocation:
        location = ProjectLocation.of(name)
        if not self._context.project.is_called(location.project):
            raise permission_denied(permission, name)
        return location

    def _find_route(self, host: str) -> RequestRoute | None:
        """Where the requests to a Host header go: an address, or a name of Cloud Run."""
        for stored in list(self._services.values()):
            for tag, address in list(stored.hosts.items()):
                prefix = f"{tag}---" if tag else ""
                name = f"{prefix}{stored.id}-{self._context.project.number}.{DOMAIN}"
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


def _merge(current: run.Service, wanted: run.Service, paths: Sequence[str]) -> run.Service:
    """Take over the fields of a mask; without one, all that a caller sets. Raises ApiError for other fields."""
    merged = run.Service(current)
    unknown = [path for path in paths if path.partition(".")[0] not in SPEC]
    if unknown:
        raise ApiError(Code.INVALID_ARGUMENT, f"update_mask: invalid or immutable field: {', '.join(unknown)}")
    source, target = run.Service.pb(wanted), run.Service.pb(merged)
    for name in () if paths else SPEC:
        target.ClearField(name)
    mask = FieldMask(paths=paths or sorted(SPEC))
    try:
        for path in paths:
            if "." not in path:
                target.ClearField(path)
        mask.MergeMessage(source, target, True, True)
    except ValueError as error:
        raise ApiError(Code.INVALID_ARGUMENT, f"update_mask: {error}") from error
    return merged


def _unnamed(template: run.RevisionTemplate) -> run.RevisionTemplate:
    copied = run.RevisionTemplate(template)
    copied.revision = ""
    return copied


def _paginate(items: Sequence[MessageT], size: int, token: str) -> tuple[list[MessageT], str]:
    """A page, and the token of the next one."""
    begin, length = int(token) if token.isdecimal() else 0, size if 0 < size <= _PAGE else _PAGE
    end = begin + length
    return list(items[begin:end]), str(end) if end < len(items) else ""
