"""The `[target.local]` table, and the addresses that follow from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from mldeploy.app.container_spec import ContainerSpec
from mldeploy.providers.local.settings import LocalSettings
from tests.local.test_spec import running


def settings(**keys: object) -> LocalSettings:
    return LocalSettings.model_validate(keys)


def test_nothing_needs_to_be_written() -> None:
    defaults = settings()
    assert (defaults.host, defaults.port, defaults.restart) == ("127.0.0.1", None, "unless-stopped")
    assert not defaults.is_public


@pytest.mark.parametrize(
    ("host", "public"), [("127.0.0.2", False), ("::1", False), ("0.0.0.0", True), ("10.0.0.7", True)]
)
def test_who_can_reach_the_app(host: str, public: bool) -> None:
    assert settings(host=host).is_public is public


@pytest.mark.parametrize(
    "keys",
    [
        {"host": "localhost"},
        {"port": -1},
        {"port": 65536},
        {"restart": "sometimes"},
        {"stop_timeout": -1},
        {"prot": 5000},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**keys)


@pytest.mark.parametrize(
    ("published", "url"),
    [
        (("127.0.0.1", 5000), "http://127.0.0.1:5000"),
        (("0.0.0.0", 5000), "http://127.0.0.1:5000"),
        (("", 5000), "http://127.0.0.1:5000"),
        (("::", 5000), "http://[::1]:5000"),
        (("::1", 5000), "http://[::1]:5000"),
        (("10.0.0.7", 80), "http://10.0.0.7:80"),
    ],
)
def test_url_is_one_that_works_on_this_machine(published: tuple[str, int], url: str) -> None:
    spec = ContainerSpec("app", "app:1", "sha256:1", 5000, "", 0, 0, 0, 0, "no", 1, read_only=True, init=True, env=())
    assert replace(running(spec), published=published).url == url
