"""Schemas of the request bodies for sites. Standard: App Service REST API, "Web Apps"."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm.resources import TAGS
from mldeploy.rehearsal.azure.arm.schema import ListOf, MapOf, ObjectSchema, OneOf

_TLS = OneOf(("1.0", "1.1", "1.2", "1.3"))
_PAIR = ObjectSchema("NameValuePair", {"name": str, "value": str}, ("name",))
_EXPERIMENTS = ObjectSchema(
    "Experiments",
    {
        "rampUpRules": ListOf(
            ObjectSchema("RampUpRule", {"actionHostName": str, "reroutePercentage": float, "name": str})
        )
    },
)
CONFIG = ObjectSchema(
    "SiteConfig",
    {
        "acrUseManagedIdentityCreds": bool,
        "acrUserManagedIdentityID": str,
        "alwaysOn": bool,
        "appCommandLine": str,
        "appSettings": ListOf(_PAIR),
        "autoHealEnabled": bool,
        "detailedErrorLoggingEnabled": bool,
        "experiments": _EXPERIMENTS,
        "ftpsState": OneOf(("AllAllowed", "FtpsOnly", "Disabled")),
        "healthCheckPath": str,
        "http20Enabled": bool,
        "httpLoggingEnabled": bool,
        "linuxFxVersion": str,
        "loadBalancing": str,
        "logsDirectorySizeLimit": int,
        "minTlsVersion": _TLS,
        "numberOfWorkers": int,
        "publicNetworkAccess": str,
        "remoteDebuggingEnabled": bool,
        "requestTracingEnabled": bool,
        "scmMinTlsVersion": _TLS,
        "use32BitWorkerProcess": bool,
        "vnetRouteAllEnabled": bool,
        "webSocketsEnabled": bool,
        "websiteTimeZone": str,
    },
)
PROPERTIES = ObjectSchema(
    "Site",
    {
        "clientAffinityEnabled": bool,
        "clientCertEnabled": bool,
        "enabled": bool,
        "httpsOnly": bool,
        "hyperV": bool,
        "isXenon": bool,
        "keyVaultReferenceIdentity": str,
        "publicNetworkAccess": str,
        "redundancyMode": str,
        "reserved": bool,
        "scmSiteAlsoStopped": bool,
        "serverFarmId": str,
        "siteConfig": CONFIG,
        "storageAccountRequired": bool,
        "virtualNetworkSubnetId": str,
    },
)
_SITE_TYPES = ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None")
_IDENTITY = ObjectSchema(
    "ManagedServiceIdentity", {"type": OneOf(_SITE_TYPES), "userAssignedIdentities": MapOf(dict)}, ("type",)
)
SITE = ObjectSchema(
    "SiteEnvelope",
    {"location": str, "tags": TAGS, "kind": str, "identity": _IDENTITY, "properties": PROPERTIES},
    ("properties",),
)
PATCH = ObjectSchema("SitePatch", {"kind": str, "identity": _IDENTITY, "properties": PROPERTIES})
WEB = ObjectSchema("SiteConfigEnvelope", {"kind": str, "properties": CONFIG}, ("properties",))
SETTINGS = ObjectSchema("AppSettingsEnvelope", {"kind": str, "properties": MapOf(str)}, ("properties",))
SWAP = ObjectSchema("CsmSlotEntity", {"targetSlot": str, "preserveVnet": bool}, ("targetSlot", "preserveVnet"))
NAME = ObjectSchema(
    "ResourceNameAvailabilityRequest",
    {"name": str, "type": str, "isFqdn": bool, "environmentId": str},
    ("name", "type"),
)
_SWITCH = ObjectSchema("EnabledConfig", {"enabled": bool})
_FILES = ObjectSchema("FileSystemHttpLogsConfig", {"enabled": bool, "retentionInMb": int, "retentionInDays": int})
LOGS = ObjectSchema(
    "SiteLogsEnvelope",
    {
        "kind": str,
        "properties": ObjectSchema(
            "SiteLogs",
            {
                "applicationLogs": ObjectSchema(
                    "ApplicationLogs", {"fileSystem": ObjectSchema("FileSystemLogs", {"level": str})}
                ),
                "httpLogs": ObjectSchema("HttpLogs", {"fileSystem": _FILES}),
                "detailedErrorMessages": _SWITCH,
                "failedRequestsTracing": _SWITCH,
            },
        ),
    },
    ("properties",),
)
