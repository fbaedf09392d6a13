"""The objects in the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from moto.acm.models import acm_backends
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.ec2.models import ec2_backends
from moto.ecr.models import ecr_backends
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends

from mldeploy.rehearsal.aws import route53
from mldeploy.rehearsal.gateway.proxy import StandInObject

T = TypeVar("T")


def list_objects(region: str) -> Iterator[StandInObject]:
    """List all objects except those that every new account has."""
    yield from _ecr(region)
    yield from _ecs(region)
    yield from _ec2(region)
    yield from _elbv2(region)
    for role in iam_backends[ACCOUNT]["aws"].roles.values():
        if not role.path.startswith("/aws-service-role/"):
            yield StandInObject("iam:role", role.name, _tags(role.tags))
    for group in logs_backends[ACCOUNT][region].groups.values():
        yield StandInObject(
            "logs:log-group",
            group.name,
            dict(logs_backends[ACCOUNT][region].tagger.get_tag_dict_for_resource(group.arn)),
        )
    for secret in list(secretsmanager_backends[ACCOUNT][region].secrets.values()):
        yield StandInObject("secretsmanager:secret", secret.name, _tags(secret.tags))
    yield from _domains(region)
    for target in applicationautoscaling_backends[ACCOUNT][region].targets.values():
        yield from (StandInObject("application-autoscaling:target", each.resource_id) for each in target.values())


def _domains(region: str) -> Iterator[StandInObject]:
    for certificate in list(acm_backends[ACCOUNT][region]._certificates.values()):  # noqa: SLF001 - moto has no other list
        yield StandInObject(
            "acm:certificate",
            str(certificate.common_name),
            {key: value or "" for key, value in certificate.tags.items()},
        )
    for _, record in route53.list_records():
        yield StandInObject("route53:record", f"{record.type} {record.name}")


def _ecr(region: str) -> Iterator[StandInObject]:
    backend = ecr_backends[ACCOUNT][region]
    for repository in backend.repositories.values():
        yield StandInObject("ecr:repository", repository.name, backend.tagger.get_tag_dict_for_resource(repository.arn))
        for image in repository.images:
            yield StandInObject("ecr:image", f"{repository.name}@{image.get_image_digest()}")


def _ecs(region: str) -> Iterator[StandInObject]:
    backend = ecs_backends[ACCOUNT][region]
    definitions = chain.from_iterable(each.values() for each in backend.task_definitions.values())
    tasks = chain.from_iterable(each.values() for each in list(backend.tasks.values()))
    for cluster in _if(backend.clusters.values(), lambda each: each.status == "ACTIVE"):
        yield StandInObject("ecs:cluster", cluster.name, _tags(cluster.tags))
    for service in _if(backend.services.values(), lambda each: each.status != "INACTIVE"):
        yield StandInObject("ecs:service", service.name, _tags(service.tags))
    for definition in _if(definitions, lambda each: each.status == "ACTIVE"):
        yield StandInObject("ecs:task-definition", f"{definition.family}:{definition.revision}", _tags(definition.tags))
    for task in _if(tasks, lambda each: each.last_status != "STOPPED"):
        yield StandInObject("ecs:task", task.id, _tags(task.tags))


def _ec2(region: str) -> Iterator[StandInObject]:
    backend = ec2_backends[ACCOUNT][region]
    for groups in backend.groups.values():
        for group in groups.values():
            if group.name != "default":
                yield StandInObject("ec2:security-group", group.name, _tags(group.get_tags()))
    for interface in list(backend.enis.values()):
        yield StandInObject("ec2:network-interface", interface.id, _tags(interface.get_tags()))


def _elbv2(region: str) -> Iterator[StandInObject]:
    backend = elbv2_backends[ACCOUNT][region]
    tags = backend.tagging_service.get_tag_dict_for_resource
    for balancer in backend.load_balancers.values():
        yield StandInObject("elasticloadbalancing:loadbalancer", balancer.name, tags(balancer.arn))
        for arn, listener in balancer.listeners.items():
            yield StandInObject("elasticloadbalancing:listener", arn, tags(arn))
            rules = [rule for rule in listener.rules.values() if not rule.is_default]
            yield from (StandInObject("elasticloadbalancing:rule", rule.arn, tags(rule.arn)) for rule in rules)
    for group in backend.target_groups.values():
        yield StandInObject("elasticloadbalancing:targetgroup", group.name, tags(group.arn))


def _if(things: Iterable[T], condition: Callable[[T], bool]) -> list[T]:
    """Filter a collection that may change during iteration."""
    return [each for each in list(things) if condition(each)]


def _tags(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """Convert AWS's tag pairs to a dict. Their keys are capitalized in some services."""
    return {each.get("key", each.get("Key", "")): each.get("value", each.get("Value", "")) for each in tags or ()}
