"""An app's life in a cluster: versions that serve and versions that do not, and what else happens to a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mldeploy.app.client import AppClient
from mldeploy.core.errors import ExitCode, MldeployError, RefusedError
from mldeploy.providers.capabilities import Streams
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.kubernetes.errors import ManagedElsewhereError
from mldeploy.providers.kubernetes.manifests.environment import ContainerEnvironment, secret_name
from mldeploy.providers.kubernetes.permissions import build_policy
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.store import now
from mldeploy.rehearsal.kubernetes.objects.types import ObjectKey
from mldeploy.testing.promises import Promise, proves
from tests.kubernetes.fake.channels import DEAF_ENDED
from tests.kubernetes.fake.fate import WELL, Fate
from tests.kubernetes.fates import FATES, SLOW
from tests.kubernetes.harness import DeployHarness

pytestmark = pytest.mark.engine
EXHAUSTIVE = pytest.mark.exhaustive


@pytest.mark.parametrize("name", [pytest.param(name, marks=EXHAUSTIVE if name in SLOW else []) for name in FATES])
def test_a_version_that_cannot_serve_gets_a_verdict_and_the_old_one_stays(harness: DeployHarness, name: str) -> None:
    fate, said = FATES[name]
    harness.deploy()
    good = harness.deployment["spec"]["template"]
    harness.set(**({"rollout_timeout": 10} if name in SLOW else {}))
    harness.fake.controllers.fate = fate
    harness.tell(VERSION="2")
    verdict = harness.fail()
    for each in said:
        assert each in str(verdict)
    assert verdict.exit_code is ExitCode.FAILED
    assert harness.ready == 1
    assert harness.deployment["spec"]["template"] == good
    assert [each.state for each in harness.service.releases()] == ["serving", "failed"]
    assert any("Rolled back to the previous version" in each for each in harness.notes)


def test_a_first_version_that_cannot_serve_stays_to_be_looked_at(harness: DeployHarness) -> None:
    harness.fake.controllers.fate = FATES["crashes"][0]
    assert harness.fail().exit_status == 1
    assert harness.ready == 0
    harness.fake.controllers.change(WELL)
    harness.deploy()
    assert [each.state for each in harness.service.releases()] == ["serving"]


def test_without_rollback_the_failed_version_stays_beside_the_old_one(harness: DeployHarness) -> None:
    harness.deploy()
    harness.fake.controllers.fate = FATES["crashes"][0]
    harness.set(rollback=False)
    harness.tell(VERSION="2")
    harness.fail()
    assert harness.ready == 1
    assert len(harness.service.instances()) == 2


def test_no_secret_reaches_a_verdict(harness: DeployHarness) -> None:
    harness.tell(API_KEY="a-very-secret-key")
    harness.fake.controllers.fate = replace(FATES["crashes"][0], log=("KeyError: no a-very-secret-key here",))
    verdict = harness.fail()
    assert "a-very-secret-key" not in str(verdict)
    assert "[REDACTED]" in str(verdict)


def test_releases_are_listed_and_gone_back_to_with_their_own_variables(harness: DeployHarness) -> None:
    for version in ("1", "2", "3"):
        harness.tell(VERSION=version)
        harness.deploy()
    first, *_ = reversed(harness.service.releases())
    assert [each.state for each in harness.service.releases()] == ["serving", "old", "old"]
    harness.service.rollback(None, harness.monitor)
    secret = _secret_of(harness)
    harness.tell(VERSION="2")
    assert secret == _expected_secret(harness)
    harness.service.rollback(first.revision, harness.monitor)
    harness.tell(VERSION="1")
    assert _secret_of(harness) == _expected_secret(harness)
    with pytest.raises(AbsentError, match="There are"):
        harness.service.rollback("99", harness.monitor)


def test_what_scale_sets_is_kept_and_what_was_stopped_starts(harness: DeployHarness) -> None:
    harness.deploy()
    harness.service.scale(3, harness.monitor)
    assert harness.ready == 3
    harness.tell(VERSION="2")
    harness.deploy()
    assert harness.ready == 3
    assert harness.service.stop()
    assert not harness.service.stop()
    assert harness.service.url() is None
    harness.deploy()
    assert harness.ready == 1


@proves(Promise.AUTOSCALING, targets=("kubernetes",))
def test_autoscaling_decides_alone(harness: DeployHarness) -> None:
    harness.set(min=2, max=4)
    harness.deploy()
    assert harness.ready == 2
    with pytest.raises(RefusedError, match="autoscaling"):
        harness.service.scale(3, harness.monitor)
    hand = harness.deployment
    hand["spec"]["replicas"] = 4
    harness.fake.edit(hand, by="kube-controller-manager")
    harness.tell(VERSION="2")
    harness.deploy()
    assert harness.ready == 4


def test_a_field_that_another_manager_has_set_is_reported_and_left(harness: DeployHarness) -> None:
    harness.deploy()
    hand = harness.deployment
    hand["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody/else:1"
    harness.fake.edit(hand, by="kubectl-edit")
    error = harness.refused()
    assert isinstance(error, ManagedElsewhereError)
    assert error.exit_code is ExitCode.REFUSED
    assert "kubectl-edit" in str(error)
    assert 'containers[name="app"].image' in str(error)
    assert harness.deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "somebody/else:1"


def test_a_deployment_of_somebody_else_is_never_touched(harness: DeployHarness) -> None:
    harness.deploy()
    hand = harness.deployment
    hand["metadata"]["labels"] = {"app": "theirs"}
    harness.fake.edit(hand, by="kubectl")
    assert isinstance(harness.refused(), RefusedError)
    assert harness.deployment["metadata"]["labels"] == {"app": "theirs"}


def test_a_namespace_that_is_going_is_waited_for(harness: DeployHarness) -> None:
    space = {"name": harness.app, "finalizers": ["test/holds"], "deletionTimestamp": now()}
    harness.fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": space})
    key = ObjectKey(kinds.NAMESPACES, "", harness.app)

    def let_go() -> None:
        harness.fake.store.edit(key, lambda it: it["metadata"].pop("finalizers"))

    with harness.meanwhile(let_go, after="deletion of the old namespace") as events:
        harness.deploy(events)
    assert harness.ready == 1


def test_a_watch_that_has_expired_begins_anew(harness: DeployHarness) -> None:
    harness.fake.controllers.fate = Fate(serves=False)

    def expire() -> None:
        harness.fake.store.expire()
        harness.fake.controllers.change(WELL)

    with harness.meanwhile(expire, after="a pod is") as events:
        harness.deploy(events)
    assert harness.ready == 1


def test_an_api_server_that_restarts_in_a_rollout_is_waited_for(harness: DeployHarness) -> None:
    harness.fake.controllers.fate = Fate(serves=False)

    def restart() -> None:
        harness.fake.down()
        harness.fake.controllers.change(WELL)
        harness.fake.up()

    with harness.meanwhile(restart, after="a pod is") as events:
        harness.deploy(events)
    assert harness.ready == 1


def test_a_token_that_expires_in_a_rollout_is_said(harness: DeployHarness) -> None:
    harness.fake.controllers.fate = Fate(serves=False)

    def expire() -> None:
        harness.fake.tokens.clear()
        harness.fake.store.expire()

    with harness.meanwhile(expire, after="a pod is") as events, pytest.raises(MldeployError) as caught:
        harness.deploy(events)
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "expired" in str(caught.value)


def test_the_app_is_asked_through_the_api_server_where_it_has_no_address(harness: DeployHarness) -> None:
    address = harness.deploy()
    assert "svc" in address.url
    with harness.service.reach() as url, AppClient(url) as app:
        assert app.predict("/predict", {"age": 19}) == [1]


def test_a_command_runs_in_a_pod(harness: DeployHarness) -> None:
    harness.deploy()
    out, err = bytearray(), bytearray()
    streams = Streams(out.extend, err.extend)
    assert harness.service.execute(["echo", "hello", "there"], "", streams) == 0
    assert out == b"hello there\n"
    assert harness.service.execute(["fail"], harness.service.instances()[0].name, streams) == 3
    assert err == b"no\n"
    assert harness.service.execute(["nonsense"], "", streams) == 127
    assert err == b"no\nnonsense: executable file not found in $PATH\n"
    with pytest.raises(AbsentError, match="Its pods"):
        harness.service.execute(["echo"], "another-pod", streams)


def test_a_command_may_end_while_its_input_is_still_sent(harness: DeployHarness) -> None:
    harness.deploy()
    DEAF_ENDED.clear()
    asked, sent, err = threading.Event(), threading.Event(), bytearray()

    def answer(_: bytes) -> None:
        asked.set()
        sent.wait()

    def pieces() -> Iterator[bytes]:
        asked.wait()
        yield b"one"
        DEAF_ENDED.wait()
        yield b"another"
        sent.set()
        yield b""

    given = pieces()
    streams = Streams(answer, err.extend, lambda _: next(given))
    assert harness.service.execute(["deaf"], "", streams) == 0
    assert err == b""


def test_the_log_of_every_pod_bears_its_name(harness: DeployHarness) -> None:
    harness.set(instances=2)
    harness.deploy()
    lines = list(harness.service.logs(follow=False, tail=0))
    names = {each.name for each in harness.service.instances()}
    assert {line.split("  ")[0] for line in lines} == names
    assert all("Listening at" in line for line in lines)


def test_followed_logs_go_on_with_a_new_pod(harness: DeployHarness) -> None:
    harness.deploy()
    following = harness.service.logs(follow=True, tail=10)
    first = next(following)
    harness.service.scale(2, harness.monitor)
    second = next(following)
    assert first.split("  ")[0] != second.split("  ")[0]
    following.close()  # type: ignore[attr-defined]  # it is a generator


def test_no_call_of_a_whole_life_is_missing_from_the_policy(harness: DeployHarness) -> None:
    harness.set(max=2)
    harness.expect([1])
    harness.deploy()
    harness.tell(VERSION="2")
    harness.deploy()
    harness.service.logs(follow=False, tail=1)
    list(harness.service.logs(follow=False, tail=1))
    allowed = set()
    for role in _items(build_policy(harness.service.owner, harness.app)):
        for rule in role["rules"]:
            group = rule["apiGroups"][0]
            for resource in rule["resources"]:
                plural, _, part = resource.partition("/")
                name = f"{plural}.{group}" if group else plural
                allowed |= {f"{verb} {name}{'/' + part if part else ''}" for verb in rule["verbs"]}
    called = {call.action for call in harness.fake.call_log.calls} - {"get /version"}
    assert called <= allowed


def _items(document: object) -> list[dict[str, list[dict[str, list[str]]]]]:
    return json.loads(json.dumps(document))["items"]  # type: ignore[no-any-return]


def _secret_of(harness: DeployHarness) -> str:
    sources = harness.deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    return str(next(each["secretRef"]["name"] for each in sources if "secretRef" in each))


def _expected_secret(harness: DeployHarness) -> str:
    name = secret_name(harness.service.owner, ContainerEnvironment.of(harness.project.app))
    harness.fake.find(kinds.SECRETS, name, harness.app)  # it is still there
    return name
