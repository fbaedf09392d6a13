"""What a container is made of, and what is said when that differs from what is there."""

from __future__ import annotations

import json
from dataclasses import astuple, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mldeploy.app.container import Container
from mldeploy.app.container_spec import ContainerSpec, Limits, create_body, is_less_limited, sort_by_name
from mldeploy.check.step import CheckedImage
from mldeploy.config.secret import Secret
from mldeploy.config.text import size
from mldeploy.core.graph import steps_of
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.image.cloud import EngineCloud
from mldeploy.image.engine import Engine
from mldeploy.image.labels import SPEC
from mldeploy.providers.local import provider
from mldeploy.providers.local.drift import matches_spec, spec_drift
from mldeploy.providers.local.provider import LocalProvider
from mldeploy.providers.local.secrets import LocalSecret
from tests.local.world import World

names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
values = st.uuids().map(lambda number: f"§ {number}\n=")
specs = st.builds(
    ContainerSpec,
    app=st.just("insurance"),
    image=st.sampled_from(["insurance:1", "insurance:2"]),
    image_id=st.sampled_from(["sha256:1", "sha256:2"]),
    port=st.integers(1, 65535),
    host=st.sampled_from(["127.0.0.1", "0.0.0.0", "::1"]),
    host_port=st.integers(0, 65535),
    memory=st.integers(6 << 20, 1 << 40),
    nano_cpus=st.integers(10**8, 10**11),
    pids_limit=st.integers(16, 9999),
    restart=st.sampled_from(["no", "always", "on-failure", "unless-stopped"]),
    stop_timeout=st.integers(0, 3600),
    read_only=st.booleans(),
    init=st.booleans(),
    env=st.dictionaries(names, st.builds(Secret, values), max_size=4).map(lambda env: sort_by_name(env.items())),
)


def running(spec: ContainerSpec) -> Container:
    """A container of this spec, as the engine would show it."""
    return Container(
        id="c" * 64,
        name="mldeploy-insurance",
        ours=True,
        owner="insurance",
        state="running",
        health="",
        exit_status=0,
        oom_killed=False,
        pid=1,
        started="2026-01-01T00:00:00Z",
        restarts=0,
        published=(spec.host, spec.host_port),
        fingerprint=spec.fingerprint,
        spec=spec,
    )


@given(specs, specs, st.sets(st.sampled_from([each.name for each in fields(ContainerSpec) if each.compare])))
def test_what_differs_is_named_once_and_nothing_else(
    spec: ContainerSpec, other: ContainerSpec, names: set[str]
) -> None:
    expected = replace(spec, **{name: getattr(other, name) for name in names})
    lines = spec_drift(running(spec), expected)
    differing = {name for name in names if getattr(spec, name) != getattr(other, name)}
    assert len(lines) <= len(differing)
    assert bool(lines) == bool(differing)
    assert matches_spec(running(spec), expected) == (differing <= {"restart"})


@given(specs)
def test_other_version_of_mldeploy_is_a_reason_to_make_a_container_anew(spec: ContainerSpec) -> None:
    old = replace(running(spec), fingerprint="of other settings")
    assert spec_drift(old, spec) == ("created by another version of mldeploy → this version's settings",)
    assert not matches_spec(old, spec)


@given(specs, specs)
def test_no_value_of_a_variable_is_where_it_could_be_read(spec: ContainerSpec, other: ContainerSpec) -> None:
    body = create_body(spec, SPEC)
    secrets = [value.reveal() for _, value in (*spec.env, *other.env)]
    shown = json.dumps(body["Labels"], ensure_ascii=False) + repr(spec) + "".join(spec_drift(running(spec), other))
    assert not any(secret in shown for secret in secrets)
    assert body["Env"] == [f"{name}={value.reveal()}" for name, value in spec.env]
    blind = replace(spec, env=sort_by_name((name, Secret("x")) for name, _ in spec.env))
    assert spec.fingerprint == blind.fingerprint, "nobody can try out short values on the label"


@given(specs, st.builds(Limits, st.booleans(), st.booleans(), st.booleans()))
def test_engine_that_cannot_set_a_limit_is_not_asked_to(spec: ContainerSpec, limits: Limits) -> None:
    kept = limits.apply_to(spec)
    assert is_less_limited(kept, spec) == (kept != spec) == (limits != Limits(True, True, True))
    assert not is_less_limited(spec, kept)
    host: Any = create_body(kept, SPEC)["HostConfig"]
    assert [bool(host[name]) for name in ("Memory", "NanoCpus", "PidsLimit")] == [*astuple(limits)]


@given(st.integers(0, 1 << 50))
def test_sizes_are_short(count: int) -> None:
    assert len(size(count)) <= 14


def test_sizes_are_round_where_they_can_be() -> None:
    assert [size(1 << 30), size(512 << 20), size(3 << 29), size(1000), size(0)] == [
        "1 GiB",
        "512 MiB",
        "1.5 GiB",
        "1000 bytes",
        "no limit",
    ]


@pytest.mark.engine
def test_every_step_can_be_undone_from_a_journal_in_the_right_order(world: World) -> None:
    goal = LocalProvider().goal(world.project, world.settings)
    assert {step.kind for step in steps_of(goal)} | {CheckedImage.kind, LocalSecret.kind} == set(provider.kinds)
    assert needed_kinds(provider.kinds)["endpoint"] == {"container", "image", "base-image"}


@pytest.mark.engine
def test_journal_is_this_machines_or_the_engines(engine: Engine) -> None:
    assert provider.place(EngineCloud(engine)) == ()
    assert provider.place(EngineCloud(replace(engine, endpoint="tcp://127.0.0.1:2375"))) == ()
    assert provider.place(EngineCloud(replace(engine, endpoint="tcp://build.example:2375"))) == ("build.example",)
    assert provider.place(EngineCloud(replace(engine, endpoint="ssh://me@build.example"))) == ("build.example",)


@pytest.mark.engine
def test_engine_on_another_machine_is_refused_before_anything_is_made(world: World) -> None:
    elsewhere = replace(world, engine=replace(world.engine, endpoint="ssh://me@build.example"))
    assert "the engine runs on build.example" in str(elsewhere.fail())
    assert world.containers == ()
