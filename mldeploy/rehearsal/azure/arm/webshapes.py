"""What App Service's requests may say. Standard: App Service REST API, "Web Apps"."""

from __future__ import annotations

from mldeploy.rehearsal.azure.arm.shape import Each, Named, OneOf, Shape
from mldeploy.rehearsal.azure.arm.tracked import TAGS

_TLS = OneOf(("1.0", "1.1", "1.2", "1.3"))
_PAIR = Shape("NameValuePair", {"name": str, "value": str}, ("name",))
CONFIG = Shape(
    "SiteConfig",
    {
        "acrUseManagedIdentityCreds": bool,
        "acrUserManagedIdentityID": str,
        "alwaysOn": bool,
        "appCommandLine": str,
        "appSettings": Each(_PAIR),
        "autoHealEnabled": bool,
        "detailedErrorLoggingEnabled": bool,
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
PROPERTIES = Shape(
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
_TYPES = ("SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None")
_IDENTITY = Shape("ManagedServiceIdentity", {"type": OneOf(_TYPES), "userAssignedIdentities": Named(dict)}, ("type",))
SITE = Shape(
    "SiteEnvelope",
    {"location": str, "tags": TAGS, "kind": str, "identity": _IDENTITY, "properties": PROPERTIES},
    ("properties",),
)
PATCH = Shape("SitePatch", {"kind": str, "identity": _IDENTITY, "properties": PROPERTIES})
WEB = Shape("SiteConfigEnvelope", {"kind": str, "properties": CONFIG}, ("properties",))
SETTINGS = Shape("AppSettingsEnvelope", {"kind": str, "properties": Named(str)}, ("properties",))
SWAP = Shape("CsmSlotEntity", {"targetSlot": str, "preserveVnet": bool}, ("targetSlot", "preserveVnet"))
NAME = Shape(
    "ResourceNameAvailabilityRequest",
    {"name": str, "type": str, "isFqdn": bool, "environmentId": str},
    ("name", "type"),
)
_SWITCH = Shape("EnabledConfig", {"enabled": bool})
_FILES = Shape("FileSystemHttpLogsConfig", {"enabled": bool, "retentionInMb": int, "retentionInDays": int})
LOGS = Shape(
    "SiteLogsEnvelope",
    {
        "kind": str,
        "properties": Shape(
            "SiteLogs",
            {
                "applicationLogs": Shape("ApplicationLogs", {"fileSystem": Shape("FileSystemLogs", {"level": str})}),
                "httpLogs": Shape("HttpLogs", {"fileSystem": _FILES}),
                "detailedErrorMessages": _SWITCH,
                "failedRequestsTracing": _SWITCH,
            },
        ),
    },
    ("properties",),
)
