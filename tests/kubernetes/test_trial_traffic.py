"""No request is ever answered by a version whose golden row did not hold: in real containers, under load."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.app.client import AppClient
from mldeploy.core.errors import MldeployError
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.providers.kubernetes.api import DEPLOYMENT
from mldeploy.testing.life import FIRST, AppLife, LifeSuite
from mldeploy.testing.sample import ROUTE, SampleVersion
from tests.kubernetes.stand_in import InContainers, StandIn

PAUSE = 0.02
SECOND = replace(FIRST, code="two")


class Crowd:
    """Whoever asks the app all the time. answers: what they were told, in its order."""

    def __init__(self, url: str) -> None:
        self.answers: list[str] = []
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    @contextmanager
    def asking(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    def _ask(self) -> None:
        while not self._ended.wait(PAUSE):
            try:
                with AppClient(self._url) as app:
                    answer = app.predict(ROUTE, {})
                self.answers.append(str(answer["code"]) if isinstance(answer, dict) else str(answer))
            except MldeployError as error:
                self.answers.append(error.what)


@pytest.mark.engine
class TestTraffic(InContainers, LifeSuite):
    """In the rehearsed cluster."""

    target = "kubernetes"

    def test_a_version_gets_no_request_before_its_golden_row_held(self, life: AppLife, stage: StandIn) -> None:
        app = life.app.name
        url = _deploy(life, FIRST, expected="one")
        crowd, before = Crowd(url), stage.kube.get(DEPLOYMENT, app, app)
        with crowd.asking():
            with pytest.raises(DeploymentFailedError, match="golden row differs"):
                _deploy(life, SECOND, expected="one")
            seen = len(crowd.answers)
            after = stage.kube.get(DEPLOYMENT, app, app)
            assert _deploy(life, SECOND, expected="two") == url
        assert seen > 0
        assert set(crowd.answers[:seen]) == {"one"}
        assert set(crowd.answers) <= {"one", "two"}
        assert _rolled_out(before) == _rolled_out(after)
        assert self.ask(url) == SECOND.answer
        life.end()


def _deploy(life: AppLife, version: SampleVersion, *, expected: str) -> str:
    """Its URL."""
    folder: Path = life.app.folder
    (folder / "golden.json").write_text(json.dumps({"path": ROUTE, "request": {}, "expect": {"code": expected}}))
    life.app.write(version, more='golden = "golden.json"\n')
    deployed = life.scene.deploy().out
    return str(getattr(deployed, "url", ""))


def _rolled_out(result: object) -> object:
    assert isinstance(result, dict)
    return result["metadata"]["generation"], result["spec"]
