"""What Container Apps refuses of an app before anything changes.

Each message has its source beside it; "assumed" is the form of a refusal that is certain, in words that are not
published. `docs/first-account.md` lists the assumed ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mldeploy.rehearsal.azure.arm import resource_types
from mldeploy.rehearsal.azure.arm.resources import check_name
from mldeploy.rehearsal.azure.arm.routes import ArmRequest
from mldeploy.rehearsal.azure.arm.schema import ArmError, Json
from mldeploy.rehearsal.azure.arm.state import ArmResource, SubscriptionState
from mldeploy.rehearsal.azure.containerapps.template import read_resources

_NAME = r"(?=.{2,32}\Z)[a-z](?!.*--)[a-z0-9-]*[a-z0-9]"
_SUFFIX = r"[a-z0-9](?!.*--)([a-z0-9-]*[a-z0-9])?"
_REVISION_NAME_AT_MOST = 54
_FAILURES_AT_MOST = {"startup": 240, "readiness": 48, "liveness": 30}
_SMALLEST, _LARGEST = 0.25, 4.0
_REPLICAS_AT_MOST = 1000
"""Standard: Container Apps, "Set scaling rules", "Scale definition"."""


def check_app_name(name: str) -> None:
    """Source: an answer of the service, `ContainerAppInvalidName`, in the log of a deployment that failed."""
    rule = (
        "A name must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
        "with an alphanumeric character and cannot have '--'. The length must be between 2 and 32 characters inclusive."
    )
    check_name(name, _NAME, "ContainerAppInvalidName", f"Invalid ContainerApp name '{name}'. {rule}")


def check_app(request: ArmRequest, body: Json, known: Mapping[str, Any] | None) -> None:
    """Check the complete body of an app. known: the revisions' names. Raises ArmError, 400."""
    properties = body["properties"]
    configuration, template = properties.get("configuration") or {}, properties.get("template") or {}
    _check_template(request["app"], template)
    _check_total(template["containers"], _workload_profile(request.account, body))
    _check_secrets(body, configuration.get("secrets") or (), template)
    _check_registries(body, configuration)
    suffix = template.get("revisionSuffix")
    new = f"{request['app']}--{suffix}" if suffix else ""
    _check_ingress(configuration, {*(known or ()), *([new] if new else [])})


def _workload_profile(account: SubscriptionState, body: Json) -> str:
    """Return the type of the app's workload profile; empty: an environment without profiles. Raises ArmError."""
    environment, name = find_environment(account, body), body["properties"].get("workloadProfileName")
    profiles = {each["name"]: each["workloadProfileType"] for each in environment.properties["workloadProfiles"]}
    if name and name not in profiles:
        what = f"Workload profile name '{name}' is not found in the environment '{environment.name}'."
        raise ArmError(400, "WorkloadProfileNameNotFound", what)  # assumed
    return str(profiles.get(name or "Consumption", ""))


def find_environment(account: SubscriptionState, body: Json) -> ArmResource:
    """Return the environment of an app. Raises ArmError.

    Source of `ManagedEnvironmentNotProvisioned`: microsoft/azure-container-apps, issue 868. The other one is assumed.
    """
    properties = body["properties"]
    identity = str(properties.get("environmentId") or properties.get("managedEnvironmentId") or "")
    environment = account.find(identity)
    if environment is None or environment.kind is not resource_types.ENVIRONMENT:
        raise ArmError(404, "ManagedEnvironmentNotFound", f"The environment '{identity}' does not exist.")
    if environment.state != "Succeeded":
        what = f"The environment '{environment.id}' has not been provisioned successfully."
        raise ArmError(400, "ManagedEnvironmentNotProvisioned", what)
    if environment.body["location"] != body["location"].replace(" ", "").lower():
        what = f"The app must be in the location of its environment, '{environment.body['location']}'."
        raise ArmError(400, "ContainerAppLocationMismatch", what)  # assumed
    return environment


