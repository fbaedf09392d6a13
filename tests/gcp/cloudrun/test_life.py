"""An app on Cloud Run from its first version to its last, in real containers."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mldeploy.app.client import AppClient
from mldeploy.core.errors import MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.project.golden import Json
from mldeploy.providers.gcp.cloudrun.cloud import CloudRunCloud
from mldeploy.providers.gcp.cloudrun.permissions import RUN_PERMISSIONS, STORE_PERMISSIONS
from mldeploy.providers.gcp.cloudrun.provider import provider
from mldeploy.providers.gcp.cloudrun.settings import CloudRunSettings
from mldeploy.rehearsal.gcp import GcpRehearsal, rehearsing
from mldeploy.testing.access import AccessKeySuite
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.life import FIRST, AppLife, RolloutSuite
from mldeploy.testing.load import ZeroDowntimeSuite
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.sample import ROUTE, SampleVersion
from mldeploy.testing.secrets import SecretArrivalSuite
from tests.gcp.cloudrun.harness import RunHarness, make_strangers
from tests.gcp.harness import GcpStage, granted_by
from tests.rehearsal.available import require_registry
from tests.sampled import Sampled


@pytest.fixture(scope="session")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcpRehearsal]:
    """One whose instances are containers."""
    require_registry()
    with rehearsing(tmp_path_factory.mktemp("cloudrun") / "gcp") as rehearsal:
        yield rehearsal


REQUESTS = 2000
BROKEN = {
    "nothing listens": (SampleVersion(listens=9999, patience=5.0), "on port 8080 did not become healthy"),
    "unhealthy": (SampleVersion(status=500, patience=5.0), "on port 8080 did not become healthy"),
    "out of memory": (SampleVersion(before="full = b'x' * (3000 << 20)"), "out of memory"),
    "ends": (SampleVersion(before="raise SystemExit(0)"), "it ended by itself"),
}


class OnCloudRun(Sampled):
    """Asked at its own URL, on an account with the permissions of a deployment and of secrets."""

    target = "cloudrun"

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, lively: GcpRehearsal) -> GcpStage[CloudRunCloud, CloudRunSettings]:
        settings = CloudRunSettings.model_validate({})
        granted = granted_by({**RUN_PERMISSIONS, **STORE_PERMISSIONS})
        return GcpStage(provider, settings, lively, make_strangers, granted)

    @pytest.fixture(autouse=True)
    def _trust(self, lively: GcpRehearsal) -> None:
        self.bundle = lively.endpoints.ca_bundle

    def ask(self, url: str) -> Json:
        with AppClient(url, self.bundle) as client:
            return client.predict(ROUTE, {})


@pytest.mark.engine
@pytest.mark.exhaustive
class TestSecretsArrive(OnCloudRun, SecretArrivalSuite):
    """From Secret Manager."""


@pytest.mark.engine
@pytest.mark.exhaustive
class TestAccessKeys(OnCloudRun, AccessKeySuite):
    """The server in the image asks, also while the first version is private."""


@pytest.mark.engine
class TestCloudRun(OnCloudRun, RolloutSuite, ZeroDowntimeSuite, CanarySuite):
    """What every provider must pass, and nobody notices a new version."""

    unsupported = frozenset({Promise.EXEC})

    @proves(Promise.GOLDEN_ROW)
    @pytest.mark.exhaustive
    def test_no_request_reaches_a_version_before_its_golden_row_held(self, life: AppLife) -> None:
        url = self._deploy_with_row(life, FIRST, "one")
        second = replace(FIRST, code="two")
        with self._listen(url) as answers:
            with pytest.raises(DeploymentFailedError, match="golden row differs"):
                self._deploy_with_row(life, second, "one")
            seen = len(answers)
            assert self._deploy_with_row(life, second, "two") == url
        assert seen > 0
        assert set(answers[:seen]) == {"one"}
        assert set(answers) <= {"one", "two"}
        life.end()

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("what", BROKEN)
    def test_its_cause_is_named(self, life: AppLife, what: str) -> None:
        version, cause = BROKEN[what]
        first = life.deploy(FIRST)
        verdict = life.break_(replace(version, code="broken"))
        assert cause in verdict.cause
        assert verdict.todo
        assert self.ask(first.url) == FIRST.answer
        life.end()

    @pytest.mark.exhaustive
    def test_a_candidate_gets_its_share_and_no_request_fails(self, life: AppLife, lively: GcpRehearsal) -> None:
        url = life.deploy(FIRST).url
        life.app.write(replace(FIRST, code="two"))
        project, settings = life.scene.project, CloudRunSettings.model_validate({})
        run = RunHarness(lively, project, life.state, settings.model_dump(exclude_unset=True))
        with self._listen(url) as answers:
            candidate = run.offer()
            assert self.ask(candidate.url) == replace(FIRST, code="two").answer
            assert set(answers) == {"one"}
            run.traffic.shift(10, life.scene.monitor)
            with ThreadPoolExecutor(8) as callers:
                codes = Counter(callers.map(lambda _: self._code(url), range(REQUESTS)))
            assert run.traffic.promote(life.scene.monitor).url == url
        assert codes.total() == REQUESTS
        assert 0.07 <= codes["two"] / REQUESTS <= 0.13
        assert set(answers) == {"one", "two"}
        assert self._code(url) == "two"
        life.end()

    def _code(self, url: str) -> str:
        answer = self.ask(url)
        assert isinstance(answer, dict)
        return str(answer["code"])

    @contextmanager
    def _listen(self, url: str) -> Iterator[list[str]]:
        """Ask again and again during the block; the code of each answer."""
        codes: list[str] = []
        ended = threading.Event()

        def call() -> None:
            while not ended.is_set():
                try:
                    codes.append(self._code(url))
                except MldeployError as error:
                    codes.append(error.what)

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        try:
            yield codes
        finally:
            ended.set()
            thread.join()

    @staticmethod
    def _deploy_with_row(life: AppLife, version: SampleVersion, expected: str) -> str:
        """Its URL. expected: the code that the row expects."""
        row = {"path": ROUTE, "request": {}, "expect": {"code": expected}}
        (life.app.folder / "golden.json").write_text(json.dumps(row))
        life.app.write(version, more='golden = "golden.json"\n')
        return str(getattr(life.scene.deploy().out, "url", ""))
