"""Settings, specs, costs and verdicts of Cloud Run, without calls."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.cloud import run_v2

from mldeploy.app.client import AnswerError, GoldenError
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import named
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.errors import RefusedError
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.providers.gcp.cloudrun.prices import estimate_cloudrun
from mldeploy.providers.gcp.cloudrun.provider import KINDS
from mldeploy.providers.gcp.cloudrun.revision_spec import (
    RevisionSpec,
    build_spec,
    build_template,
    compare_specs,
    parse_spec,
    resolve_secret,
)
from mldeploy.providers.gcp.cloudrun.service_account import account_id
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.providers.gcp.cloudrun.verdict import CloudRunEvidence, build_verdict
from mldeploy.testing.promises import Promise, proves

IMAGE = "us-central1-docker.pkg.dev/p/insurance/insurance@sha256:0"
ACCOUNT = "mldeploy-insurance@p.iam.gserviceaccount.com"


@pytest.fixture
def project() -> Project:
    return named("insurance", "--app")


def settings(**keys: object) -> CloudRunSettings:
    return CloudRunSettings.model_validate(keys)


def spec(project: Project, **keys: object) -> RevisionSpec:
    return build_spec(project, settings(**keys), "my-project", IMAGE, ACCOUNT)


def with_app(project: Project, **fields: object) -> Project:
    return replace(project, app=replace(project.app, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"min": 1, "max": 4, "billing": "instance", "cpu_boost": False},
        {"network": "default", "subnetwork": "apps", "egress": "all-traffic"},
        {"connector": "projects/my-project/locations/us-central1/connectors/apps"},
        {"secrets": {"API_KEY": "api-key", "OTHER": "projects/another-project/secrets/key:3"}},
        {"gpu": "nvidia-l4", "billing": "instance", "cpu": 4, "memory": 16384},
        {"cpu": 0.5, "memory": 512, "timeout": 60},
    ],
)
def test_what_is_written_is_read_back_without_a_difference(project: Project, keys: dict[str, object]) -> None:
    desired = spec(with_app(project, env=(("GREETING", Secret("hello")),)), **keys)
    written = build_template(desired, "insurance", "insurance-00001-abc")
    read = run_v2.RevisionTemplate.deserialize(run_v2.RevisionTemplate.serialize(written))
    assert compare_specs(parse_spec(read), desired) == ()
    assert parse_spec(read).digest == desired.digest


def test_each_change_is_a_line_without_values(project: Project) -> None:
    was = spec(with_app(project, env=(("TOKEN", Secret("old")), ("GONE", Secret("x")))))
    now = replace(spec(with_app(project, env=(("TOKEN", Secret("new")),)), timeout=60), image=f"{IMAGE}1")
    lines = compare_specs(was, now)
    assert "variable TOKEN → changed" in lines
    assert "variable GONE → removed" in lines
    assert "timeout 300 → 60" in lines
    assert not any("new" in line.split() or "old" in line.split() for line in lines)


def test_the_port_is_a_variable_of_cloud_run_itself(project: Project) -> None:
    """https://cloud.google.com/run/docs/container-contract#env-vars: PORT may not be set."""
    template = build_template(spec(with_app(project, env=(("PORT", Secret("1")),))), "insurance", "insurance-00001-abc")
    assert [each.name for each in template.containers[0].env] == []
    assert template.containers[0].ports[0].container_port == project.app.port