def _check_template(app: str, template: Json) -> None:
    containers: Sequence[Json] = template.get("containers") or ()
    if len(containers) != 1:
        what = "The rehearsal runs exactly one container in each replica."
        raise ArmError(400, "ContainerAppContainersRequired", what)  # ours: more than one is not simulated
    _check_probes(containers[0])
    suffix = template.get("revisionSuffix")
    if suffix and (not re.fullmatch(_SUFFIX, suffix) or len(f"{app}--{suffix}") > _REVISION_NAME_AT_MOST):
        raise ArmError(400, "ContainerAppInvalidRevisionSuffix", _suffix_rule(app, suffix))
    scale = template.get("scale") or {}
    least, most = scale.get("minReplicas") or 0, scale.get("maxReplicas")
    if not 0 <= least <= (10 if most is None else most) <= _REPLICAS_AT_MOST or most == 0:
        what = f"Replicas: 0 <= minReplicas ({least}) <= maxReplicas ({most}) <= {_REPLICAS_AT_MOST}, and not 0."
        raise ArmError(400, "ContainerAppInvalidReplicaCount", what)  # assumed
    for each in scale.get("rules") or ():
        if not str(((each.get("http") or {}).get("metadata") or {}).get("concurrentRequests", "")).isdigit():
            what = f"The scale rule '{each['name']}' needs the metadata 'concurrentRequests'."
            raise ArmError(400, "ContainerAppInvalidScaleRule", what)  # assumed


def _check_probes(container: Json) -> None:
    """Source: microsoft/azure-container-apps, issue 1100; terraform-provider-azurerm, pull request 31989."""
    for each in container.get("probes") or ():
        kind, most = str(each.get("type")), _FAILURES_AT_MOST.get(str(each.get("type")).lower(), 0)
        if not 1 <= (each.get("failureThreshold") or 1) <= most:
            what = f"Container '{container['name']}' '{kind}' probe's FailureThreshold must be in the range of"
            raise ArmError(400, "ContainerAppProbeFailureThresholdOutOfRange", f"{what} ['1', '{most}'].")


def _suffix_rule(app: str, suffix: str) -> str:
    """Source of the rule: Container Apps, "Update and deploy changes", revision name suffix; of the length: Azure CLI.

    The words are assumed.
    """
    rule = (
        "It must consist of lower case alphanumeric characters or '-', start and end with an alphanumeric character, "
        f"not have '--', and the revision name '{app}--{suffix}' must have at most {_REVISION_NAME_AT_MOST} characters."
    )
    return f"Invalid revision suffix '{suffix}'. {rule}"


def _check_total(containers: Sequence[Json], profile: str) -> None:
    """Source: `ContainerAppInvalidResourceTotal` in Azure/bicep, issues 10821 and 14569; Azure/bicep-types-az 2226."""
    for each in containers:
        memory = str((each.get("resources") or {}).get("memory") or "1Gi")
        if not re.fullmatch(r"\d+(\.\d{1,2})?Gi", memory):
            what = f"Container with name '{each['name']}' has an invalid memory resource request: '{memory}'."
            more = (
                "The 'memory' field for each container, if provided, must contain a decimal value to no more than 2 "
                "decimal places followed by 'Gi' to denote the unit (Gibibytes). Example: '1.25Gi' or '2Gi'."
            )
            raise ArmError(400, "ContainerAppInvalidResourceMemory", f"{what} {more}")  # code assumed
    if profile not in ("", "Consumption"):
        return  # a dedicated profile takes what its nodes have
    cores, memory_total = map(sum, zip(*(read_resources(each) for each in containers), strict=True))
    largest = _LARGEST if profile else _LARGEST / 2
    if not _SMALLEST <= cores <= largest or cores * 4 % 1 or memory_total != cores * 2:
        choices = "; ".join(f"[cpu: {n / 4:g}, memory: {n / 2:.1f}Gi]" for n in range(1, int(largest * 4) + 1))
        what = (
            f"The total requested CPU and memory resources for this application (CPU: {cores:g}, memory: "
            f"{memory_total:g}) is invalid. Total CPU and memory for all containers defined in a Container App must "
            f"add up to one of the following CPU - Memory combinations: {choices}"
        )
        raise ArmError(400, "ContainerAppInvalidResourceTotal", what)


