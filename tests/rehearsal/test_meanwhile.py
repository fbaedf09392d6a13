"""What changes while a stand-in looks at it, however slow the machine is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moto.elbv2.models import FakeListener, FakeLoadBalancer
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from mldeploy.rehearsal.aws.elb import DRAINING, HEALTHY, BalancedTask, ListenerApplication, RehearsedELB
from mldeploy.rehearsal.containers.fake import FakeContainer
from mldeploy.rehearsal.containers.host import LaunchSpec, PublicAddressPool
from mldeploy.rehearsal.kubernetes.api.request import WatchRequest, stream_events
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import Store, new_object
from mldeploy.rehearsal.kubernetes.objects.types import ObjectKey
from mldeploy.rehearsal.record import Process
from tests.rehearsal.test_elb_rules import send_to

PORT = 7391
ADDRESSES = 245
"""How many a pool has."""


@pytest.fixture
def pool() -> PublicAddressPool:
    number = uuid.uuid4().int
    return PublicAddressPool(f"127.{number % 200 + 20}.{number // 200 % 250}")


@pytest.fixture
def container(pool: PublicAddressPool) -> Iterator[FakeContainer]:
    made = FakeContainer(LaunchSpec("app", {}, {}, 0, 0, ports=(PORT,)), pool)
    yield made
    made.remove()


def test_an_address_is_given_back_once_however_many_remove_its_container(
    pool: PublicAddressPool, container: FakeContainer
) -> None:
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(container.remove) for _ in range(8)]:
            each.result()
    assert len({pool.take() for _ in range(ADDRESSES)}) == ADDRESSES
    with pytest.raises(IndexError):
        pool.take()


def target(state: str, address: str) -> BalancedTask:
    return BalancedTask(cast("Any", SimpleNamespace(arn="main")), address, f"{address}:{PORT}", 0.0, state)


@pytest.mark.parametrize(("left", "status"), [(HEALTHY, 200), (DRAINING, 503)])
def test_a_request_that_finds_its_target_gone_goes_to_the_one_that_has_come(
    container: FakeContainer, left: str, status: int
) -> None:
    old, new = target(DRAINING, "192.0.2.1"), target(left, container.address)
    seen = iter(([old], [old, new], [new]))
    backend = SimpleNamespace(list_targets=lambda _: next(seen, [new]))
    listener = SimpleNamespace(rules={}, default_actions=[send_to("main")])
    application = ListenerApplication(
        cast("RehearsedELB", backend), cast("FakeLoadBalancer", None), cast("FakeListener", listener)
    )
    assert application._answer(Request(EnvironBuilder("/").get_environ())).status_code == status


def test_a_watch_whose_time_is_over_at_once_tells_what_there_was() -> None:
    store = Store()
    store.put(ObjectKey(kinds.CONFIG_MAPS, "space", "a"), new_object({"metadata": {"name": "a", "namespace": "space"}}))
    watch = WatchRequest(kinds.CONFIG_MAPS, "space", lambda _: True, 1, 1e-9, False, lambda each: each, lambda: False)
    assert [b'"ADDED"' in each for each in stream_events(store, watch) if each] == [True]


def test_a_process_is_known_again_after_the_clock_was_adjusted() -> None:
    """Its start is counted from the boot, whose time follows the clock."""
    own = Process.of(os.getpid())
    assert Process(own.pid, own.started - 1).find() is not None
    assert Process(own.pid, own.started - 3600).find() is None
