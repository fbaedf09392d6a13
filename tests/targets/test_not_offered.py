"""What a target does not offer is refused at once, before any credentials are needed, and with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.cli.deployment import as_having_policy, as_having_secrets, as_runtime
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import named, target_settings
from mldeploy.providers import registry
from mldeploy.providers.aws.fargate.operations import FargateService
from mldeploy.providers.azure.containerapps.operations import ContainerAppsService
from mldeploy.providers.azure.webapp.operations import WebappService
from mldeploy.providers.capabilities import CanExec, CanPrecheck, HasCosts
from mldeploy.providers.errors import WrongTargetError, without_exec
from mldeploy.providers.gcp.cloudrun.operations import CloudRunOperations
from mldeploy.testing.promises import Promise, refuses
from tests.cli.command import Command

REGISTRIES = ("acr", "dockerhub", "ecr", "gar", "gcr")
REQUESTS = ("deploy", "history", "rollback", "scale 2", "logs -f", "exec -- ls", "stop", "ps", "open", "predict")
A_REGISTRY = "A registry keeps images and runs no app."
ON_THIS_MACHINE = (
    "The app answers at an address of this machine, over HTTP. A reverse proxy of yours adds a name and HTTPS."
)
ONE_MACHINE = "One machine has nothing to scale to. `workers` in `[app]` says how many processes serve."
A_NAME_OF_GOOGLE = (
    "Cloud Run answers at `run.app`, with HTTPS. Put a global load balancer with a serverless network endpoint group "
    "before it, or map a domain with `gcloud beta run domain-mappings create`."
)
A_NAME_OF_AZURE = "A Web App answers at `azurewebsites.net`, with HTTPS. Bind a domain of your own in the portal."


@refuses(
    A_REGISTRY,
    Promise.GOLDEN_ROW,
    Promise.OLD_VERSION,
    Promise.NO_DOWNTIME,
    Promise.VERDICT,
    Promise.HISTORY,
    Promise.SCALE,
    Promise.LOGS,
    Promise.EXEC,
    Promise.STOP,
    Promise.ACCESS_KEY,
)
@pytest.mark.parametrize("target", REGISTRIES)
def test_a_registry_runs_no_app(target: str) -> None:
    with pytest.raises(WrongTargetError, match="is a registry and does not run apps") as refused:
        as_runtime(registry.find(target))
    assert f"mldeploy push --target {target}" in refused.value.todo


@refuses(A_REGISTRY, Promise.CANARY)
@pytest.mark.parametrize("target", REGISTRIES)
def test_a_canary_is_refused_where_two_versions_cannot_run(tmp_path: Path, target: str) -> None:
    """Before anything is read: the folder holds no app."""
    refused = Command(tmp_path / "home", tmp_path)("deploy", "--canary", "10", "--target", target)
    assert refused.code == 2, refused.err
    assert f"target {target}: cannot run a canary" in refused.err
    for able in ("local", "kubernetes", "gke"):
        assert able in refused.err


def write_app(folder: Path) -> None:
    (folder / "mldeploy.toml").write_text('[app]\nname = "shop"\nentry = "app:app"\nmodels = []\n')
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask==3.1.3\n")


@pytest.mark.parametrize("request_", REQUESTS)
def test_no_credentials_are_needed_to_hear_so(tmp_path: Path, request_: str) -> None:
    command, *rest = request_.split()
    write_app(tmp_path)
    refused = Command(tmp_path / "home", tmp_path)(command, "--target", "ecr", *rest)
    assert refused.code == 2, refused.err
    assert "target ecr: is a registry and does not run apps" in refused.err


@refuses(A_REGISTRY, Promise.SECRETS)
@pytest.mark.parametrize("target", REGISTRIES)
def test_a_target_without_a_store_keeps_no_secrets(target: str) -> None:
    with pytest.raises(WrongTargetError, match="keeps no secrets") as refused:
        as_having_secrets(registry.find(target))
    assert "env_file" in refused.value.todo


NO_EXEC_ON_ECS = "ECS runs commands through AWS's Session Manager plugin alone: use `aws ecs execute-command`."
NO_EXEC_ON_CLOUD_RUN = "Cloud Run gives no way into a running instance of a service that serves requests."
NO_EXEC_ON_APPS = "The protocol of `az containerapp exec` has no exit status. Use that command."
NO_EXEC_ON_APP_SERVICE = "App Service offers SSH in the portal alone, and only to images with an SSH server."
OWN_PRICES = "Machines of your own, and a cluster that is there already, have no price that mldeploy knows."
HUB_PLANS = "Docker Hub bills a plan, not an image."
STORAGE = "The storage of images is not estimated."
KEYS = [
    *((each, "certificate", refuses(A_REGISTRY, Promise.HTTPS)) for each in REGISTRIES),
    *((each, "domain", refuses(A_REGISTRY, Promise.DOMAIN)) for each in REGISTRIES),
    *((each, "max", refuses(A_REGISTRY, Promise.AUTOSCALING)) for each in REGISTRIES),
    ("local", "certificate", refuses(ON_THIS_MACHINE, Promise.HTTPS)),
    ("local", "domain", refuses(ON_THIS_MACHINE, Promise.DOMAIN)),
    ("local", "max", refuses(ONE_MACHINE, Promise.AUTOSCALING)),
    ("cloudrun", "domain", refuses(A_NAME_OF_GOOGLE, Promise.DOMAIN)),
    ("webapp", "domain", refuses(A_NAME_OF_AZURE, Promise.DOMAIN)),
]


@pytest.mark.parametrize(
    ("target", "key"), [pytest.param(target, key, marks=mark, id=f"{target}-{key}") for target, key, mark in KEYS]
)
def test_a_key_for_what_there_is_not_is_refused(tmp_path: Path, target: str, key: str) -> None:
    value = "3" if key == "max" else '"app.example.org"'
    (tmp_path / "mldeploy.toml").write_text(f"[target.{target}]\n{key} = {value}\n")
    with pytest.raises(ConfigError, match=f"{target}.{key}: unknown key"):
        target_settings(tmp_path, target, registry.find(target).settings)


@refuses(
    "Nothing is pushed. The new version's container is examined before it gets the port.",
    Promise.CHECKED,
    targets=("local",),
)
def test_nothing_is_pushed_to_the_local_engine(tmp_path: Path) -> None:
    write_app(tmp_path)
    refused = Command(tmp_path / "home", tmp_path)("push", "--target", "local")
    assert refused.code == 2, refused.err
    assert "has no registry" in refused.err


@refuses("The local engine needs no permissions of a cloud.", Promise.POLICY, Promise.PERMISSIONS, targets=("local",))
def test_the_local_engine_has_no_policy() -> None:
    with pytest.raises(WrongTargetError, match="needs no cloud permissions"):
        as_having_policy(registry.find("local"))


@refuses("The local engine needs no account, so there is nothing to rehearse.", Promise.REHEARSED, targets=("local",))
def test_the_local_engine_is_not_rehearsed(tmp_path: Path) -> None:
    write_app(tmp_path)
    refused = Command(tmp_path / "home", tmp_path)("status", "--target", "local", "--rehearse")
    assert refused.code == 2, refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("target", "service"),
    [
        pytest.param("fargate", FargateService, marks=refuses(NO_EXEC_ON_ECS, Promise.EXEC)),
        pytest.param("cloudrun", CloudRunOperations, marks=refuses(NO_EXEC_ON_CLOUD_RUN, Promise.EXEC)),
        pytest.param("containerapps", ContainerAppsService, marks=refuses(NO_EXEC_ON_APPS, Promise.EXEC)),
        pytest.param("webapp", WebappService, marks=refuses(NO_EXEC_ON_APP_SERVICE, Promise.EXEC)),
    ],
)
def test_a_service_without_a_way_in_runs_no_command(target: str, service: type[object]) -> None:
    """`exec` asks for the protocol, and says of a service without it that the target does not support it."""
    assert not issubclass(service, CanExec)
    assert f"target {target}" in str(without_exec(target))


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("local", marks=refuses(OWN_PRICES, Promise.COST)),
        pytest.param("kubernetes", marks=refuses(OWN_PRICES, Promise.COST)),
        pytest.param("dockerhub", marks=refuses(HUB_PLANS, Promise.COST)),
        *(pytest.param(each, marks=refuses(STORAGE, Promise.COST)) for each in ("ecr", "gar", "gcr")),
    ],
)
def test_a_target_without_prices_prints_no_estimate(target: str) -> None:
    assert not isinstance(registry.find(target), HasCosts)


@pytest.mark.parametrize("target", ["fargate", "webapp"])
def test_an_image_for_a_gpu_is_refused_with_the_targets_that_have_one(target: str) -> None:
    """Before the build. What is deployed already can still be looked at and removed."""
    provider, project = registry.find(target), named("shop", "--app")
    assert isinstance(provider, CanPrecheck)
    for_gpu = replace(project, build=replace(project.build, gpu=True))
    with pytest.raises(ConfigError, match="no GPU") as refused:
        provider.precheck(None, for_gpu, provider.settings())
    assert "`cloudrun`, `gke`, `kubernetes`" in refused.value.todo
