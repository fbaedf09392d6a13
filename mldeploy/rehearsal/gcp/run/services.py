"""Services and revisions. https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2"""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Iterator
from typing import Any

from google.cloud import run_v2 as run
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2

from mldeploy.rehearsal.gateway.proxy import StandInObject
from mldeploy.rehearsal.gcp.artifacts.registry import DOWNLOAD
from mldeploy.rehearsal.gcp.conditions import ProjectConditions
from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.gke.operations import Failure
from mldeploy.rehearsal.gcp.iam import ProjectIam
from mldeploy.rehearsal.gcp.longrunning import LongRunning
from mldeploy.rehearsal.gcp.policies import PolicyWriter
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods
from mldeploy.rehearsal.gcp.run.changes import SPEC, merge_service, paginate, remove_name
from mldeploy.rehearsal.gcp.run.directory import ServiceDirectory, require_etag
from mldeploy.rehearsal.gcp.run.front_end import RunAddresses, RunFrontEnd
from mldeploy.rehearsal.gcp.run.invoker import InvokerCheck
from mldeploy.rehearsal.gcp.run.launcher import RunContext
from mldeploy.rehearsal.gcp.run.messages import RUN, act_as_denied, name_taken
from mldeploy.rehearsal.gcp.run.revisions import RevisionsApi, remove_revision
from mldeploy.rehearsal.gcp.run.rollout import roll_out
from mldeploy.rehearsal.gcp.run.router import RunRouter
from mldeploy.rehearsal.gcp.run.stored_service import StoredRevision, StoredService
from mldeploy.rehearsal.gcp.run.template import make_revision, now, set_defaults
from mldeploy.rehearsal.gcp.run.validation import NEW_PROJECT, REVISIONS, check_service, default_instances
from mldeploy.rehearsal.gcp.service_accounts import ServiceAccountsApi

