"""An app that takes more memory than it may: the kernel kills it, the cluster says so, and so does the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mldeploy.app.causes import About
from mldeploy.app.verdict import VerdictError
from mldeploy.core.errors import ExitCode
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.kubernetes.provider import provider
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.rehearsal.kubernetes import KubernetesRehearsal, rehearsing
from mldeploy.testing.sample import SampleApp, SampleVersion, sample_app
from mldeploy.testing.scene import DeploymentUnderTest
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine
BASE = "mldeploy/python:3.11-slim"


@pytest.fixture
def lively(tmp_path: Path) -> Iterator[KubernetesRehearsal]:
    """Its pods are containers."""
    require_registry()
    with rehearsing(tmp_path / "place") as rehearsal:
        yield rehearsal


@pytest.fixture
def app(tmp_path: Path) -> Iterator[SampleApp]:
    with sample_app(tmp_path / "app", BASE) as made:
        yield made


@pytest.mark.exhaustive
def test_the_verdict_says_that_it_was_the_memory_and_how_much_there_was(
    lively: KubernetesRehearsal, app: SampleApp, tmp_path: Path
) -> None:
    app.write(SampleVersion(memory="64m", before="model = bytearray(256 << 20)"))
    settings = KubernetesSettings.model_validate({})
    scene = DeploymentUnderTest(provider, settings, lively.endpoints, app.project, tmp_path / "state")
    with pytest.raises(DeploymentFailedError) as failed:
        scene.deploy()
    verdict = failed.value.failures[0][1]
    assert isinstance(verdict, VerdictError)
    assert verdict.about is About.MEMORY
    assert "out of memory: it was killed at the limit of 64 MiB" in str(verdict)
    assert (verdict.exit_status, verdict.exit_code) == (137, ExitCode.FAILED)
    scene.destroy()
    assert lively.contents() == ()
