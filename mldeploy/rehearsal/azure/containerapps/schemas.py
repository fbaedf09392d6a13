"""Schemas of the request bodies of `Microsoft.App`. Standard: azure-rest-api-specs, Microsoft.App, `ContainerApps`.

They hold what is simulated; the rest of the API (Dapr, jobs, init containers, volumes) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mldeploy.rehearsal.azure.arm.resources import TAGS
from mldeploy.rehearsal.azure.arm.schema import Json, ListOf, MapOf, ObjectSchema, OneOf, Schema

_IDENTITY_TYPES = ("None", "SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned")
_IDENTITY = ObjectSchema(
    "ManagedServiceIdentity", {"type": OneOf(_IDENTITY_TYPES), "userAssignedIdentities": MapOf(dict)}, ("type",)
)
_SECRET = ObjectSchema("Secret", {"name": str, "value": str, "identity": str, "keyVaultUrl": str}, ("name",))
_TRAFFIC = ObjectSchema("TrafficWeight", {"revisionName": str, "weight": int, "latestRevision": bool, "label": str})
_DOMAIN = ObjectSchema(
    "CustomDomain",
    {"name": str, "bindingType": OneOf(("Disabled", "SniEnabled", "Auto")), "certificateId": str},
    ("name",),
)
_RESTRICTION = ObjectSchema(
    "IpSecurityRestrictionRule",
    {"name": str, "description": str, "ipAddressRange": str, "action": OneOf(("Allow", "Deny"))},
    ("name", "ipAddressRange", "action"),
)
_INGRESS = ObjectSchema(
    "Ingress",
    {
        "external": bool,
        "targetPort": int,
        "exposedPort": int,
        "transport": OneOf(("auto", "http")),
        "traffic": ListOf(_TRAFFIC),
        "customDomains": ListOf(_DOMAIN),
        "allowInsecure": bool,
        "ipSecurityRestrictions": ListOf(_RESTRICTION),
        "stickySessions": ObjectSchema("IngressStickySessions", {"affinity": OneOf(("none",))}),
        "clientCertificateMode": OneOf(("ignore",)),
        "corsPolicy": dict,
        "additionalPortMappings": ListOf(dict),
    },
)
_REGISTRY = ObjectSchema(
    "RegistryCredentials", {"server": str, "username": str, "passwordSecretRef": str, "identity": str}, ("server",)
)
_CONFIGURATION = ObjectSchema(
    "Configuration",
    {
        "secrets": ListOf(_SECRET),
        "activeRevisionsMode": OneOf(("Single", "Multiple")),
        "ingress": _INGRESS,
        "registries": ListOf(_REGISTRY),
        "maxInactiveRevisions": int,
        "identitySettings": ListOf(
            ObjectSchema(
                "IdentitySettings",
                {"identity": str, "lifecycle": OneOf(("Init", "Main", "None", "All"))},
                ("identity",),
            )
        ),
        "dapr": ObjectSchema("Dapr", {}),
        "runtime": ObjectSchema("Runtime", {}),
        "service": ObjectSchema("Service", {}),
    },
)
_VARIABLE = ObjectSchema("EnvironmentVar", {"name": str, "value": str, "secretRef": str}, ("name",))
_HEADER = ObjectSchema("HttpHeader", {"name": str, "value": str}, ("name", "value"))
_HTTP_GET = ObjectSchema(
    "ContainerAppProbeHttpGet",
    {"host": str, "httpHeaders": ListOf(_HEADER), "path": str, "port": int, "scheme": OneOf(("HTTP",))},
    ("port",),
)
_PROBE = ObjectSchema(
    "ContainerAppProbe",
    {
        "type": OneOf(("Liveness", "Readiness", "Startup")),
        "httpGet": _HTTP_GET,
        "tcpSocket": ObjectSchema("ContainerAppProbeTcpSocket", {"host": str, "port": int}, ("port",)),
        "initialDelaySeconds": int,
        "periodSeconds": int,
        "timeoutSeconds": int,
        "failureThreshold": int,
        "successThreshold": int,
        "terminationGracePeriodSeconds": int,
    },
)
_CONTAINER = ObjectSchema(
    "Container",
    {
        "name": str,
        "image": str,
        "command": ListOf(str),
        "args": ListOf(str),
        "env": ListOf(_VARIABLE),
        "resources": ObjectSchema("ContainerResources", {"cpu": float, "memory": str, "ephemeralStorage": str}),
        "probes": ListOf(_PROBE),
        "volumeMounts": ListOf(ObjectSchema("VolumeMount", {})),
    },
    ("name", "image"),
)
_RULE = ObjectSchema(
    "ScaleRule", {"name": str, "http": ObjectSchema("HttpScaleRule", {"metadata": MapOf(str)})}, ("name",)
)
_TEMPLATE = ObjectSchema(
    "Template",
    {
        "revisionSuffix": str,
        "terminationGracePeriodSeconds": int,
        "containers": ListOf(_CONTAINER),
        "initContainers": ListOf(ObjectSchema("InitContainer", {})),
        "volumes": ListOf(ObjectSchema("Volume", {})),
        "serviceBinds": ListOf(ObjectSchema("ServiceBind", {})),
        "scale": ObjectSchema(
            "Scale",
            {
                "minReplicas": int,
                "maxReplicas": int,
                "cooldownPeriod": int,
                "pollingInterval": int,
                "rules": ListOf(_RULE),
            },
        ),
    },
)
_APP_PROPERTIES = ObjectSchema(
    "ContainerAppProperties",
    {
        "environmentId": str,
        "managedEnvironmentId": str,
        "workloadProfileName": str,
        "configuration": _CONFIGURATION,
        "template": _TEMPLATE,
    },
)
_APP_MEMBERS: Mapping[str, Schema] = {
    "location": str,
    "tags": TAGS,
    "identity": _IDENTITY,
    "kind": str,
    "properties": _APP_PROPERTIES,
}
APP = ObjectSchema("ContainerApp", _APP_MEMBERS, ("properties",))
APP_PATCH = ObjectSchema("ContainerAppPatch", _APP_MEMBERS)

_PROFILE = ObjectSchema(
    "WorkloadProfile",
    {"name": str, "workloadProfileType": str, "minimumCount": int, "maximumCount": int},
    ("name", "workloadProfileType"),
)
_LOGS = ObjectSchema(
    "AppLogsConfiguration",
    {
        "destination": str,
        "logAnalyticsConfiguration": ObjectSchema(
            "LogAnalyticsConfiguration", {"customerId": str, "sharedKey": str}, ("customerId",)
        ),
    },
)
ENVIRONMENT = ObjectSchema(
    "ManagedEnvironment",
    {
        "location": str,
        "tags": TAGS,
        "kind": str,
        "properties": ObjectSchema(
            "ManagedEnvironmentProperties",
            {
                "appLogsConfiguration": _LOGS,
                "zoneRedundant": bool,
                "workloadProfiles": ListOf(_PROFILE),
                "infrastructureResourceGroup": str,
                "publicNetworkAccess": OneOf(("Enabled", "Disabled")),
                "peerAuthentication": dict,
                "peerTrafficConfiguration": dict,
            },
        ),
    },
)
MANAGED_CERTIFICATE = ObjectSchema(
    "ManagedCertificate",
    {
        "location": str,
        "tags": TAGS,
        "properties": ObjectSchema(
            "ManagedCertificateProperties",
            {"subjectName": str, "domainControlValidation": OneOf(("CNAME", "HTTP", "TXT"))},
            ("subjectName", "domainControlValidation"),
        ),
    },
    ("properties",),
)

_READ_ONLY: Mapping[str, Sequence[str]] = {
    "": ("id", "name", "type", "systemData", "etag"),
    "properties": (
        "provisioningState",
        "runningStatus",
        "latestRevisionName",
        "latestReadyRevisionName",
        "latestRevisionFqdn",
        "customDomainVerificationId",
        "outboundIpAddresses",
        "eventStreamEndpoint",
        "deploymentErrors",
        "defaultDomain",
        "staticIp",
        "validationToken",
        "error",
    ),
    "properties.configuration.ingress": ("fqdn",),
}
"""Members that the API only returns. As on Azure, a request may hold them: they have no effect."""


def drop_read_only(body: Json) -> None:
    """Remove the members of a request body that the API only returns."""
    for path, names in _READ_ONLY.items():
        part: object = body
        for each in filter(None, path.split(".")):
            part = part.get(each) if isinstance(part, dict) else None
        if isinstance(part, dict):
            for name in names:
                part.pop(name, None)
