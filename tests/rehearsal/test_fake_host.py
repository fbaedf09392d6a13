"""Without containers a task is healthy and answers, and everything around it is as strict as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from mldeploy.image.engine import Engine
from mldeploy.rehearsal.aws import Rehearsal, rehearsing
from tests.rehearsal.account import Account, eventually
from tests.rehearsal.available import require_registry
from tests.rehearsal.clients import Clients

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("fake") / "aws", containers=False) as rehearsal:
        yield rehearsal


@pytest.fixture
def account(quick: Rehearsal, engine: Engine) -> Iterator[Account]:
    quick.reset()
    with closing(Clients(quick)) as clients:
        yield Account.made(clients, engine)


@pytest.mark.exhaustive
def test_a_service_comes_and_goes_and_answers_meanwhile(account: Account, quick: Rehearsal) -> None:
    account.open_port()
    definition = account.define(checked=True)
    account.serve(definition, count=2)
    account.completed(definition)
    for task in account.tasks():
        assert requests.post(account.url(task), json={"x": 1}, timeout=120).json() == {}
    account.aws.ecs.delete_service(cluster="c", service="s", force=True)
    eventually(lambda: account.service["status"] == "INACTIVE" or None, "a service that is gone")
    assert not [thing for thing in quick.contents() if thing.kind in ("ecs:task", "ec2:network-interface")]


def test_what_is_not_in_the_registry_cannot_be_run(account: Account) -> None:
    missing = account.image.partition("@")[0] + "@sha256:" + "0" * 64
    task = account.until(account.run(account.define(image=missing)), "STOPPED")
    assert task["stoppedReason"].startswith("CannotPullContainerError")
