"""Whatever users, their scripts and other people's packages depend on by name is still there. There may be more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mldeploy.providers import capabilities
from tests.compat import contracts
from tests.compat.world import RECORD, User, load, recorded_targets

RECORDED: Mapping[str, Any] = load("contracts.json")


@pytest.mark.parametrize("command", RECORDED["commands"])
def test_a_command_has_its_options_and_its_document_its_fields(command: str) -> None:
    now = contracts.commands()
    assert command in now
    recorded = RECORDED["commands"][command]
    assert set(recorded["options"]) <= set(now[command]["options"])
    assert recorded["fields"].items() <= now[command]["fields"].items()


def test_an_exit_code_keeps_its_number() -> None:
    assert RECORDED["exit codes"].items() <= contracts.exit_codes().items()


def test_every_key_and_every_variable_is_still_known() -> None:
    assert set(RECORDED["keys"]) <= set(contracts.keys(contracts.configuration()))
    assert set(RECORDED["variables"]) <= set(contracts.variables())


@pytest.mark.engine
def test_a_file_with_every_key_is_still_read(tmp_path: Path) -> None:
    """A key or a value that is refused ends any command with the exit code of a wrong configuration."""
    user = User(tmp_path)
    user.write_app()
    (user.app / "mldeploy.toml").write_text((RECORD / "mldeploy.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (user.app / "app.env").touch()  # the file that one of the keys names
    assert user.run("ps")["app"] == "insurance"


@pytest.mark.parametrize("target", RECORDED["providers"])
def test_a_target_still_knows_every_kind_in_its_journals(target: str) -> None:
    recorded, now = RECORDED["providers"][target], contracts.providers()[target]
    assert now["name"] == recorded["name"]
    assert set(recorded["kinds"]) <= set(now["kinds"])
    assert set(recorded["settings"]) <= set(now["settings"])


@pytest.mark.parametrize("module", sorted({*contracts.BASIS, "mldeploy.providers.base"}))
def test_what_somebody_elses_provider_builds_on_is_still_there(module: str) -> None:
    recorded, now = RECORDED["interface"][module], contracts.interface()[module]
    lost = [
        f"{thing}.{member}({', '.join(parameters)})" if isinstance(members, dict) else thing
        for thing, members in recorded.items()
        for member, parameters in (members.items() if isinstance(members, dict) else [("", members)])
        if not _has(now, thing, member, parameters)
    ]
    assert lost == []


def test_a_provider_need_not_have_more_than_it_had() -> None:
    """Whoever implements these protocols has the members of then, and no others."""
    base, recorded = contracts.interface()["mldeploy.providers.base"], RECORDED["interface"]["mldeploy.providers.base"]
    for protocol in ("Provider", "Service"):
        assert base[protocol].keys() == recorded[protocol].keys()


def test_an_optional_capability_has_at_most_four_methods() -> None:
    own = [each for each in vars(capabilities).values() if getattr(each, "__module__", "") == capabilities.__name__]
    protocols = [each for each in own if getattr(each, "_is_protocol", False)]
    assert {"Registry", "Runtime", "CanExec", "HasCosts"} <= {each.__name__ for each in protocols}
    assert [each for each in protocols if not 1 <= len(contracts.members(each)) <= 4] == []


def test_the_record_is_small() -> None:
    assert sum(each.stat().st_size for each in RECORD.rglob("*") if each.is_file()) < 300_000
    assert all(json.loads((RECORD / f"{target}.json").read_text()) for target in recorded_targets())


def _has(now: Mapping[str, Any], thing: str, member: str, parameters: list[str]) -> bool:
    """The parameters of then come first, in their order."""
    there = now.get(thing)
    if member:
        there = there.get(member) if isinstance(there, dict) else None
    return isinstance(there, list) and there[: len(parameters)] == parameters
