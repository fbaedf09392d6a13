"""Route 53's requests: its operations are methods and paths, and its documents are XML.

Standard: Smithy, "AWS restXml protocol"; botocore's model of the service.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

_VERSION = "/2013-04-01/"
_NAMESPACE = "{https://route53.amazonaws.com/doc/2013-04-01/}"


OPERATIONS: Mapping[tuple[str, str], str] = {
    ("POST", "hostedzone"): "CreateHostedZone",
    ("GET", "hostedzone"): "ListHostedZones",
    ("GET", "hostedzonesbyname"): "ListHostedZonesByName",
    ("GET", "hostedzone/*"): "GetHostedZone",
    ("DELETE", "hostedzone/*"): "DeleteHostedZone",
    ("GET", "hostedzone/*/rrset"): "ListResourceRecordSets",
    ("POST", "hostedzone/*/rrset"): "ChangeResourceRecordSets",
    ("GET", "change/*"): "GetChange",
}
"""By method and path. A test holds it against botocore's model."""


def find_operation(method: str, path: str) -> str:
    """The name of an operation; "unknown" if there is none."""
    parts = path.removeprefix(_VERSION).strip("/").split("/")
    key = "/".join("*" if number == 1 else part for number, part in enumerate(parts))
    return OPERATIONS.get((method, key), "unknown")


def parse_record_changes(path: str, body: bytes) -> Mapping[str, object]:
    """The zone of a request, and the normalized names, types and actions of its changes, each once.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    zone = re.match(f"{_VERSION}hostedzone/([^/]+)", path)
    parameters: dict[str, object] = {"HostedZoneId": zone[1]} if zone else {}
    try:
        changes = list(ET.fromstring(body).iter(f"{_NAMESPACE}Change")) if body else []  # noqa: S314 - as above
    except ET.ParseError:
        changes = []
    for key, tag in (("Names", "Name"), ("Types", "Type"), ("Actions", "Action")):
        values = (each.findtext(f".//{_NAMESPACE}{tag}", "").lower().rstrip(".") for each in changes)
        parameters[key] = sorted({value if key == "Names" else value.upper() for value in values})
    return parameters
