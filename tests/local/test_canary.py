"""Two versions of an app behind its proxy: the suite that every target which splits traffic passes, on the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from mldeploy.config.endpoints import PUBLIC, Endpoints
from mldeploy.image.engine import Engine
from mldeploy.providers.local import provider
from mldeploy.providers.local.provider import LocalProvider
from mldeploy.providers.local.settings import LocalSettings
from mldeploy.testing.canary import CanarySuite
from mldeploy.testing.promises import Promise
from mldeploy.testing.sample import SampleApp
from mldeploy.testing.stage import ApiCall, FaultRule
from tests.names import remove_app
from tests.ports import reserved_port
from tests.sampled import Sampled


@dataclass(frozen=True)
class EngineStage:
    """This machine's engine, for one app. Nothing can be made to fail on it here: tests/local/test_faults.py does."""

    engine: Engine
    app: SampleApp
    settings: LocalSettings
    provider: LocalProvider = provider
    endpoints: Endpoints = PUBLIC

    def reset(self) -> None:
        remove_app(self.engine, self.app.name)

    def add_foreign(self) -> None:
        """Other tests' apps are beside it."""

    def contents(self) -> Sequence[str]:
        cloud = provider.connect(self.app.project, self.settings, PUBLIC)
        return [str(each) for each in provider.inventory(cloud, self.app.project)]

    def calls(self) -> Sequence[ApiCall]:
        return ()

    def order(self, strike: FaultRule) -> None:
        raise NotImplementedError

    def struck(self, within: float) -> bool:
        return False

    def clear_faults(self) -> None:
        """There are none."""


@pytest.mark.engine
class TestLocal(Sampled, CanarySuite):
    target = "local"
    unsupported = frozenset({Promise.SCALE})

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, engine: Engine, sample: SampleApp) -> Iterator[EngineStage]:
        with reserved_port() as port:
            yield EngineStage(engine, sample, LocalSettings.model_validate({"port": port}))