def _check_secrets(body: Json, secrets: Sequence[Json], template: Json) -> None:
    """Source: pulumi/pulumi, issue 14101 (`ContainerAppSecretInvalid`).

    `ContainerAppSecretRefNotFound` and the text of an identity that is not assigned are assumed.
    """
    wrong = [each["name"] for each in secrets if not _is_complete(each)]
    if wrong:
        names = ", ".join(f"'{each}'" for each in wrong)
        what = "are invalid: value or keyVaultUrl and identity should be provided."
        text = f"Invalid Request: Container app secret(s) with name(s) {names} {what}"
        raise ArmError(400, "ContainerAppSecretInvalid", text)
    for each in secrets:
        if each.get("keyVaultUrl"):
            check_identity(body, each["identity"], f"secret '{each['name']}'")
    known = {each["name"] for each in secrets}
    for container in template["containers"]:
        for variable in container.get("env") or ():
            if variable.get("secretRef") and variable["secretRef"] not in known:
                what = f"SecretRef '{variable['secretRef']}' defined for container '{container['name']}' not found."
                raise ArmError(400, "ContainerAppSecretRefNotFound", what)


def _is_complete(secret: Json) -> bool:
    by_reference = bool(secret.get("keyVaultUrl")) and bool(secret.get("identity"))
    return bool(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", secret["name"])) and (
        bool(secret.get("value")) or by_reference
    )


def check_identity(body: Json, identity: str, what_for: str) -> None:
    """Check that an identity that an app uses is assigned to it. Raises ArmError, 400. The text is assumed."""
    assigned = (body.get("identity") or {}).get("userAssignedIdentities") or {}
    if identity.lower() not in [each.lower() for each in assigned]:
        what = f"The identity '{identity}' that {what_for} uses is not assigned to the container app."
        raise ArmError(400, "ContainerAppIdentityNotAssigned", what)


def _check_registries(body: Json, configuration: Json) -> None:
    known = {each["name"] for each in configuration.get("secrets") or ()}
    for each in configuration.get("registries") or ():
        if each.get("identity"):
            check_identity(body, each["identity"], f"registry '{each['server']}'")
        elif each.get("passwordSecretRef") not in known:
            what = f"The registry '{each['server']}' refers to the secret '{each.get('passwordSecretRef')}'."
            raise ArmError(400, "ContainerAppRegistrySecretNotFound", what)  # assumed


def _check_ingress(configuration: Json, revisions: set[str]) -> None:
    """Source of the rules: Container Apps, "Traffic splitting". The words are assumed."""
    ingress = configuration.get("ingress")
    if not ingress:
        return
    port = ingress.get("targetPort")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise ArmError(400, "ContainerAppInvalidTargetPort", f"The target port '{port}' is invalid: 1 to 65535.")
    single = str(configuration.get("activeRevisionsMode") or "Single").lower() == "single"
    traffic = ingress.get("traffic") or ()
    if single and any(each.get("revisionName") for each in traffic):
        what = "Traffic can be split between revisions in multiple revision mode only."
        raise ArmError(400, "ContainerAppInvalidTraffic", what)
    for text in _traffic_errors(traffic, revisions):
        raise ArmError(400, "ContainerAppInvalidTraffic", text)


def _traffic_errors(traffic: Sequence[Json], revisions: set[str]) -> Iterator[str]:
    total = sum(each.get("weight") or 0 for each in traffic)
    if traffic and (total != 100 or any((each.get("weight") or 0) < 0 for each in traffic)):
        yield f"The weights of the traffic must add up to 100, and are {total} together."
    for each in traffic:
        name = each.get("revisionName")
        if bool(name) == bool(each.get("latestRevision")):
            yield "Each part of the traffic names a revision, or the latest one."
        if name and name not in revisions:
            yield f"The revision '{name}' of the traffic does not exist."
    targets = [each.get("revisionName") or "" for each in traffic]
    labels = [each["label"] for each in traffic if each.get("label")]
    if len(targets) != len(set(targets)) or len(labels) != len(set(labels)):
        yield "A revision and a label may occur once in the traffic."
    for label in labels:
        if not re.fullmatch(_SUFFIX, label):
            yield f"The label '{label}' is invalid: lower case alphanumeric characters and '-'."
