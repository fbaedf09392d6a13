"""The app with which it is tried how apps live, in an image on this machine's base."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.testing.sample import SampleApp, sample_app
from tests.names import record

BASE = "mldeploy/python:3.11-slim"


class Sampled:
    """To stand before `Living` and the like among a class's parents."""

    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleApp]:
        """One for all tests of the class."""
        with sample_app(tmp_path_factory.mktemp("sample") / "app", BASE) as app:
            record(app.name)
            yield app
