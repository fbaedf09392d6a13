"""Query parameters and delete options of requests, validated as the API server does.

https://kubernetes.io/docs/reference/kubernetes-api/common-parameters/common-parameters/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mldeploy.rehearsal.kubernetes.objects.deletion import DeleteOptions
from mldeploy.rehearsal.kubernetes.objects.errors import (
    StatusCause,
    StatusError,
    bad_request,
    invalid_options,
    invalid_value,
    required_value,
    unsupported_value,
)
from mldeploy.rehearsal.kubernetes.objects.names import ObjectFilter, parse_field_selector, parse_label_selector
from mldeploy.rehearsal.kubernetes.objects.type_rules import forbidden_value
from mldeploy.rehearsal.kubernetes.objects.types import Object
from mldeploy.rehearsal.kubernetes.objects.writer import WriteOptions

if TYPE_CHECKING:
    from mldeploy.rehearsal.kubernetes.api.request import KubernetesRequest

_MANAGER_LIMIT = 128
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_POLICIES = ("Foreground", "Background", "Orphan", "nil")
_KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


def write_options(request: KubernetesRequest, user_agent: str, *, applies: bool) -> WriteOptions:
    """Parse the parameters of a write. applies: it is a server-side apply. Raises StatusError (422)."""
    manager = request.parameter("fieldManager")
    causes = list(_write_causes(request, manager, applies=applies))
    if causes:
        raise invalid_options(_KINDS.get(request.verb, "UpdateOptions"), causes)
    if not manager and not applies:
        manager = user_agent.partition("/")[0] or "unknown"
    strict = request.parameter("fieldValidation") == "Strict"
    return WriteOptions(manager, request.parameter("dryRun") == "All", strict, request.flag("force"))


def _write_causes(request: KubernetesRequest, manager: str, *, applies: bool) -> Iterator[StatusCause]:
    if applies and not manager:
        yield required_value("fieldManager", "is required for apply patch")
    if len(manager.encode()) > _MANAGER_LIMIT:
        yield StatusCause("fieldManager", "FieldValueTooLong", f"Too long: may not be more than {_MANAGER_LIMIT} bytes")
    for number, each in enumerate(manager):
        if not each.isprintable():
            why = f"invalid character U+{ord(each):04X} (at position {number})"
            yield invalid_value("fieldManager", manager, why)
    if request.verb == "patch" and not applies and "force" in request.query:
        yield forbidden_value("force", "may not be specified for non-apply patch")
    validation = request.parameter("fieldValidation")
    if validation not in _VALIDATIONS:
        yield unsupported_value("fieldValidation", validation, _VALIDATIONS)
    yield from _dry_run_causes(request.query.get("dryRun", ()))


def _dry_run_causes(values: Sequence[str]) -> Iterator[StatusCause]:
    for each in values:
        if each not in ("", "All"):
            text = f'Unsupported value: ["{each}"]: supported values: "All"'
            yield StatusCause("dryRun", "FieldValueNotSupported", text)


def delete_options(request: KubernetesRequest, body: Object) -> DeleteOptions:
    """Parse the options of a deletion, from its body and its parameters. Raises StatusError."""
    kind, version = body.get("kind", "DeleteOptions"), body.get("apiVersion", "v1")
    if kind != "DeleteOptions":
        scheme = "pkg/apis/meta/internalversion/scheme/register.go:27"
        raise bad_request(f'no kind "{kind}" is registered for version "{version}" in scheme "{scheme}"')
    options = dict(body)
    if policy := request.parameter("propagationPolicy"):
        options.setdefault("propagationPolicy", policy)
    if request.parameter("gracePeriodSeconds"):
        options.setdefault("gracePeriodSeconds", integer(request, "gracePeriodSeconds"))
    causes = [*_policy_causes(options), *_dry_run_causes(request.query.get("dryRun", ()))]
    if causes:
        raise invalid_options("DeleteOptions", causes)
    return DeleteOptions.read(options)


def _policy_causes(options: Object) -> Iterator[StatusCause]:
    policy = options.get("propagationPolicy")
    if policy and options.get("orphanDependents") is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        yield invalid_value("propagationPolicy", policy, why)
    elif policy and policy not in _POLICIES[:3]:
        yield unsupported_value("propagationPolicy", policy, _POLICIES)


def integer(request: KubernetesRequest, name: str) -> int:
    """Parse an integer parameter, 0 if it is not given. Raises StatusError (400)."""
    text = request.parameter(name)
    try:
        return int(text or 0)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def resource_version(request: KubernetesRequest, current: int) -> int:
    """Parse `resourceVersion` of a read, 0 if it is not given. Raises StatusError if it is wrong, or in the future."""
    text = request.parameter("resourceVersion")
    if request.parameter("resourceVersionMatch") and not text and not request.flag("sendInitialEvents"):
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", [forbidden_value("resourceVersionMatch", why)])
    if text and not text.isdecimal():
        problem = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if request.verb == "watch":
            raise StatusError(500, "", problem)
        raise bad_request(f"invalid resource version: {problem}")
    version = int(text or 0)
    if version > current and request.verb != "watch":
        message = f"Too large resource version: {version}, current: {current}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        details = {"causes": [cause], "retryAfterSeconds": 1}
        raise StatusError(504, "Timeout", f"Timeout: {message}", details)
    return version


def object_filter(request: KubernetesRequest) -> ObjectFilter:
    """Return the filter of the request's selectors. Raises StatusError (400)."""
    fields = parse_field_selector(request.parameter("fieldSelector"), request.resource)
    labels = parse_label_selector(request.parameter("labelSelector"))
    return lambda document: labels(document) and fields(document)
