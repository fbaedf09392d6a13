"""Sizes, replicas, costs, releases and verdicts of Container Apps: what needs no simulator."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.config.settings import Project
from mldeploy.providers.azure.containerapps.costs import PRICES, estimate_containerapps, monthly_cost
from mldeploy.providers.azure.containerapps.logs import ReplicaInfo, SystemEvent
from mldeploy.providers.azure.containerapps.releases import LENGTH, TAG, AppReleaseState, parse_releases, with_state
from mldeploy.providers.azure.containerapps.settings import ContainerAppsSettings, ReplicaSize
from mldeploy.providers.azure.containerapps.verdict import (
    RevisionEvidence,
    build_verdict,
    is_pull_refused,
    proves_failure,
)
from mldeploy.providers.azure.containerapps.version_spec import build_template, build_version, parse_version
from mldeploy.testing.promises import Promise, proves

PROJECT = load.named("insurance", "a test")
GIB = 1 << 30


def settings_of(**values: object) -> ContainerAppsSettings:
    return ContainerAppsSettings.model_validate(values)


def sized(cpus: float, gib: float) -> Project:
    return replace(PROJECT, app=replace(PROJECT.app, cpus=cpus, memory=int(gib * GIB)))


@pytest.mark.parametrize(
    ("cpus", "gib", "cpu"),
    [(1.0, 2.0, 1.0), (1.0, 0.5, 1.0), (0.1, 0.1, 0.25), (0.5, 3.0, 1.5), (0.3, 0.5, 0.5), (4.0, 8.0, 4.0)],
)
def test_the_smallest_size_that_holds_the_app_is_chosen(cpus: float, gib: float, cpu: float) -> None:
    assert settings_of().size(sized(cpus, gib)) == ReplicaSize(cpu)
    assert bool(settings_of().remark_on_size(sized(cpus, gib))) is ((cpu, 2 * cpu) != (cpus, gib))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"cpu": 0.3}, "cpu"),
        ({"cpu": 0.5, "memory": "2g"}, "cpu"),
        ({"memory": "1.2g"}, "memory"),
        ({"min": 3, "max": 2}, "min"),
        ({"ingress": "internal", "domain": "a.example.com"}, "domain"),
    ],
)
def test_what_the_profile_does_not_have_is_refused_before_anything_changes(values: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings_of(**values).check(PROJECT)
    assert refused.value.where == f"target.containerapps.{key}"
    assert refused.value.todo


def test_more_than_the_largest_replica_is_refused() -> None:
    with pytest.raises(ConfigError, match="no replica with 5 vCPU"):
        settings_of().check(sized(5, 2))


def test_a_name_of_one_letter_is_refused() -> None:
    with pytest.raises(ConfigError, match="no name of one letter"):
        settings_of().check(replace(PROJECT, app=replace(PROJECT.app, name="a")))


def test_a_gpu_is_refused_with_the_targets_that_have_one() -> None:
    with pytest.raises(ConfigError, match="no GPU") as refused:
        settings_of().check(replace(PROJECT, build=replace(PROJECT.build, gpu=True)))
    assert "`kubernetes`" in refused.value.todo
    assert "`gke`" in refused.value.todo


def test_scale_is_kept_unless_the_settings_have_one() -> None:
    assert settings_of().replicas(PROJECT, None) == (0, 10)
    assert settings_of().replicas(PROJECT, (2, 12)) == (2, 12)
    assert settings_of(min=1, max=3).replicas(PROJECT, (2, 12)) == (1, 3)


def test_an_app_with_sessions_runs_as_one_replica() -> None:
    app = replace(PROJECT.app, command=("streamlit", "run", "app.py"))
    sessions = replace(PROJECT, app=app)
    assert settings_of().replicas(sessions, (0, 10)) == (0, 1)
    assert "single replica" in settings_of().advise(sessions)[-1]
    with pytest.raises(ConfigError, match="sessions"):
        settings_of(max=2).check(sessions)


def test_a_version_is_read_back_as_it_was_sent() -> None:
    slow = replace(PROJECT, check=replace(PROJECT.check, start_timeout=700.0))
    secrets = {"API_KEY": "https://insurance.vault.azure.net/secrets/api-key"}
    for project in (PROJECT, slow):
        sent = build_version(project, settings_of(secrets=secrets, min=1), "r/x@sha256:1", None)
        assert parse_version(build_template(sent, "r1")) == sent
        assert "vault" not in repr(sent.env)


def test_the_oldest_releases_go_where_the_tag_is_full() -> None:
    states = dict.fromkeys(range(1, 60), AppReleaseState.SERVED)
    value = with_state(states, 60, AppReleaseState.FAILED)
    assert len(value) <= LENGTH
    known = parse_releases({TAG: value})
    assert known[60] is AppReleaseState.FAILED
    assert 1 not in known
    assert parse_releases({TAG: "1=served x=served 2=odd 3"}) == {1: AppReleaseState.SERVED}
    assert with_state(known, 60, None) == value.rpartition(" ")[0]


@proves(Promise.COST, targets=("containerapps",))
def test_the_estimate_says_what_requests_cost() -> None:
    prices, size = PRICES["japaneast"], ReplicaSize(0.5)
    second = 0.5 * 0.000024 + 1.0 * 0.000003
    month = 730 * 3600
    assert monthly_cost(prices, size, settings_of(), 1) == pytest.approx(month * (second + 0.4e-6))
    busy = settings_of(concurrency=1)
    assert monthly_cost(prices, size, busy, 100) == pytest.approx(month * (10 * second + 100 * 0.4e-6))
    app = estimate_containerapps("japaneast", sized(0.5, 1), settings_of()).items[0]
    assert app.monthly == 0
    assert "at 1/s" in app.how
    assert "a million requests" in app.how
    assert (app.source, app.date) == (prices.source, "2026-08-21")


def test_a_price_without_a_source_is_unknown() -> None:
    items = estimate_containerapps("norwayeast", PROJECT, settings_of(min=1)).items
    assert [each.monthly for each in items[:2]] == [None, None]
    assert all(not each.source for each in items[:2])
    idle = estimate_containerapps("japaneast", PROJECT, settings_of(min=1)).items[0]
    assert idle.monthly is None
    assert estimate_containerapps("westus2", PROJECT, settings_of(min=1)).items[0].monthly


CRASHED = SystemEvent("app--r2", "ContainerTerminated", "Container 'app' was terminated with exit code '1'")
KILLED = SystemEvent(
    "app--r2", "ContainerTerminated", "Container 'app' was terminated with exit code '137' (OOMKilled)"
)
UNAUTHORIZED = SystemEvent("app--r2", "ImagePullUnauthorized", "Container pull image failed with unauthorized error.")
PORT = (
    "Deployment Progress Deadline Exceeded. 0/1 replicas ready. "
    "The TargetPort 9200 does not match any of the listening ports: [9650 9600]."
)
MISSING = (
    "Failed to provision revision for container app 'x'. Error details: The following field(s) are either invalid or "
    "missing. Field 'template.containers.app.image' is invalid with details: 'Invalid value: \"r/x:latest\": "
    'GET https:: MANIFEST_UNKNOWN: manifest tagged by "latest" is not found\''
)


@pytest.mark.parametrize(
    ("evidence", "cause", "status"),
    [
        (RevisionEvidence(events=(CRASHED,)), "exit code 1", 1),
        (RevisionEvidence(events=(KILLED,)), "out of memory", 137),
        (RevisionEvidence(events=(UNAUTHORIZED,)), "may not pull from the registry", None),
        (RevisionEvidence(error=MISSING), "no longer in the registry", None),
        (RevisionEvidence(error=PORT), "something listens on 9650, 9600", None),
        (RevisionEvidence(error="Unable to get value using Managed identity /x for secret y"), "Key Vault", None),
    ],
)
def test_the_published_messages_become_one_verdict(evidence: RevisionEvidence, cause: str, status: int | None) -> None:
    verdict = build_verdict(PROJECT, "app--r2", evidence)
    assert cause in verdict.cause
    assert verdict.exit_status == status
    assert verdict.todo
    assert proves_failure(evidence)


def test_a_version_that_still_starts_has_not_failed() -> None:
    waiting = ReplicaInfo("app--r2-x", "app--r2", "", "Waiting", "ContainerCreating", False, 0, "")
    assert not proves_failure(RevisionEvidence(replicas=(waiting,)))
    ready = replace(waiting, running="Running", ready=True, restarts=1)
    assert not proves_failure(RevisionEvidence(replicas=(ready,), events=(CRASHED,)))
    assert is_pull_refused("GET https:?scope=x: UNAUTHORIZED: authentication required")