SERVICES = "google.cloud.run.v2.Services"
CREATE, UPDATE, DELETE = KINDS = ("CREATE_SERVICE", "UPDATE_SERVICE", "DELETE_SERVICE")
"""Operations that can be told to fail."""
IDLE_SECONDS = 120.0
"""After the last request of an instance. Cloud Run keeps idle ones for up to 15 minutes."""
_PHASES = 2
_REAP_SECONDS = 1.0


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
        self._directory = ServiceDirectory(context.project, operations, iam)
        self._revisions = RevisionsApi(self._directory)
        self._conditions = conditions
        self._iam = iam
        self._policies = policies
        self._accounts = accounts
        invokers = InvokerCheck(context.project, context.tokens, iam)
        router = RunRouter(context.project.number, invokers, self._directory.list)
        self._addresses = RunAddresses(context.public, context.authority, RunFrontEnd(router.find, context.logs))

        self.quotas: dict[str, float] = dict(NEW_PROJECT)
        self._idle_seconds = IDLE_SECONDS
        self._failures: list[Failure] = []
        self._has_ended = threading.Event()
        threading.Thread(target=self._stop_idle, daemon=True).start()

    def contents(self) -> Iterator[StandInObject]:
        """List services and revisions."""
        for stored in self._directory.list():
            yield StandInObject("run:service", stored.id, dict(stored.service.labels))
            for each in list(stored.revisions.values()):
                yield StandInObject("run:revision", each.name, dict(each.revision.labels))

    def cancel(self) -> None:
        """End all containers, also those that are just starting. Waits for their end."""
        for stored in self._directory.list():
            stored.close(0)

    def reset(self) -> None:
        """Delete everything. No operation may be running."""
        self.cancel()
        self._directory.services.clear()
        self._failures.clear()
        self.quotas, self._idle_seconds = dict(NEW_PROJECT), IDLE_SECONDS

    def close(self) -> None:
        """Stop everything for good."""
        self._has_ended.set()
        self.cancel()
        self._addresses.close()

    def add_failure(self, failure: Failure) -> None:
        """Let the next operation of the failure's type fail: CREATE_SERVICE, UPDATE_SERVICE or DELETE_SERVICE."""
        self._failures.append(failure)

    def set_idle_seconds(self, seconds: float) -> None:
        """Set how long an instance without requests is kept."""
        self._idle_seconds = seconds

    def instances(self) -> dict[str, int]:
        """The number of running containers by revision."""
        every = (each for stored in self._directory.list() for each in list(stored.revisions.values()))
        return {each.name: len(each.instances.running) for each in every}

    def _stop_idle(self) -> None:
        while not self._has_ended.wait(_REAP_SECONDS):
            for stored in self._directory.list():
                for each in list(stored.revisions.values()):
                    if each.is_ready and not stored.is_going:
                        each.instances.stop_idle(self._idle_seconds)

    @property
    def methods(self) -> Methods:
        def of(name: str, verb: str, request: type, answer: Callable[..., object]) -> tuple[str, Method[Any]]:
            return f"{SERVICES}/{name}", Method(RUN, f"run.services.{verb}", request, answer)

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
        return {**every, **self._revisions.methods, f"{SERVICES}/TestIamPermissions": test}

    def _create(self, request: run.CreateServiceRequest) -> operations_pb2.Operation:
        location = self._directory.parse(request.parent, "run.services.create")
        if not location.is_region:
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Location {location.location} is not found or access is unauthorized."
            )
        name = f"projects/{self._context.project.id}/locations/{location.location}/services/{request.service_id}"
        service = run.Service({each: getattr(request.service, each) for each in SPEC if each in request.service})
        self._check(request.service_id, service)
        if name in self._directory.services:
            what = f"Resource '{request.service_id}' already exists."
            raise ApiError(Code.ALREADY_EXISTS, what)
        service.name, service.creator, service.create_time = name, self._context.project.account, now()
        stored = StoredService(service, self._addresses)
        if request.validate_only:
            return self._directory.begin(stored, lambda: service, 0)
        self._directory.services[name] = stored
        stored.open(self._context.project.number)
        self._conditions.add(name)
        return self._apply(stored, service, CREATE)

    def _update(self, request: run.UpdateServiceRequest) -> operations_pb2.Operation:
        name = self._directory.full_name(request.service.name, "run.services.update")
        if name not in self._directory.services and request.allow_missing:
            self._iam.require("run.services.create")
            parent, _, service_id = name.partition("/services/")
            create = run.CreateServiceRequest(parent=parent, service=request.service, service_id=service_id)
            create.validate_only = request.validate_only
            return self._create(create)
        stored = self._directory.find(request.service.name, "run.services.update")
        with stored.lock:  # an operation that ends now must not be overwritten
            require_etag(stored.service.name, request.service.etag, stored.service.etag)
            service = merge_service(stored.service, request.service, list(request.update_mask.paths))
            self._check(stored.id, service)
            if request.validate_only:
                return self._directory.begin(stored, lambda: service, 0)
            return self._apply(stored, service, UPDATE)

    def _check(self, service_id: str, service: run.Service) -> None:
        """Raise ApiError for a service that is refused. Sets what the caller left open."""
        check_service(service_id, service, self._context.registry, self.quotas)
        set_defaults(service, self._context.project, default_instances(service.template, self.quotas))
        account = service.template.service_account
        if not self._accounts.is_known(account) or not self._iam.allows("iam.serviceAccounts.actAs"):
            raise act_as_denied(account)
        self._iam.require(DOWNLOAD)  # https://cloud.google.com/artifact-registry/docs/integrate-cloud-run

    def _apply(self, stored: StoredService, service: run.Service, kind: str) -> operations_pb2.Operation:
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
                stored.revisions[name], stored.template = revision, remove_name(service.template)
            stored.service = service
            stored.set_reconciling()
            self._retire(stored)
            generation = service.generation
        failure = self._take_failure(kind)
        return self._directory.begin(stored, lambda: roll_out(stored, generation, revision, failure), _PHASES)

    def _take_failure(self, kind: str) -> ApiError | None:
        failure = next((each for each in self._failures if each.type == kind), None)
        if failure is None:
            return None
        self._failures.remove(failure)
        code = next(each for each in Code if each.value[0] == failure.code)
        return ApiError(code, failure.message)

    def _new_revision(self, stored: StoredService, service: run.Service) -> str:
        """The name of the revision that a changed template makes; empty if it is unchanged. Raises ApiError."""
        wanted, is_same = service.template.revision, remove_name(service.template) == stored.template
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
            remove_revision(stored, each)

    def _get(self, request: run.GetServiceRequest) -> run.Service:
        stored = self._directory.find(request.name, "run.services.get")
        if self._conditions.is_missing(stored.service.name):
            raise ApiError(Code.NOT_FOUND, f"Resource '{stored.id}' of kind 'SERVICE' in region does not exist.")
        with stored.lock:
            return run.Service(stored.service)

    def _list(self, request: run.ListServicesRequest) -> run.ListServicesResponse:
        location = self._directory.parse(request.parent, "run.services.list")
        services = [
            run.Service(each.service)
            for name, each in sorted(self._directory.services.items())
            if location.location in ("-", name.split("/")[3])
        ]
        page, token = paginate(services, request.page_size, request.page_token)
        return run.ListServicesResponse(services=page, next_page_token=token)

    def _delete(self, request: run.DeleteServiceRequest) -> operations_pb2.Operation:
        stored = self._directory.find(request.name, "run.services.delete")
        require_etag(stored.service.name, request.etag, stored.service.etag)

        failure = None if request.validate_only else self._take_failure(DELETE)

        def remove() -> run.Service:
            if failure is not None:
                stored.service.reconciling = False
                raise failure
            stored.close()
            self._directory.services.pop(stored.service.name, None)
            return stored.service

        if request.validate_only:
            return self._directory.begin(stored, lambda: stored.service, 0)
        stored.service.delete_time, stored.service.reconciling = now(), True
        return self._directory.begin(stored, remove, 1)

    def _policy(self, request: iam_policy_pb2.GetIamPolicyRequest) -> policy_pb2.Policy:
        return self._directory.find(request.resource, "run.services.getIamPolicy").policy.policy

    def _set_policy(self, request: iam_policy_pb2.SetIamPolicyRequest) -> policy_pb2.Policy:
        stored = self._directory.find(request.resource, "run.services.setIamPolicy")
        return self._policies.write(stored.policy, request.policy)

    def _test(self, request: iam_policy_pb2.TestIamPermissionsRequest) -> iam_policy_pb2.TestIamPermissionsResponse:
        self._directory.find(request.resource, "run.services.get")
        granted = [each for each in request.permissions if self._iam.has(each)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=granted)
