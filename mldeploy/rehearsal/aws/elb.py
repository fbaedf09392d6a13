"""Load balancers: each is a proxy on its own address, which forwards requests to healthy tasks.

Standard: Elastic Load Balancing, "Target groups for your Application Load Balancers".
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import requests
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.elbv2 import urls
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    ELBClientError,
    InvalidConfigurationRequest,
    InvalidLoadBalancerActionException,
    ValidationError,
)
from moto.elbv2.models import (
    AvailabilityZone,
    ELBv2Backend,
    FakeAction,
    FakeHealthStatus,
    FakeListener,
    FakeLoadBalancer,
    FakeTargetGroup,
    elbv2_backends,
)
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from mldeploy.rehearsal.aws import acm
from mldeploy.rehearsal.aws.ec2 import allows_port
from mldeploy.rehearsal.aws.ecs.starter import TaskContext
from mldeploy.rehearsal.aws.elb_rules import choose_group, find_actions, find_redirect
from mldeploy.rehearsal.gateway.proxy import Upstream, forward_request
from mldeploy.rehearsal.gateway.serving import (
    Authority,
    PublicHostCheck,
    break_connection,
    create_server,
    serve,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

INITIAL, HEALTHY, UNHEALTHY, DRAINING = "initial", "healthy", "unhealthy", "draining"
MAXIMUM_WEIGHT = 999
NO_GROUP_STICKINESS = (
    "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups"
)
"""The words are from reports of users; the code InvalidLoadBalancerAction is assumed."""
NOWHERE = "192.0.2.1"
"""An address for documentation (RFC 5737)."""
_TICK = 0.1


@dataclass(eq=False)
class BalancedTask:
    """A target: a task in a target group. address: HOST:PORT. busy: number of requests in progress."""

    group: FakeTargetGroup
    private_ip: str
    address: str
    pace: float
    state: str = INITIAL
    busy: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def watch(self) -> None:
        """Start health checks. They end when it drains."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        good = bad = 0
        while self.state != DRAINING:
            good, bad = (good + 1, 0) if self._answers() else (0, bad + 1)
            with self._changed:
                if self.state != DRAINING and good >= int(self.group.healthy_threshold_count):
                    self.state = HEALTHY
                elif self.state != DRAINING and bad >= int(self.group.unhealthy_threshold_count):
                    self.state = UNHEALTHY
            time.sleep(max(_TICK, self.pace * int(self.group.health_check_interval_seconds)))

    def _answers(self) -> bool:
        url = f"http://{self.address}{self.group.health_check_path}"
        try:
            answer = requests.get(url, timeout=int(self.group.health_check_timeout_seconds), allow_redirects=False)
        except requests.RequestException:
            return False
        return 200 <= answer.status_code < 300

    @contextmanager
    def serving(self) -> Iterator[bool]:
        """Reserve it for one request during the block. Yields False if it takes no more requests."""
        with self._changed:
            takes = self.state == HEALTHY
            self.busy += takes
        try:
            yield takes
        finally:
            with self._changed:
                self.busy -= takes
                self._changed.notify_all()

    def drain(self) -> None:
        """Take no more requests. Waits until all are answered, at most the deregistration delay."""
        with self._changed:
            self.state = DRAINING
            delay = float(str(self.group.attributes["deregistration_delay.timeout_seconds"]))
            self._changed.wait_for(lambda: self.busy == 0, delay)


class ListenerApplication:
    """The WSGI application of a listener."""

    def __init__(self, backend: RehearsedELB, balancer: FakeLoadBalancer, listener: FakeListener) -> None:
        self._backend = backend
        self._balancer = balancer
        self._listener = listener
        self._turn = itertools.count()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        groups = ec2_backends[ACCOUNT][self._backend.region_name]
        attached = (groups.get_security_group_from_id(identity) for identity in self._balancer.security_groups)
        if not any(group is not None and allows_port(group, int(self._listener.port)) for group in attached):
            raise break_connection(environ["werkzeug.socket"])
        return self._answer(Request(environ))(environ, start)

    def _answer(self, request: Request) -> Response:
        actions = find_actions(self._listener, request)
        if location := find_redirect(actions, request):
            return Response(status=301, headers={"Location": location})
        group = choose_group(actions)
        body, first = request.get_data(), next(self._turn)
        tried: list[BalancedTask] = []
        while (targets := self._backend.list_targets(group)) != tried:  # a task may just have taken another one's place
            for number in range(len(targets)):
                target = targets[(first + number) % len(targets)]
                with target.serving() as takes:
                    if takes:
                        return self._send(request, body, target)
            tried = targets
        return Response("503 Service Temporarily Unavailable\n", 503)

    def _send(self, request: Request, body: bytes, target: BalancedTask) -> Response:
        try:
            answer = forward_request(request, Upstream(f"http://{target.address}"), body)
            answer.direct_passthrough = False
            answer.make_sequence()  # the target is busy until the response is complete
        except requests.RequestException:
            return Response("502 Bad Gateway\n", 502)
        return answer


