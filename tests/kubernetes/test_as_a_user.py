"""Faults that showed on a real cluster: foreign objects, programs that do not start, a registry that is down, names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from mldeploy.config import load
from mldeploy.config.errors import ConfigError
from mldeploy.config.secret import Secret
from mldeploy.core.errors import RefusedError
from mldeploy.image.registry.access import RegistryAccess
from mldeploy.image.registry.client import RegistryClient, RegistryError
from mldeploy.providers.capabilities import Streams
from mldeploy.providers.errors import AbsentError
from mldeploy.providers.kubernetes.forward import exit_status
from mldeploy.providers.kubernetes.permissions import RULES
from mldeploy.providers.kubernetes.provider import KubernetesProvider
from mldeploy.providers.kubernetes.running.verdict import verdict_without_pod
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes.objects import types as kinds
from mldeploy.rehearsal.kubernetes.objects.types import Object
from tests.kubernetes.harness import DeployHarness

EXEC = "Internal error occurred: Internal error occurred: error executing command in container: failed to exec in "
RUNTIME = "container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: "


def foreign_deployment(name: str) -> Object:
    pod = {"containers": [{"name": "theirs", "image": "theirs"}]}
    labels = {"app": "theirs"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


@pytest.mark.exhaustive
@pytest.mark.engine
def test_a_deployment_of_somebody_else_is_refused_before_anything_is_made(harness: DeployHarness) -> None:
    harness.fake.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": harness.app}})
    harness.fake.put(foreign_deployment(harness.app))
    error = harness.refused()
    assert isinstance(error, RefusedError)
    assert f"Deployment {harness.app} in {harness.app}: was not created by mldeploy" in str(error)
    made = (kinds.SERVICES, kinds.CONFIG_MAPS, kinds.SECRETS, kinds.BUDGETS)
    assert not [each for kind in made for each in harness.fake.store.list(kind)]
    with pytest.raises(RefusedError, match="was not created by mldeploy"):
        harness.plan()


def status(message: str) -> str:
    return json.dumps({"status": "Failure", "reason": "InternalError", "message": message, "code": 500})


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ('exec: "nosuchcmd": executable file not found in $PATH', 127),
        ('exec: "/nosuchcmd": stat /nosuchcmd: no such file or directory', 127),
        ('exec: "/app": permission denied', 126),
    ],
)
def test_a_program_that_does_not_start_has_the_exit_status_of_a_shell(reason: str, code: int) -> None:
    said: list[bytes] = []
    streams = Streams(said.append, said.append)
    assert exit_status("pod", "nosuchcmd", status(EXEC + RUNTIME + reason), streams) == code
    (line,) = said
    assert line.startswith(b"nosuchcmd: ")
    assert b"Internal error" not in line


def test_another_failure_of_exec_is_told_without_its_wrapping() -> None:
    streams = Streams(lambda _: None, lambda _: None)
    with pytest.raises(AbsentError) as caught:
        exit_status("pod", "ls", status("Internal error occurred: Internal error occurred: it is gone"), streams)
    assert caught.value.what == "it is gone"


def test_a_registry_that_is_down_is_told_without_the_librarys_objects() -> None:
    with (
        RegistryClient(RegistryAccess("127.0.0.1:9", "", Secret(""))) as registry,
        pytest.raises(RegistryError) as caught,
    ):
        registry.tags("app")
    assert "Connection refused" in caught.value.what
    assert "Pool(" not in caught.value.what
    assert "Connection(" not in caught.value.what


def test_a_missing_service_account_is_named_with_its_setting() -> None:
    message = 'pods "x" is forbidden: error looking up service account n/s: serviceaccount "s" not found'
    error = verdict_without_pod("app", message)
    assert "the namespace has no service account s" in str(error)
    assert "`service_account`" in str(error)


@pytest.mark.parametrize("key", ["ingress_class", "tls_secret", "cluster_issuer", "gateway_listener"])
@pytest.mark.parametrize("name", ["a..b", "a.-b", "a.", ".a", "A"])
def test_a_name_that_the_server_refuses_is_refused_in_the_settings(key: str, name: str) -> None:
    with pytest.raises(ValidationError):
        KubernetesSettings.model_validate({key: name})


@pytest.mark.parametrize("name", ["..x", "..", ".", "x" * 254])
def test_a_variable_that_is_no_key_of_a_secret_is_refused_in_the_settings(name: str) -> None:
    project = load.named("insurance", "a test")
    wrong = replace(project, app=replace(project.app, env=((name, Secret("1")),)))
    with pytest.raises(ConfigError, match="is not a valid variable name"):
        KubernetesProvider().goal(wrong, KubernetesSettings.model_validate({}))


def test_the_role_in_an_existing_namespace_lets_it_be_read() -> None:
    assert ("namespaces", ("get",)) in [(each.resource, each.verbs) for each in RULES]
