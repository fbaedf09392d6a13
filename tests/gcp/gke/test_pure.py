"""The cluster request, costs and settings of GKE, without calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from google.cloud.container_v1.types import Cluster, ReleaseChannel, WorkloadMetadataConfig

from mldeploy.config.errors import ConfigError
from mldeploy.config.load import named
from mldeploy.config.settings import Project
from mldeploy.core.graph import steps_of
from mldeploy.core.verbs.destroy import needed_kinds
from mldeploy.providers.capabilities import HOURS_A_MONTH, CostItem, Level
from mldeploy.providers.gcp.checks import check_gpu_quota
from mldeploy.providers.gcp.gke.cloud import cache_ca_file
from mldeploy.providers.gcp.gke.cluster import build_cluster
from mldeploy.providers.gcp.gke.clusters import operation_error
from mldeploy.providers.gcp.gke.prices import PRICES, estimate_gke
from mldeploy.providers.gcp.gke.provider import KINDS, GkeProvider
from mldeploy.providers.gcp.gke.settings import GkeSettings
from mldeploy.testing.promises import Promise, proves

TRIAL_SSD_GB = 250
"""https://cloud.google.com/free/docs/free-cloud-features#free-trial"""
LABELS = {"mldeploy-app": "insurance", "mldeploy-target": "gke"}


@pytest.fixture
def project() -> Project:
    return named("insurance", "--app")


def settings(**keys: object) -> GkeSettings:
    return GkeSettings.model_validate(keys)


def build(**keys: object) -> Cluster:
    return build_cluster("insurance", "my-project", settings(**keys), LABELS)


def test_autopilot_is_the_default_and_is_asked_for_by_name() -> None:
    made = build(node_service_account="nodes@my-project.iam.gserviceaccount.com")
    assert made.autopilot.enabled
    assert not made.node_pools
    assert dict(made.resource_labels) == LABELS
    assert made.release_channel.channel == ReleaseChannel.Channel.REGULAR
    defaults = made.autoscaling.autoprovisioning_node_pool_defaults
    assert defaults.service_account == "nodes@my-project.iam.gserviceaccount.com"


def test_nodes_make_it_a_standard_one() -> None:
    made = build(nodes=2, zone="us-central1-a", machine_type="n2-standard-4", release_channel="stable")
    assert not made.autopilot.enabled
    (pool,) = made.node_pools
    assert (pool.initial_node_count, pool.config.machine_type) == (2, "n2-standard-4")
    assert made.release_channel.channel == ReleaseChannel.Channel.STABLE
    assert made.workload_identity_config.workload_pool == "my-project.svc.id.goog"
    assert pool.config.workload_metadata_config.mode == WorkloadMetadataConfig.Mode.GKE_METADATA
    assert pool.management.auto_repair


def test_the_boot_disks_of_two_nodes_in_each_zone_fit_into_a_trials_quota() -> None:
    (pool,) = build(nodes=2).node_pools
    assert pool.config.disk_type == "pd-balanced"
    assert 2 * 3 * pool.config.disk_size_gb <= TRIAL_SSD_GB
    (newest,) = build(nodes=2, machine_type="n4-standard-2", disk_size=60).node_pools
    assert (newest.config.disk_type, newest.config.disk_size_gb) == ("hyperdisk-balanced", 60)


@pytest.mark.parametrize(
    ("platform", "keys", "nodes"),
    [
        ("linux/arm64", {}, "amd64"),
        ("linux/arm64", {"nodes": 1}, "amd64"),
        ("linux/amd64", {"nodes": 1, "machine_type": "t2a-standard-2"}, "arm64"),
    ],
)
def test_an_image_that_the_nodes_cannot_run_is_refused_with_the_platform_to_set(
    platform: str, keys: dict[str, object], nodes: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**keys).require_platform(platform)
    assert caught.value.where == "build.platform"
    assert f'platform = "linux/{nodes}"' in caught.value.todo


def test_an_image_for_arm_goes_on_arm_nodes_and_a_shared_cluster_is_asked_itself() -> None:
    settings(nodes=1, machine_type="c4a-standard-4").require_platform("linux/arm64/v8")
    settings(cluster="shared").require_platform("linux/arm64")


def test_what_runs_can_be_removed_from_a_machine_of_another_architecture(project: Project) -> None:
    """`destroy` and `status` build the same graph as `deploy`."""
    built = replace(project, build=replace(project.build, platform="linux/arm64"))
    assert "gke-cluster" in [step.kind for step in steps_of(GkeProvider().goal(built, settings()))]