class UnsupportedCertificateError(ELBClientError):
    """A certificate that is not issued. https://github.com/hashicorp/terraform-provider-aws/issues/26245"""

    code = "UnsupportedCertificate"

    def __init__(self, arn: str) -> None:
        what = "must have a fully-qualified domain name, a supported signature, and a supported key size."
        super().__init__(f"The certificate '{arn}' {what}")


def _accept_names(names: Callable[[], Collection[str]]) -> type[PublicHostCheck]:
    class NamedHostCheck(PublicHostCheck):
        """Accepts requests to the address, and to the names that the load balancer has certificates for."""

        def _is_ours(self, authority: str) -> bool:
            return super()._is_ours(authority) or authority.partition(":")[0] in names()

    return NamedHostCheck


class RehearsedELB(ELBv2Backend):
    """moto's backend, with working listeners and health checks."""

    context: ClassVar[TaskContext]
    authority: ClassVar[Authority]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._servers: dict[str, BaseWSGIServer] = {}
        self._targets: dict[tuple[str, str], BalancedTask] = {}

    @property
    def _url_module(self) -> SimpleNamespace:
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=urls.url_paths)

    def create_load_balancer(self, name: str, *args: Any, **others: Any) -> FakeLoadBalancer:
        if any(balancer.name == name for balancer in self.load_balancers.values()):
            raise DuplicateLoadBalancerName
        self._check_zones(others.get("subnet_ids") or ())
        made = super().create_load_balancer(name, *args, **others)
        made.dns_name = self.context.addresses.take()
        return made

    def set_subnets(
        self, arn: str, subnets: list[str], subnet_mappings: list[dict[str, Any]]
    ) -> list[AvailabilityZone]:
        self._check_zones(subnets or ())
        return super().set_subnets(arn, subnets, subnet_mappings)

    def _check_zones(self, subnets: Iterable[str]) -> None:
        """Raise InvalidConfigurationRequest for two subnets in one zone.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
        """
        zones = [self.ec2_backend.get_subnet(each).availability_zone for each in subnets]
        if len(zones) != len(set(zones)):
            raise InvalidConfigurationRequest(
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
            )

    def _validate_actions(self, actions: list[FakeAction]) -> None:
        super()._validate_actions(actions)
        for action in actions:
            self._check_weights(action.data.get("ForwardConfig") or {})

    def _check_weights(self, config: Mapping[str, Any]) -> None:
        """Raise an error for a division among target groups that the API refuses.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupTuple.html
        """
        groups = config.get("TargetGroups") or []
        if any(not 0 <= int(each.get("Weight", 1)) <= MAXIMUM_WEIGHT for each in groups):
            raise ValidationError(f"Weight must be between 0 and {MAXIMUM_WEIGHT}")  # assumed: the words
        known = [self.target_groups[each["TargetGroupArn"]] for each in groups]
        keeps_visitors = any(each.attributes.get("stickiness.enabled") == "true" for each in known)
        together = str((config.get("TargetGroupStickinessConfig") or {}).get("Enabled", "false")).lower() == "true"
        if len(groups) > 1 and keeps_visitors and not together:
            raise InvalidLoadBalancerActionException(NO_GROUP_STICKINESS)

    def is_attached(self, target_group: str) -> bool:
        """Whether a listener or a rule sends something to a target group."""
        return self._any_listener_using(target_group)

    def create_listener(
        self, load_balancer_arn: str, protocol: str, port: str, *args: Any, **others: Any
    ) -> FakeListener:
        known = self.load_balancers.get(load_balancer_arn)
        if known and any(str(each.port) == str(port) for each in known.listeners.values()):
            raise DuplicateListenerError  # moto compares the port with ARNs
        made = super().create_listener(load_balancer_arn, protocol, port, *args, **others)
        try:
            self._listen(made)
        except UnsupportedCertificateError:
            super().delete_listener(made.arn)
            raise
        return made

    def modify_listener(
        self,
        arn: str,
        port: str | None = None,
        protocol: str | None = None,
        ssl_policy: str | None = None,
        certificates: list[dict[str, Any]] | None = None,
        actions: list[dict[str, Any]] | None = None,
    ) -> FakeListener:
        self._validate_actions([FakeAction(each) for each in actions or ()])
        before = self.describe_listeners(None, [arn])[0]
        served = (before.protocol, before.certificate)
        changed = super().modify_listener(arn, port, protocol, ssl_policy, certificates or [], actions or [])
        if (changed.protocol, changed.certificate) != served:
            self._close(arn)
            self._listen(changed)
        return changed

    def _listen(self, listener: FakeListener) -> None:
        """Answer on the listener's port, with its certificate. Raises UnsupportedCertificateError."""
        balancer = self.load_balancers[listener.load_balancer_arn]
        application = ListenerApplication(self, balancer, listener)
        tls = None
        if listener.protocol == "HTTPS":
            names = acm.find_names(self.region_name, str(listener.certificate))
            if not names:
                raise UnsupportedCertificateError(str(listener.certificate))
            tls = self.authority.context(balancer.dns_name, *names)
        check = _accept_names(lambda: self._list_names(balancer))
        server = create_server(balancer.dns_name, int(listener.port), application, tls, check=check)
        serve(server)
        self._servers[listener.arn] = server

    def _list_names(self, balancer: FakeLoadBalancer) -> Collection[str]:
        """The names for which a listener of the load balancer has a certificate."""
        secure = [str(each.certificate) for each in list(balancer.listeners.values()) if each.protocol == "HTTPS"]
        return {name for arn in secure for name in acm.find_names(self.region_name, arn)}

    def delete_listener(self, listener_arn: str) -> FakeListener:
        self._close(listener_arn)
        return super().delete_listener(listener_arn)

    def delete_load_balancer(self, arn: str) -> None:
        if balancer := self.load_balancers.get(arn):
            for listener in list(balancer.listeners):
                self._close(listener)
            self.context.addresses.give_back(balancer.dns_name)
        super().delete_load_balancer(arn)

    def clear(self) -> None:
        """Stop all listeners and health checks, and give the addresses back."""
        for listener in list(self._servers):
            self._close(listener)
        for balancer in self.load_balancers.values():
            self.context.addresses.give_back(balancer.dns_name)
        for target in list(self._targets.values()):
            target.state = DRAINING

    def _close(self, listener: str) -> None:
        if server := self._servers.pop(listener, None):
            server.shutdown()
            server.server_close()

    def list_targets(self, group: str) -> list[BalancedTask]:
        """List the targets of a target group, healthy or not."""
        return [target for (each, _), target in list(self._targets.items()) if each == group]

    def register_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Register tasks by their private address, as whoever calls RegisterTargets does."""
        group = self.target_groups.get(target_group_arn)
        for each in instances if group else ():
            if (target_group_arn, each["Id"]) not in self._targets:
                self.add(target_group_arn, each["Id"], self._find_container(each["Id"]), int(each["Port"]))
        super().register_targets(target_group_arn, instances)

    def _find_container(self, private_ip: str) -> str:
        """Return the address of the task's container; one at which nothing answers if no task has the address."""
        for tasks in list(ecs_backends[ACCOUNT][self.region_name].tasks.values()):
            for task in list(tasks.values()):
                if getattr(task, "private_ip", "") == private_ip and (found := getattr(task, "container_address", "")):
                    return str(found)
        return NOWHERE

    def deregister_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """Return at once: the targets drain meanwhile."""
        for each in instances:
            if target := self._targets.get((target_group_arn, each["Id"])):
                threading.Thread(target=self.remove, args=(target,), daemon=True).start()
        if target_group_arn not in self.target_groups:
            super().deregister_targets(target_group_arn, instances)

    def add(self, group: str, private_ip: str, address: str, port: int) -> BalancedTask:
        """Register a task, and start its health checks. address: its container's IP address."""
        known = self.target_groups[group]
        known.register([{"Id": private_ip, "Port": port}])
        target = BalancedTask(known, private_ip, f"{address}:{port}", self.context.pace)
        self._targets[group, private_ip] = target
        target.watch()
        return target

    def remove(self, target: BalancedTask) -> None:
        """Deregister a target. Waits until it has drained."""
        target.drain()
        self._targets.pop((target.group.arn, target.private_ip), None)
        if target.private_ip in target.group.targets:
            target.group.deregister([{"Id": target.private_ip}])

    def describe_target_health(self, target_group_arn: str, targets: list[dict[str, Any]]) -> list[FakeHealthStatus]:
        statuses = super().describe_target_health(target_group_arn, targets)
        for status in statuses:
            if target := self._targets.get((target_group_arn, status.instance_id)):
                status.status = target.state
                if not self._any_listener_using(target_group_arn):
                    status.status, status.reason = "unused", "Target.NotInUse"
        return statuses


def get_backend(region: str) -> RehearsedELB:
    """Return the backend of a region."""
    backend = elbv2_backends[ACCOUNT][region]
    assert isinstance(backend, RehearsedELB)  # noqa: S101 - `install` sees to it
    return backend


def clear() -> None:
    """Stop all listeners and health checks in all accounts."""
    for regions in list(elbv2_backends.values()):
        for backend in list(regions.values()):
            if isinstance(backend, RehearsedELB):
                backend.clear()


def install(context: TaskContext, authority: Authority) -> None:
    """Install this backend in moto, for this process."""
    RehearsedELB.context, RehearsedELB.authority = context, authority
    elbv2_backends.backend = RehearsedELB
