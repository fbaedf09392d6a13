"""An app with access keys is the same everywhere: closed from its first request on, and open to those with a key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mldeploy.cli.stand_ins import rehearsed_targets
from mldeploy.config.load import named
from mldeploy.config.paths import config_file
from mldeploy.config.secret import Secret
from mldeploy.image import catalogue
from mldeploy.image.engine import Engine
from mldeploy.providers import registry
from mldeploy.providers.access import access_modes
from mldeploy.providers.capabilities import Runtime
from mldeploy.testing.access import assert_requires_key, write_keyed_app
from mldeploy.testing.promises import Promise, proves
from tests.cli.command import Command, Result
from tests.names import record
from tests.rehearsal.available import require_registry

pytestmark = pytest.mark.engine

LOCAL = "local"
WITH_OUR_SERVER = replace(named("shop", "--app").app, access="key")


def _runtimes() -> Iterator[str]:
    for name in (LOCAL, *rehearsed_targets()):
        if isinstance(registry.find(name), Runtime):
            yield name


def _offers_keys(name: str) -> bool:
    project = named("shop", "--app")
    return "key" in access_modes(registry.find(name), replace(project, app=WITH_OUR_SERVER))


OFFERED = [
    pytest.param(each, marks=() if each == LOCAL else pytest.mark.exhaustive)
    for each in _runtimes()
    if _offers_keys(each)
]


@dataclass(frozen=True)
class KeyedApp:
    """A folder, and what its user types for one target."""

    mldeploy: Command
    folder: Path
    place: Sequence[str] = ()

    def on(self, target: str) -> KeyedApp:
        return replace(self, place=("--target", target, *(() if target == LOCAL else ("--rehearse",))))

    @property
    def bundle(self) -> Path:
        """The certificates of all simulators that speak TLS."""
        records = [json.loads(file.read_text()) for file in self.mldeploy.state.glob("rehearsal*/place.json")]
        bundle = self.mldeploy.home / "simulators.pem"
        bundle.write_text("".join(Path(each["ca_bundle"]).read_text() for each in records if each.get("ca_bundle")))
        return bundle

    def type(self, *words: str) -> Result:
        done = self.mldeploy(words[0], *self.place, *words[1:])
        assert done.code == 0, f"{words}: {done.err}"
        return done


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedApp]:
    require_registry()
    folder, name = tmp_path_factory.mktemp("keyed"), f"k{uuid4().hex[:10]}"
    record(name)
    write_keyed_app(folder, name)
    mldeploy = Command(tmp_path_factory.mktemp("home"), folder)
    if config_file().exists():  # what belongs to this machine: its base image, its certificates
        own = mldeploy.home / "config" / "mldeploy" / "config.toml"
        own.parent.mkdir(parents=True)
        shutil.copy(config_file(), own)
    yield KeyedApp(mldeploy, folder)
    mldeploy("destroy", "--yes")  # where a test has failed
    mldeploy("rehearse", "down")
    engine = Engine.connect()
    catalogue.remove_images(engine, name)
    engine.client.close()


@proves(Promise.ACCESS_KEY)
@pytest.mark.parametrize("name", OFFERED)
def test_a_request_without_a_key_gets_401_and_a_key_can_be_replaced(keyed: KeyedApp, name: str) -> None:
    app = keyed.on(name)
    deployed = app.type("deploy", "--json").document
    url, first = str(deployed["url"]), app.type("keys", "show", "--quiet").out.strip()
    assert first not in app.type("deploy").err
    bundle = app.bundle if url.startswith("https") else None
    assert_requires_key(url, [Secret(first)], [], bundle)
    steps: Any = app.type("deploy", "--json").document["steps"]
    assert {each["action"] for each in steps} == {"unchanged"}
    assert app.type("predict", "--data", "{}", "--json").document["answer"] == {"answer": "/predict_api"}

    second = str(app.type("keys", "create", "partner", "--json").document["value"])
    url = str(app.type("open", "--json").document["url"])
    assert_requires_key(url, [Secret(first), Secret(second)], [Secret(second.upper())], bundle)
    app.type("keys", "revoke", "default")
    url = str(app.type("open", "--json").document["url"])
    assert_requires_key(url, [Secret(second)], [Secret(first)], bundle)
    assert app.type("predict", "--data", "{}", "--json").document["answer"] == {"answer": "/predict_api"}
    assert app.type("destroy", "--yes", "--json").document["removed"]
    assert app.type("keys", "list", "--json").document["keys"] == []
