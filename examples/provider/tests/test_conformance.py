"""The target `process` passes the conformance suite of mldeploy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mldeploy.config.settings import Project
from mldeploy.project.load import load_project
from mldeploy.rehearsal.client import Rehearsal, run_rehearsal
from mldeploy.testing.rehearsal import RehearsalStage
from mldeploy.testing.suite import Conformance
from mldeploy_process.provider import ManagerClient, ProcessSettings, provider
from mldeploy_process.stand_in import STAND_IN

CONFIGURATION = """\
[app]
name = "example"
command = ["python3", "server.py"]
health = "/"
models = []
"""
SERVER = """\
import http.server, os
address = ("127.0.0.1", int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class ProcessStage(RehearsalStage[ManagerClient, ProcessSettings, Rehearsal]):
    def add_foreign(self) -> None:
        spec = {"command": ["sleep", "1000"], "folder": "/", "env": {}, "digest": "", "owner": "somebody else"}
        ManagerClient(self.endpoints.url).send("PutApp", "stranger", spec)


class TestProcess(Conformance):
    few = 3

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessStage]:
        with run_rehearsal(tmp_path_factory.mktemp("stand-in"), STAND_IN.program, []) as record:
            yield ProcessStage(provider, ProcessSettings.model_validate({}), Rehearsal(record))

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory) -> Project:
        folder = tmp_path_factory.mktemp("app")
        (folder / "mldeploy.toml").write_text(CONFIGURATION)
        (folder / "server.py").write_text(SERVER)
        (folder / "requirements.txt").touch()
        return load_project(folder).project
