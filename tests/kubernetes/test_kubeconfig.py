"""Which cluster, and with whose credentials: what a kubeconfig says, and what is said of one that does not do."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml

from mldeploy.config.endpoints import PUBLIC
from mldeploy.core.errors import ExitCode
from mldeploy.providers.kubernetes.errors import KubernetesCredentialsError
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from tests.kubernetes.fake.server import TOKEN, FakeCluster


def write(user: dict[str, object], *, server: str = "https://127.0.0.1:9", ca: Path | None = None) -> None:
    """A kubeconfig with one context, `here`."""
    path = Path(os.environ["KUBECONFIG"])
    path.parent.mkdir(parents=True, exist_ok=True)
    cluster = {"server": server, **({"certificate-authority": str(ca)} if ca else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(config))


def plugin(folder: Path, script: str) -> dict[str, object]:
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}}


def refusal(context: str = "") -> KubernetesCredentialsError:
    with pytest.raises(KubernetesCredentialsError) as caught:
        authenticate(context, PUBLIC)
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "\n" not in caught.value.what
    return caught.value


def test_a_token_of_the_current_context_opens_the_door(fake: FakeCluster) -> None:
    write({"token": TOKEN}, server=fake.endpoints.url, ca=fake.endpoints.ca_bundle)
    access = authenticate("", PUBLIC)
    assert access.context == "here"
    assert access.kube.version() == "v1.33.0-fake"


def test_a_plugin_that_gives_a_token_is_run(fake: FakeCluster, tmp_path: Path) -> None:
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": TOKEN},
    }
    write(
        plugin(tmp_path, f"echo '{json.dumps(credential)}'"),
        server=fake.endpoints.url,
        ca=fake.endpoints.ca_bundle,
    )
    assert authenticate("here", PUBLIC).kube.version() == "v1.33.0-fake"


def test_without_a_kubeconfig_it_says_where_it_looked() -> None:
    assert os.environ["KUBECONFIG"] in str(refusal())


def test_an_unknown_context_is_answered_with_those_that_there_are() -> None:
    write({"token": "x"})
    error = refusal("there")
    assert "'there'" in error.what
    assert "here" in error.todo


@pytest.mark.parametrize("content", ["", "{", "- 1", "contexts: 3", "\0"])
def test_a_broken_kubeconfig_is_one_sentence(content: str) -> None:
    path = Path(os.environ["KUBECONFIG"])
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert str(path) in refusal().what


def test_a_plugin_that_fails_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(plugin(tmp_path, "echo 'run gcloud auth login' >&2; exit 1"))
    assert "run gcloud auth login" in refusal().what
    assert capfd.readouterr() == ("", "")


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    (tmp_path / "plugin").unlink()
    write(user)
    assert "plugin" in refusal().what
