"""Conformance tests of targets that offer `[app] access = "key"`: only callers with a key get an answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from mldeploy.config.access_keys import KEY, STORED, AccessKey, dump_keys, with_keys
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.project.load import load_project
from mldeploy.providers.access import access_modes
from mldeploy.providers.base import Address
from mldeploy.testing.promises import Promise, proves
from mldeploy.testing.scene import DeploymentUnderTest
from mldeploy.testing.stage import AnyStage

SECONDS = 300
ROUTE, HEALTH = "/predict_api", "/health"
APP = """\
import json


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"answer": environ["PATH_INFO"]}).encode()]
"""
"""A WSGI app, which the server in the image serves. It answers with the path of the request."""
CONFIGURATION = """\
[app]
name = "{name}"
entry = "app:app"
interface = "wsgi"
models = []
access = "key"
[check]
golden = "golden.json"
[target.local]
port = 0
"""
GOLDEN = '{"path": "/predict_api", "request": {}, "expect": {"answer": "/predict_api"}}'


class AccessKeySuite:
    """A subclass defines the fixture `stage`, whose stand-in runs images. The app is built with mldeploy's server."""

    target: ClassVar[str] = ""
    """The target's name, for the table of promises."""

    @pytest.fixture(scope="class")
    @classmethod
    def stage(cls) -> AnyStage:
        """The provider and its stand-in."""
        raise NotImplementedError("a subclass returns its ProviderUnderTest")

    @pytest.fixture(scope="class")
    @classmethod
    def keyed(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
        """An app that requires a key. Its images are removed at the end."""
        folder, name = tmp_path_factory.mktemp("keyed"), f"k{uuid.uuid4().hex[:10]}"
        write_keyed_app(folder, name)
        yield load_project(folder).project
        engine = Engine.connect()
        catalogue.remove_images(engine, name)
        engine.client.close()

    @proves(Promise.ACCESS_KEY)
    def test_only_callers_with_a_key_get_an_answer(self, stage: AnyStage, keyed: Project, tmp_path: Path) -> None:
        """From the first request on; a key that was revoked opens nothing any more."""
        stage.reset()
        scene = DeploymentUnderTest(stage.provider, stage.settings, stage.endpoints, keyed, tmp_path / "state")
        assert KEY in access_modes(stage.provider, keyed)
        first, second = AccessKey.make("first"), AccessKey.make("second")
        bundle = stage.endpoints.ca_bundle
        for accepted, rejected in (((first,), (second,)), ((first, second), ()), ((second,), (first,))):
            url = _deploy(scene, accepted)
            assert_requires_key(url, [each.value for each in accepted], [each.value for each in rejected], bundle)
        assert scene.destroy().removed
        assert scene.secrets.list() == ()


def write_keyed_app(folder: Path, name: str) -> None:
    """Write an app that requires a key, with a golden row that it answers."""
    (folder / "app.py").write_text(APP)
    (folder / "requirements.txt").touch()
    (folder / "golden.json").write_text(GOLDEN)
    (folder / "mldeploy.toml").write_text(CONFIGURATION.format(name=name))


def assert_requires_key(
    url: str, accepted: Sequence[Secret], rejected: Sequence[Secret], bundle: Path | None = None
) -> None:
    """Assert what an app with access keys answers: 401 with WWW-Authenticate (RFC 6750), or 200; its health is open.

    bundle: the certificates to trust, None: the usual ones.
    """
    session = requests.Session()
    if bundle is not None:
        session.verify = str(bundle)
        session.trust_env = False  # REQUESTS_CA_BUNDLE would count more
    anonymous = session.post(url + ROUTE, json={}, timeout=SECONDS)
    assert anonymous.status_code == 401, f"without a key: {anonymous.status_code}"
    assert anonymous.headers["WWW-Authenticate"].startswith("Bearer")
    assert session.get(url + HEALTH, timeout=SECONDS).status_code == 200, "the health check needs no key"
    for keys, status in ((accepted, 200), (rejected, 401)):
        for key in keys:
            for headers in ({"Authorization": f"Bearer {key.reveal()}"}, {"X-API-Key": key.reveal()}):
                answer = session.post(url + ROUTE, json={}, headers=headers, timeout=SECONDS)
                assert answer.status_code == status, f"{next(iter(headers))}: {answer.status_code}"


def _deploy(scene: DeploymentUnderTest, keys: Sequence[AccessKey]) -> str:
    """Store the keys, deploy an app that accepts them, and return its URL."""
    scene.set_secret(STORED, dump_keys(keys).reveal())
    out = replace(scene, project=with_keys(scene.project, keys)).deploy().out
    assert isinstance(out, Address)
    return out.url
