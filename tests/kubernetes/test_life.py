"""An app's life in a cluster: versions that serve and versions that do not, and what else happens to a cluster."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mldeploy.core.errors import ExitCode, MldeployError, RefusedError
from mldeploy.image.client import AppClient
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.executing import Streams
from mldeploy.providers.kubernetes.errors import ManagedElsewhereError
from mldeploy.providers.kubernetes.manifests.environment import Environment, secret_name
from mldeploy.providers.kubernetes.permissions import policy
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.clock import now
from mldeploy.rehearsal.kubernetes.objects.types import Key
from tests.kubernetes.fates import FATES
from tests.kubernetes.paper.fate import WELL, Fate
from tests.kubernetes.play import Play

pytestmark = [pytest.mark.engine, pytest.mark.timeout(90)]


@pytest.mark.parametrize("name", FATES)
def test_a_version_that_cannot_serve_gets_a_verdict_and_the_old_one_stays(play: Play, name: str) -> None:
    fate, said = FATES[name]
    play.deploy()
    good = play.deployment["spec"]["template"]
    play.paper.controllers.fate = fate
    play.tell(VERSION="2")
    verdict = play.fail()
    for each in said:
        assert each in str(verdict)
    assert verdict.exit_code is ExitCode.FAILED
    assert play.ready == 1
    assert play.deployment["spec"]["template"] == good
    assert [each.state for each in play.service.releases()] == ["serving", "failed"]
    assert any("Went back" in each for each in play.notes)


def test_a_first_version_that_cannot_serve_stays_to_be_looked_at(play: Play) -> None:
    play.paper.controllers.fate = FATES["crashes"][0]
    assert play.fail().exit_status == 1
    assert play.ready == 0
    play.paper.controllers.change(WELL)
    play.deploy()
    assert [each.state for each in play.service.releases()] == ["serving"]


def test_without_rollback_the_failed_version_stays_beside_the_old_one(play: Play) -> None:
    play.deploy()
    play.paper.controllers.fate = FATES["crashes"][0]
    play.set(rollback=False)
    play.tell(VERSION="2")
    play.fail()
    assert play.ready == 1
    assert len(play.service.instances()) == 2


def test_no_secret_reaches_a_verdict(play: Play) -> None:
    play.tell(API_KEY="a-very-secret-key")
    play.paper.controllers.fate = replace(FATES["crashes"][0], log=("KeyError: no a-very-secret-key here",))
    verdict = play.fail()
    assert "a-very-secret-key" not in str(verdict)
    assert "[REDACTED]" in str(verdict)


def test_releases_are_listed_and_gone_back_to_with_their_own_variables(play: Play) -> None:
    for version in ("1", "2", "3"):
        play.tell(VERSION=version)
        play.deploy()
    first, *_ = reversed(play.service.releases())
    assert [each.state for each in play.service.releases()] == ["serving", "old", "old"]
    play.service.rollback(None, play.monitor)
    secret = _secret_of(play)
    play.tell(VERSION="2")
    assert secret == _expected_secret(play)
    play.service.rollback(first.revision, play.monitor)
    play.tell(VERSION="1")
    assert _secret_of(play) == _expected_secret(play)
    with pytest.raises(AbsentError, match="There are"):
        play.service.rollback("99", play.monitor)


def test_what_scale_sets_is_kept_and_what_was_stopped_starts(play: Play) -> None:
    play.deploy()
    play.service.scale(3, play.monitor)
    assert play.ready == 3
    play.tell(VERSION="2")
    play.deploy()
    assert play.ready == 3
    assert play.service.stop()
    assert not play.service.stop()
    assert play.service.url() is None
    play.deploy()
    assert play.ready == 1


def test_autoscaling_decides_alone(play: Play) -> None:
    play.set(min=2, max=4)
    play.deploy()
    assert play.ready == 2
    with pytest.raises(RefusedError, match="autoscaling"):
        play.service.scale(3, play.monitor)
    hand = play.deployment
    hand["spec"]["replicas"] = 4
    play.paper.edit(hand, by="kube-controller-manager")
    play.tell(VERSION="2")
    play.deploy()
    assert play.ready == 4


def test_a_field_that_another_manager_has_set_is_reported_and_left(play: Play) -> None:
    play.deploy()
    hand = play.deployment
    hand["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody/else:1"
    play.paper.edit(hand, by="kubectl-edit")
    error = play.refused()
    assert isinstance(error, ManagedElsewhereError)
    assert error.exit_code is ExitCode.REFUSED
    assert "kubectl-edit" in str(error)
    assert 'containers[name="app"].image' in str(error)
    assert play.deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "somebody/else:1"


def test_a_deployment_of_somebody_else_is_never_touched(play: Play) -> None:
    play.deploy()
    hand = play.deployment
    hand["metadata"]["labels"] = {"app": "theirs"}
    play.paper.edit(hand, by="kubectl")
    assert isinstance(play.refused(), RefusedError)
    assert play.deployment["metadata"]["labels"] == {"app": "theirs"}


def test_a_namespace_that_is_going_is_waited_for(play: Play) -> None:
    space = {"name": play.app, "finalizers": ["test/holds"], "deletionTimestamp": now()}
    play.paper.put({"apiVersion": "v1", "kind": "Namespace", "metadata": space})
    key = Key(kinds.NAMESPACES, "", play.app)

    def let_go() -> None:
        play.paper.store.edit(key, lambda it: it["metadata"].pop("finalizers"))

    with play.meanwhile(let_go, after="until the namespace") as events:
        play.deploy(events)
    assert play.ready == 1


def test_a_watch_that_has_expired_begins_anew(play: Play) -> None:
    play.paper.controllers.fate = Fate(serves=False)

    def expire() -> None:
        play.paper.store.expire()
        play.paper.controllers.change(WELL)

    with play.meanwhile(expire, after="a pod is") as events:
        play.deploy(events)
    assert play.ready == 1


def test_an_api_server_that_restarts_in_a_rollout_is_waited_for(play: Play) -> None:
    play.paper.controllers.fate = Fate(serves=False)

    def restart() -> None:
        play.paper.down()
        play.paper.controllers.change(WELL)
        play.paper.up()

    with play.meanwhile(restart, after="a pod is") as events:
        play.deploy(events)
    assert play.ready == 1


def test_a_token_that_expires_in_a_rollout_is_said(play: Play) -> None:
    play.paper.controllers.fate = Fate(serves=False)

    def expire() -> None:
        play.paper.tokens.clear()
        play.paper.store.expire()

    with play.meanwhile(expire, after="a pod is") as events, pytest.raises(MldeployError) as caught:
        play.deploy(events)
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "expired" in str(caught.value)


def test_the_app_is_asked_through_the_api_server_where_it_has_no_address(play: Play) -> None:
    address = play.deploy()
    assert "svc" in address.url
    with play.service.reach() as url, AppClient(url) as app:
        assert app.predict("/predict", {"age": 19}) == [1]


def test_a_command_runs_in_a_pod(play: Play) -> None:
    play.deploy()
    out, err = bytearray(), bytearray()
    streams = Streams(out.extend, err.extend)
    assert play.service.execute(["echo", "hello", "there"], "", streams) == 0
    assert out == b"hello there\n"
    assert play.service.execute(["fail"], play.service.instances()[0].name, streams) == 3
    assert err == b"no\n"
    with pytest.raises(AbsentError, match="not found"):
        play.service.execute(["nonsense"], "", streams)
    with pytest.raises(AbsentError, match="There are"):
        play.service.execute(["echo"], "another-pod", streams)


def test_the_log_of_every_pod_bears_its_name(play: Play) -> None:
    play.set(instances=2)
    play.deploy()
    lines = list(play.service.logs(follow=False, tail=0))
    names = {each.name for each in play.service.instances()}
    assert {line.split("  ")[0] for line in lines} == names
    assert all("Listening at" in line for line in lines)


def test_followed_logs_go_on_with_a_new_pod(play: Play) -> None:
    play.deploy()
    following = play.service.logs(follow=True, tail=10)
    first = next(following)
    play.service.scale(2, play.monitor)
    second = next(following)
    assert first.split("  ")[0] != second.split("  ")[0]
    following.close()  # type: ignore[attr-defined]  # it is a generator


def test_no_call_of_a_whole_life_is_missing_from_the_policy(play: Play) -> None:
    play.set(max=2)
    play.expect([1])
    play.deploy()
    play.tell(VERSION="2")
    play.deploy()
    play.service.logs(follow=False, tail=1)
    list(play.service.logs(follow=False, tail=1))
    allowed = set()
    for role in _items(policy(play.service.owner, play.app)):
        for rule in role["rules"]:
            group = rule["apiGroups"][0]
            for resource in rule["resources"]:
                plural, _, part = resource.partition("/")
                name = f"{plural}.{group}" if group else plural
                allowed |= {f"{verb} {name}{'/' + part if part else ''}" for verb in rule["verbs"]}
    called = {call.action for call in play.paper.ledger.calls} - {"get /version"}
    assert called <= allowed


def _items(document: object) -> list[dict[str, list[dict[str, list[str]]]]]:
    return json.loads(json.dumps(document))["items"]  # type: ignore[no-any-return]


def _secret_of(play: Play) -> str:
    sources = play.deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    return str(next(each["secretRef"]["name"] for each in sources if "secretRef" in each))


def _expected_secret(play: Play) -> str:
    name = secret_name(play.service.owner, Environment.of(play.project.app))
    play.paper.find(kinds.SECRETS, name, play.app)  # it is still there
    return name
