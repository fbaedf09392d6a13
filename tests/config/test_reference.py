"""The manual is what the code says, its example is valid, and what is committed is current."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from mldeploy.config.load import TABLES, load, target_settings
from mldeploy.config.model import ConfigFile
from mldeploy.config.reference import built_in_targets, main, manual, toml
from mldeploy.config.target import TargetSettings
from tests.compat import contracts

MANUAL = Path(__file__).parents[2] / "docs" / "configuration.md"


class Cloud(TargetSettings):
    """A cloud."""

    size: Literal["s", "m"] = Field(default="s", description="How big.")
    zone: str | None = Field(default=None, description="Where.", examples=["a"])


def tables(targets: dict[str, type[TargetSettings]]) -> dict[str, type[BaseModel]]:
    return {**TABLES, **{f"target.{name}": model for name, model in targets.items()}}


def test_the_examples_of_all_keys_are_a_valid_file(tmp_path: Path) -> None:
    (tmp_path / "mldeploy.toml").write_text(contracts.configuration())
    (tmp_path / "app.env").write_text("")
    load(tmp_path)
    for name, settings in built_in_targets().items():
        target_settings(tmp_path, name, settings)


def test_the_manual_has_each_key_once_and_files_that_can_be_read() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    for table in re.split(r"^## ", text, flags=re.MULTILINE):
        keys = re.findall(r"^### `(\w+)`$", table, re.MULTILINE)
        assert len(keys) == len(set(keys))
    for example in re.findall(r"Example: `([^`]+)`\.$", text, re.MULTILINE):
        assert tomllib.loads(" ".join(example.split()))
    assert tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])["app"]["name"] == "insurance"


def test_every_table_of_the_file_is_in_the_manual() -> None:
    assert {*TABLES, "env", "target"} == ConfigFile.model_fields.keys()


def test_every_key_has_its_text_its_type_its_default_and_its_variable() -> None:
    text = manual({"cloud": Cloud})
    for table, model in tables({"cloud": Cloud}).items():
        for key, info in model.model_fields.items():
            assert info.description, f"{table}.{key}"
            assert re.search(rf"^### `{key}`$", text, re.MULTILINE)
    flat = " ".join(text.split())
    assert 'How big. Must be one of "s", "m". Default: `"s"`. Variable: `MLDEPLOY_TARGET_CLOUD_SIZE`.' in flat
    assert "Must be an integer from 1 to 65535. Default: `5000`. Variable: `MLDEPLOY_APP_PORT`." in flat


def test_the_committed_manual_is_current() -> None:
    """To mend it: `python -m mldeploy.config.reference docs/configuration.md`."""
    assert MANUAL.read_text(encoding="utf-8") == manual(built_in_targets())


def test_the_command_writes_and_checks(tmp_path: Path) -> None:
    file = str(tmp_path / "configuration.md")
    command = f"python -m mldeploy.config.reference {file}"
    with pytest.raises(SystemExit, match=f"run `{re.escape(command)}`"):
        main(["--check", file])
    main([file])
    main(["--check", file])
    Path(file).write_text("stale")
    for arguments in ("--check", "--chekc"):
        with pytest.raises(SystemExit, match=r"run `|usage: "):
            main([arguments, file])


def test_values_are_written_so_that_toml_reads_them_back() -> None:
    for value in (True, 1.5, 'a "quoted" text\n', ["a", "b"], {"A": "1", "B": ["x"]}, {}):
        assert tomllib.loads(f"x = {toml(value)}") == {"x": value}
