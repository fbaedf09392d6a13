"""What a request to AWS asks for, whatever protocol it is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs

READING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate", "StartQuery")
"""How the names of the operations that change nothing begin."""

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]*)/([^/]+)/aws4_request")
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""IAM's name of a service, where it is not the one that its requests are signed for."""


class Protocol(StrEnum):
    """How a service writes its answers. Standard: Smithy, "AWS protocols"."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"


@dataclass(frozen=True)
class Request:
    """A call that has not been numbered yet. service, operation: as IAM names them, `ecs` and `CreateService`.

    key: the access key id that it is signed with; empty: it is not signed.
    """

    service: str
    operation: str
    protocol: Protocol
    key: str

    @property
    def action(self) -> str:
        """IAM's name of it: `ecs:CreateService`."""
        return f"{self.service}:{self.operation}"

    @property
    def is_writing(self) -> bool:
        return not self.operation.startswith(READING)


def understood(authorization: str, target: str, body: bytes) -> Request:
    """Read a request from its headers Authorization and X-Amz-Target and its body. Raises nothing.

    Standard: AWS Signature Version 4; AWS JSON 1.0 and 1.1, AWS query and EC2 query protocols.
    """
    scope = _SCOPE.search(authorization)
    key, _, signed = scope.groups() if scope else ("", "", "unknown")
    service = _PREFIXES.get(signed, signed)
    if target:
        return Request(service, target.rpartition(".")[2], Protocol.JSON, key)
    action = parse_qs(body.decode("latin-1")).get("Action", ["unknown"])[0]
    return Request(service, action, Protocol.EC2 if service == "ec2" else Protocol.QUERY, key)
