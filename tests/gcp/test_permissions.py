"""Every permission that `mldeploy policy` prints exists in Google's IAM, which refuses a role with any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.providers.gcp.cloudrun.permissions import RUN_PERMISSIONS
from mldeploy.providers.gcp.gke.permissions import DEPLOY_PERMISSIONS
from mldeploy.providers.gcp.permissions import PUSH_PERMISSIONS, build_role
from mldeploy.testing.promises import Promise, proves

MOST_IN_A_ROLE = 3000
"""https://cloud.google.com/iam/quotas"""


def published_permissions() -> Iterator[str]:
    for line in Path(__file__).with_name("iam-permissions.txt").read_text().splitlines():
        if not line.startswith("#"):
            resource, _, verbs = line.partition(": ")
            yield from (f"{resource}.{verb}" for verb in verbs.split())


@proves(Promise.POLICY, targets=["cloudrun", "gar", "gcr", "gke"])
@pytest.mark.parametrize(
    "calls", [PUSH_PERMISSIONS, DEPLOY_PERMISSIONS, RUN_PERMISSIONS], ids=["push", "gke", "cloudrun"]
)
def test_every_printed_permission_is_published(calls: dict[str, tuple[str, ...]]) -> None:
    printed = build_role(calls)["includedPermissions"]
    assert isinstance(printed, list)
    assert set(printed) - set(published_permissions()) == set()
    assert len(printed) <= MOST_IN_A_ROLE