def test_the_limits_of_the_cpu_are_those_that_cloud_run_has(project: Project) -> None:
    assert settings().size(with_app(project, cpus=0.5, memory=512 << 20)).cpu == 1
    assert settings().size(with_app(project, cpus=3.0, memory=1 << 30)).cpu == 4
    assert settings().size(with_app(project, cpus=1.0, memory=6 << 30)).cpu == 2
    assert settings().size(with_app(project, cpus=4.0, memory=1 << 30)).memory == 2048


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"cpu": 3}, "cpu"),
        ({"cpu": 0.5, "memory": 512, "concurrency": 8}, "cpu"),
        ({"cpu": 1, "memory": 8192}, "memory"),
        ({"gpu": "nvidia-l4"}, "gpu"),
        ({"gpu": "nvidia-l4", "billing": "instance", "cpu": 2, "memory": 16384}, "cpu"),
        ({"min": 3, "max": 2}, "min"),
        ({"egress": "all-traffic"}, "egress"),
        ({"subnetwork": "apps"}, "subnetwork"),
        ({"connector": "projects/my-project/locations/r-x1/connectors/a", "network": "default"}, "connector"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_key(project: Project, keys: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"target\.cloudrun\.{key}"):
        settings(**keys).check(project)


def test_an_unknown_gpu_is_refused() -> None:
    with pytest.raises(ValueError, match="nvidia-l4"):
        settings(gpu="nvidia-t4")


def test_only_one_platform_runs_there() -> None:
    settings().require_platform("linux/amd64")
    with pytest.raises(RefusedError, match="linux/arm64"):
        settings().require_platform("linux/arm64")


def test_an_instance_gets_as_many_requests_as_its_server_answers(project: Project) -> None:
    app = replace(project.app, workers=2, threads=4)
    assert settings().concurrent_requests(app, 1) == 8
    assert settings().concurrent_requests(replace(app, workers=0), 2) == 8
    assert settings().concurrent_requests(replace(app, command=("serve",)), 1) == 80
    assert settings(concurrency=5).concurrent_requests(app, 1) == 5
    assert settings().concurrent_requests(app, 0.5) == 1


def test_a_secret_of_the_same_project_has_a_short_name() -> None:
    assert resolve_secret("my-project", "api-key") == ("api-key", "latest")
    assert resolve_secret("my-project", "projects/my-project/secrets/api-key:2") == ("api-key", "2")
    assert resolve_secret("p", "projects/other/secrets/api-key") == ("projects/other/secrets/api-key", "latest")


def test_the_id_of_an_account_is_short_enough_and_its_own() -> None:
    ids = [account_id(name) for name in ("a", "insurance", "a" * 40, "a" * 39 + "b")]
    assert len(set(ids)) == 4
    assert all(6 <= len(each) <= 30 and each[-1] != "-" for each in ids)


@proves(Promise.COST, targets=["cloudrun"])
def test_the_cost_of_requests_is_stated_with_its_source(project: Project) -> None:
    small = with_app(project, cpus=1.0, memory=1 << 30)
    estimate = estimate_cloudrun("us-central1", small, settings())
    assert estimate.known == 0.0
    million, idle, one, ten = estimate.usage
    assert (million.dollars, idle.dollars, one.dollars, ten.dollars) == (3.05, 0.0, 8.02, 80.15)
    assert all(each.source.startswith("https://cloud.google.com/") and each.date for each in estimate.usage)


@pytest.mark.parametrize(
    ("region", "keys"),
    [
        ("europe-west3", {}),
        ("us-central1", {"billing": "instance"}),
        ("us-central1", {"gpu": "nvidia-l4", "billing": "instance"}),
    ],
)
def test_a_price_without_a_source_is_not_guessed(project: Project, region: str, keys: dict[str, object]) -> None:
    assert estimate_cloudrun(region, project, settings(**keys)).usage == ()


def test_a_minimum_of_instances_is_billed_all_the_time(project: Project) -> None:
    (idle, *_) = estimate_cloudrun("us-central1", project, settings(min=1)).items
    assert idle.monthly is None
    assert "around the clock" in idle.how


READY = "HEALTH_CHECK_CONTAINER_ERROR Revision 'x' is not ready and cannot serve traffic. The user-provided container "
VERDICTS = [
    (
        CloudRunEvidence(
            "x", f"{READY}failed the configured startup probe checks.", system=("Container called exit(3).",)
        ),
        "workers did not start",
        3,
    ),
    (
        CloudRunEvidence("x", f"{READY}failed to start and listen on the port defined provided by the PORT=5000 ..."),
        "nothing listens on port 5000",
        None,
    ),
    (CloudRunEvidence("x", f"{READY}failed the configured startup probe checks."), "did not become healthy", None),
    (
        CloudRunEvidence(
            "x",
            f"{READY}failed to start and listen on the port defined provided by the PORT=5000 ...",
            system=('STARTUP HTTP probe failed 5 times consecutively for container "x-1" on port 5000.',),
        ),
        "did not become healthy",
        None,
    ),
    (CloudRunEvidence("x", "Image 'us-docker.pkg.dev/x' not found."), "no longer in the repository", None),
    (
        CloudRunEvidence("x", "Google Cloud Run Service Agent a@b must have permission to read the image, c."),
        "service agent may not read",
        None,
    ),
    (
        CloudRunEvidence("x", "Permission denied on secret: projects/1/secrets/key/versions/latest for Revision ..."),
        "secret projects/1/secrets/key/versions/latest cannot be read",
        None,
    ),
    (CloudRunEvidence("x", "Quota exceeded for total allowable CPU per project per region."), "a quota", None),
    (
        CloudRunEvidence(
            "x",
            f"{READY}failed the configured startup probe checks.",
            system=("Memory limit of 512 MiB exceeded with 520 MiB used. Consider increasing the memory limit",),
        ),
        r"out of memory.*520 MiB of 512 MiB",
        None,
    ),
    (CloudRunEvidence("x", answer=GoldenError("u", "/price: 1 ≠ 2")), "the golden row differs", None),
    (CloudRunEvidence("x", answer=AnswerError("u", "answers 500", status=500)), "/health answers 500", None),
]


@pytest.mark.parametrize(("evidence", "cause", "status"), VERDICTS)
def test_the_verdict_names_the_cause(
    project: Project, evidence: CloudRunEvidence, cause: str, status: int | None
) -> None:
    with pytest.raises(Exception, match=cause) as verdict:
        raise build_verdict(with_app(project, port=5000, health="/health"), evidence)
    assert verdict.value.todo  # type: ignore[attr-defined]
    assert verdict.value.exit_status == status  # type: ignore[attr-defined]


def test_what_needs_a_service_is_removed_before_it() -> None:
    needed = needed_kinds(KINDS)
    assert "service-account" in needed["cloudrun-service"]
    assert "cloudrun-service" in needed["cloudrun-invoker"]
    assert "service-account" in needed["secret-access"]
