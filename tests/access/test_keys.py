"""Keys in their store's document, in the app's environment, and in the image: what is there, and what is not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from mldeploy.check.records import CheckSubject
from mldeploy.config.access_keys import AccessKey, dump_keys, parse_keys, with_keys
from mldeploy.config.errors import ConfigError
from mldeploy.config.load import load
from mldeploy.config.secret import Secret
from mldeploy.config.settings import Project
from mldeploy.core.redaction import redact
from mldeploy.image.build_inputs import collect_build_inputs
from mldeploy.image.recipe.serving import server_command
from mldeploy.providers import registry
from mldeploy.providers.access import AccessRefusedError, require_access

KEYS = (AccessKey.make("one"), AccessKey.make("two"))


def project(folder: Path, *lines: str) -> Project:
    (folder / "mldeploy.toml").write_text("\n".join(("[app]", 'name = "shop"', "models = []", *lines)))
    (folder / "app.py").write_text("app = 1\n")
    (folder / "requirements.txt").touch()
    return load(folder)


def test_the_document_gives_back_the_keys() -> None:
    assert parse_keys(dump_keys(KEYS)) == KEYS


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "{}", '{"version": 2, "keys": []}', '{"version": 1, "keys": {}}', '{"version": 1, "keys": [{}]}'],
)
def test_a_document_that_is_none_of_ours_is_refused_without_its_text(document: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_keys(Secret(document))
    assert refused.value.__cause__ is None
    assert "version" not in str(refused.value).replace("this version", "")


@pytest.mark.parametrize("name", ["", "Key", "a b", "-a", "a-", "x" * 41, "ä", "a\n"])
def test_a_strange_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not a valid name"):
        AccessKey.make(name)


def test_the_container_gets_digests_and_mldeploy_the_oldest_key(tmp_path: Path) -> None:
    app = with_keys(project(tmp_path, 'access = "key"', "key_rate = 2.5"), KEYS).app
    variables = {name: value.reveal() for name, value in app.env}
    expected = sorted(hashlib.sha256(each.value.reveal().encode()).hexdigest() for each in KEYS)
    assert variables == {"MLDEPLOY_ACCESS_DIGESTS": " ".join(expected), "MLDEPLOY_ACCESS_RATE": "2.5"}
    assert app.own_key == KEYS[0].value
    assert KEYS[0].value.reveal() not in repr(app)


def test_a_key_is_in_no_message() -> None:
    key = AccessKey.make("fresh").value.reveal()
    assert redact(f"failed with {key}") == "failed with [REDACTED]"


def test_a_public_app_gets_nothing(tmp_path: Path) -> None:
    public = project(tmp_path)
    assert with_keys(public, KEYS) is public
    assert server_command(public.app, None)[-1] == "app:app"
    names = {each.path for each in collect_build_inputs(public).members}
    assert not {name for name in names if "access" in name}


def test_the_image_of_an_app_with_keys_is_the_same_for_all_keys(tmp_path: Path) -> None:
    keyed = project(tmp_path, 'access = "key"', 'health_by = "server"')
    names = {each.path for each in collect_build_inputs(keyed).members if "access" in each.path}
    assert len(names) == 4
    assert server_command(keyed.app, None)[-1] == """mldeploy_access:wsgi("mldeploy_health:wsgi('app:app')")"""
    assert collect_build_inputs(keyed).recipe == collect_build_inputs(with_keys(keyed, KEYS)).recipe
    subjects = {CheckSubject.of(with_keys(keyed, each), "sha256:1") for each in (KEYS, KEYS[:1], ())}
    assert len(subjects) == 1, "other keys are no reason to check the image again"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('access = "key"', 'health = "/predict_api"'), "as the path of predictions"),
        (("key_rate = 5",), "counts requests per access key"),
        (('access = "key"', "key_rate = 0"), "above 0"),
        (('access = "secret"',), '"public", "key", "iam"'),
    ],
)
def test_settings_that_would_open_the_app_are_refused(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        project(tmp_path, *lines)


@pytest.mark.parametrize("target", ["kubernetes", "webapp"])
def test_an_app_with_its_own_server_is_refused_where_nothing_asks(tmp_path: Path, target: str) -> None:
    own = project(tmp_path, 'access = "key"', 'command = ["serve", "--port=$PORT"]')
    with pytest.raises(AccessRefusedError, match="has its own server") as refused:
        require_access(registry.find(target), own)
    assert "local" in refused.value.todo
    require_access(registry.find("local"), own)
    docker = replace(own, app=replace(own.app, command=()), build=replace(own.build, dockerfile="Dockerfile"))
    with pytest.raises(AccessRefusedError, match="its own Dockerfile"):
        require_access(registry.find(target), docker)


def test_a_page_that_needs_websockets_cannot_ask_for_a_key(tmp_path: Path) -> None:
    own = project(tmp_path, 'access = "key"', 'command = ["streamlit", "run", "app.py"]')
    with pytest.raises(AccessRefusedError, match="WebSockets"):
        require_access(registry.find("local"), own)


def test_iam_is_refused_where_the_platform_has_none(tmp_path: Path) -> None:
    with pytest.raises(AccessRefusedError, match="does not offer it"):
        require_access(registry.find("local"), project(tmp_path, 'access = "iam"'))
