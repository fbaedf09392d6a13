"""The conformance suite on a real cluster: `make test-live CONTEXT=name REGISTRY=host/path`.

It works in a namespace of its own, with the example app, and removes both. REGISTRY is where the cluster pulls from.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.config.settings import Project
from mldeploy.core.events import ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.image.engine import Engine
from mldeploy.providers.base import Provider
from mldeploy.providers.kubernetes.api import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    NAMESPACE,
    SECRET,
    SERVICE,
    KubeClient,
)
from mldeploy.providers.kubernetes.cloud import KubernetesCloud
from mldeploy.providers.kubernetes.documents import name_of, uid_of
from mldeploy.providers.kubernetes.kubeconfig import authenticate
from mldeploy.providers.kubernetes.provider import provider as kubernetes
from mldeploy.providers.kubernetes.settings import KubernetesSettings
from mldeploy.providers.kubernetes.watch import wait_until_deleted
from mldeploy.testing.rehearsal import fault
from mldeploy.testing.stage import ApiCall, FaultRule
from mldeploy.testing.suite import Conformance
from tests.kubernetes.conftest import address
from tests.live.proxy import Proxy
from tests.tiny import build, project_of

CONTEXT, REGISTRY = "LIVE_CONTEXT", "LIVE_REGISTRY"
MADE = (CONFIG_MAP, SECRET, SERVICE, DEPLOYMENT, DISRUPTION_BUDGET, AUTOSCALER)
EXAMPLE = Path(__file__).resolve().parents[2] / "example_app"


@dataclass(frozen=True)
class LiveStage:
    """`mldeploy.testing.stage.ProviderUnderTest`."""

    settings: KubernetesSettings
    kube: KubeClient
    proxy: Proxy

    @property
    def provider(self) -> Provider[KubernetesCloud, KubernetesSettings]:
        return kubernetes

    @property
    def endpoints(self) -> Endpoints:
        return self.proxy.endpoints

    def reset(self) -> None:
        found = self.kube.get(NAMESPACE, self.settings.namespace)
        if found is not None:
            self.kube.delete(NAMESPACE, name_of(found), uid=uid_of(found))
            nobody = Monitor(Resource("namespace", Key(name_of(found))), ignore, Cancel())
            wait_until_deleted(self.kube, nobody, NAMESPACE, name_of(found), "", uid_of(found))
        self.proxy.call_log.forget()

    def add_foreign(self) -> None:
        """A real cluster is full of others' things; nothing is made for the sake of it."""

    def contents(self) -> Sequence[str]:
        space = self.settings.namespace
        found = [f"{kind.kind} {name_of(each)}" for kind in MADE for each in self.kube.list(kind, space).items]
        there = self.kube.get(NAMESPACE, space) is not None
        return [*(each for each in found if "kube-root-ca" not in each), *([f"Namespace {space}"] if there else [])]

    def calls(self) -> Sequence[ApiCall]:
        return [ApiCall(call.action, call.writing) for call in self.proxy.call_log.calls]

    def order(self, strike: FaultRule) -> None:
        self.proxy.call_log.faults.add(fault(strike))

    def struck(self, within: float) -> bool:
        return self.proxy.call_log.faults.wait_for_injections(1, within) > 0

    def clear_faults(self) -> None:
        self.proxy.call_log.faults.clear()


@pytest.mark.engine
class TestLive(Conformance):
    """A case is a whole deployment and its removal."""

    few = 3

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStage]:
        kube = authenticate(os.environ[CONTEXT], PUBLIC).kube
        proxy = Proxy(kube, tmp_path_factory.mktemp("proxy"), address(87))
        values = {"namespace": f"mldeploy-live-{uuid.uuid4().hex[:8]}", "ingress": "cluster-ip", "max": 2}
        path = os.environ[REGISTRY]
        stage = LiveStage(KubernetesSettings.model_validate({**values, "registry": path}), kube, proxy)
        yield stage
        stage.clear_faults()
        stage.reset()
        proxy.close()

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory) -> Project:
        """Its image is built already."""
        build(EXAMPLE, Engine.connect(), tmp_path_factory.mktemp("state"))
        project = project_of(EXAMPLE)
        return replace(project, check=replace(project.check, golden=None))
