"""What is new is not known everywhere at once, and what is long is seen to be long."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mldeploy.image.engine import Engine
from tests.rehearsal.account import eventually
from tests.rehearsal.azure.clients import Clients, catch_error
from tests.rehearsal.azure.estate import GROUP, PACE, REGION, REGISTRY, SITE, Estate, group_in

pytestmark = pytest.mark.engine


def test_a_namespace_takes_a_while_to_be_registered(slow: Clients) -> None:
    providers = slow.resources.providers
    assert providers.register("Microsoft.Web").registration_state == "Registering"
    eventually(lambda: providers.get("Microsoft.Web").registration_state == "Registered" or None, "a registration")


def test_a_registry_is_being_created_until_it_is_there(slow: Clients) -> None:
    group_in(slow)
    spec: Any = {"location": REGION, "sku": {"name": "Basic"}}
    slow.rehearsal.stop_clock()
    poller = slow.registries.registries.begin_create(GROUP, REGISTRY, spec)
    registry = slow.registries.registries.get(GROUP, REGISTRY)
    assert registry.properties is not None
    assert registry.properties.provisioning_state == "Creating"
    eventually(lambda: reads(slow) or None, "a poll")
    slow.rehearsal.start_clock()
    done = poller.result().properties
    assert done is not None
    assert done.provisioning_state == "Succeeded"
    assert reads(slow) > 1, "the status is polled more than once"


def reads(azure: Clients) -> int:
    """How often the status of an operation has been read."""
    return sum("operationStatuses" in each.action for each in azure.rehearsal.calls())


def test_a_group_that_goes_takes_nothing_in(slow: Clients) -> None:
    group_in(slow)
    slow.rehearsal.stop_clock()
    poller = slow.resources.resource_groups.begin_delete(GROUP)
    group = slow.resources.resource_groups.get(GROUP)
    assert group.properties is not None
    assert group.properties.provisioning_state == "Deleting"
    new: Any = {"location": REGION}
    identities = slow.identities.user_assigned_identities
    assert catch_error(lambda: identities.create_or_update(GROUP, "i", new)) == (409, "ResourceGroupBeingDeleted")
    assert catch_error(lambda: slow.resources.resource_groups.create_or_update(GROUP, new)) == (
        409,
        "ResourceGroupBeingDeleted",
    )
    slow.rehearsal.start_clock()
    poller.result()
    assert not slow.resources.resource_groups.check_existence(GROUP)


def test_a_new_identity_is_unknown_and_a_new_role_does_not_count_yet(slow: Clients, engine: Engine, scrap: str) -> None:
    estate = Estate.made(slow, engine, base=scrap)
    slow.rehearsal.stop_clock()
    identity: Any = slow.identities.user_assigned_identities.create_or_update(GROUP, "second", {"location": REGION})
    assert catch_error(lambda: estate.assign(identity.principal_id)) == (400, "PrincipalNotFound")
    slow.rehearsal.start_clock()
    site = estate.deploy()
    estate.logged("ImagePullUnauthorizedFailure")
    assigned = time.monotonic()
    estate.assign()
    slow.web.web_apps.restart(GROUP, SITE)
    estate.up(site)  # it is tried again for those who come
    assert time.monotonic() - assigned >= 2 * PACE
