"""Route 53's requests, as its stand-in reads them."""

from __future__ import annotations

import re

import pytest
from botocore.session import Session

from mldeploy.rehearsal.aws.authorization.policy import Permission, is_allowed
from mldeploy.rehearsal.aws.rest import OPERATIONS, find_operation, parse_record_changes

MODEL = Session().get_service_model("route53")


@pytest.mark.parametrize("name", sorted(set(OPERATIONS.values())))
def test_an_operation_is_recognized_by_its_method_and_path(name: str) -> None:
    http = MODEL.operation_model(name).http
    path = re.sub(r"\{[^}]+\}", "Z1", http["requestUri"].partition("?")[0])
    assert find_operation(http["method"], path) == name


def test_what_is_not_played_is_unknown() -> None:
    assert find_operation("GET", "/2013-04-01/healthcheck") == "unknown"


CHANGE = b"""<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>
<Change><Action>CREATE</Action><ResourceRecordSet><Name>%s</Name><Type>A</Type></ResourceRecordSet></Change>
</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"""
KEY = "route53:ChangeResourceRecordSetsNormalizedRecordNames"


@pytest.mark.parametrize(
    ("record", "allowed"),
    [(b"App.example.com.", True), (b"_x1.app.example.com", True), (b"other.example.com", False)],
)
def test_a_policy_limits_the_names_of_records(record: bytes, allowed: bool) -> None:
    parameters = parse_record_changes("/2013-04-01/hostedzone/Z1/rrset/", CHANGE % record)
    assert parameters["HostedZoneId"] == "Z1"
    names = parameters["Names"]
    assert isinstance(names, list)
    needed = Permission("route53:ChangeResourceRecordSets", "zone", {KEY: "\n".join(names)})
    condition = '{"ForAllValues:StringLike": {"%s": ["app.example.com", "_*.app.example.com"]}}' % KEY  # noqa: UP031
    statement = '{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": %s}' % condition  # noqa: UP031
    assert is_allowed(['{"Statement": %s}' % statement], needed) is allowed  # noqa: UP031