@pytest.mark.parametrize(
    ("keys", "key", "what"),
    [
        ({"zone": "us-central1-a"}, "zone", "cannot be combined with Autopilot"),
        ({"mode": "autopilot", "nodes": 2}, "nodes", "cannot be combined with Autopilot"),
        (
            {"zone": "us-central1-a", "region": "europe-west4", "nodes": 2},
            "zone",
            "is not in the `region`",
        ),
        ({"min": 3}, "min", "needs `max`"),
    ],
)
def test_contradicting_settings_are_reported_by_key(
    project: Project, keys: dict[str, object], key: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        GkeProvider().goal(project, settings(**keys))
    assert caught.value.where == f"target.gke.{key}"


def test_a_shared_cluster_may_be_in_a_zone(project: Project) -> None:
    kinds = [
        step.kind for step in steps_of(GkeProvider().goal(project, settings(zone="us-central1-a", cluster="ours")))
    ]
    assert "gke-shared-cluster" in kinds
    assert "gke-cluster" not in kinds


def test_the_image_is_made_while_the_cluster_comes_up() -> None:
    needs = needed_kinds(KINDS)
    assert not needs["gke-cluster"]
    assert "gke-cluster" not in needs["pushed-image"]
    assert {"gke-cluster", "pushed-image"} <= needs["kubernetes-deployment"]


def test_the_service_goes_before_the_cluster() -> None:
    assert "gke-cluster" in needed_kinds(KINDS)["kubernetes-service"]


def items(project: Project, location: str, **keys: object) -> dict[str, CostItem]:
    return {each.what: each for each in estimate_gke(location, project, settings(**keys)).items}


def test_a_region_says_that_it_triples_the_nodes(project: Project) -> None:
    region = items(project, "us-central1", nodes=2)["nodes"]
    zone = items(project, "us-central1-a", nodes=2, zone="us-central1-a")["nodes"]
    assert region.how.startswith("2 in each of 3 zones: 6 e2-standard-2")
    assert zone.how.startswith("2 e2-standard-2")
    assert (region.monthly, zone.monthly) == (293.51, 97.84)


def test_a_price_that_nobody_vouches_for_is_unknown(project: Project) -> None:
    assert items(project, "us-central1", nodes=2, machine_type="c4-standard-2")["nodes"].monthly is None
    abroad = items(project, "europe-west4")
    assert abroad["CPU of the pods"].monthly is None
    assert "europe-west4" in abroad["CPU of the pods"].how
    assert abroad["cluster"].monthly == 73.0


@proves(Promise.COST, targets=("gke",))
def test_a_pod_of_autopilot_is_paid_by_quarters_of_a_cpu(project: Project) -> None:
    costs = items(project, "us-central1", instances=2, cpu_request=0.3)["CPU of the pods"]
    assert costs.monthly == pytest.approx(2 * 0.5 * 0.0445 * HOURS_A_MONTH, abs=0.01)


@pytest.mark.parametrize(
    ("memory", "requested", "request_"),
    [(2**30, 0.25, 0.25), (2**30, 0.3, 0.5), (4 * 2**30, 0.25, 0.75), (2**27, 0.25, 0.1), (8 * 2**20, 0.25, 0.05)],
)
def test_a_pod_asks_for_what_autopilot_leaves_as_it_is(
    project: Project, memory: int, requested: float, request_: float
) -> None:
    """Between 1 and 6.5 GiB for each CPU, in steps."""
    app = replace(project.app, memory=memory)
    fitting = settings(cpu_request=requested).fitting(replace(project, app=app))
    assert fitting.cpu_request == pytest.approx(request_)


def test_nodes_of_our_own_are_asked_for_what_the_settings_say(project: Project) -> None:
    assert settings(nodes=1, cpu_request=0.3).fitting(project).cpu_request == 0.3


def test_a_cluster_that_is_there_is_not_paid_twice(project: Project) -> None:
    costs = items(project, "us-central1", cluster="ours")
    assert "cluster" not in costs
    assert costs["pods"].monthly is None


def test_every_price_has_its_source_and_date() -> None:
    assert all(price.source.startswith("https://") and price.date.startswith("20") for price in PRICES.values())


@pytest.mark.parametrize(
    ("reason", "todo"),
    [
        ('Insufficient regional quota to satisfy request: resource "CPUS"', "Quotas"),
        ("Google Compute Engine: ZONE_RESOURCE_POOL_EXHAUSTED", "another zone"),
        ('Network "default" does not exist.', "`network`"),
        ('project "p" has no network named "default".', "`network`"),
        ('Network "main" requires specifying a subnetwork.', "`subnetwork`"),
        ('Network "default" uses manual subnet mode and requires specifying a subnetwork.', "`subnetwork`"),
        ("Service account x does not exist", "`node_service_account`"),
        ("All cluster resources were brought up, but: something", "Run the command again"),
    ],
)
def test_a_failed_operation_says_what_to_do(reason: str, todo: str) -> None:
    error = operation_error("create cluster", reason)
    assert reason.rstrip(".") in error.what
    assert todo in error.todo


def test_a_certificate_is_kept_once_and_mended_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = Path(cache_ca_file("one"))
    assert path.read_text() == "one"
    path.write_text("of somebody else")
    assert cache_ca_file("one") == str(path)
    assert path.read_text() == "one"
    assert Path(cache_ca_file("two")).read_text() == "two"
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 2


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"gpu": 1}, "Autopilot needs the type"),
        ({"gpu": 1, "gpu_type": "nvidia-l4", "nodes": 2}, "have no GPU"),
    ],
)
def test_a_gpu_that_no_node_can_have_is_refused(project: Project, keys: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        settings(**keys).check(project)


def test_a_gpu_of_autopilot_or_of_a_given_cluster_is_accepted_and_its_price_is_not_known(project: Project) -> None:
    settings(gpu=1, cluster="shared", nodes=2).check(project)
    chosen = settings(gpu=1, gpu_type="nvidia-l4")
    chosen.check(project)
    (gpu,) = (each for each in estimate_gke("us-central1", project, chosen).items if each.what == "GPU")
    assert gpu.monthly is None


@pytest.mark.parametrize(
    ("quotas", "level"),
    [({"NVIDIA_T4_GPUS": (0.0, 1.0)}, Level.OK), ({"NVIDIA_T4_GPUS": (1.0, 1.0)}, Level.ERROR), ({}, Level.WARNING)],
)
def test_the_quota_of_the_type_of_gpu_is_read(quotas: dict[str, tuple[float, float]], level: Level) -> None:
    assert check_gpu_quota("us-central1", "nvidia-tesla-t4", 1, quotas).level is level
