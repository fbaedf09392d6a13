"""The completion of instances, releases and apps from the real engine, in real shells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.completing import SHELLS, complete, on_path, open_shell, press_tab, require_shell
from tests.local.world import World

pytestmark = pytest.mark.engine


@pytest.fixture
def deployed(world: World, tmp_path: Path) -> Command:
    """The command line in the folder of an app of which two versions were deployed."""
    world.deploy()
    world.tag = "2"
    world.deploy()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mldeploy.toml").write_text(f'[app]\nname = "{world.name}"\n')
    return Command(tmp_path / "home", folder)


def eventually(command: Command, line: str, *expected: str) -> None:
    """Require the completions of a line. On a busy machine, the engine may not answer in time at first."""
    answers = (complete(command, line) for _ in range(5))
    assert any(set(expected) <= set(answer) for answer in answers)


def test_releases_and_instances_are_those_of_the_engine(deployed: Command, world: World) -> None:
    eventually(deployed, "mldeploy rollback ", "2", "1")
    eventually(deployed, f"mldeploy -C {deployed.folder} rollback -t local ", "2", "1")
    eventually(deployed, "mldeploy exec --instance ", f"mldeploy-{world.name}")
    eventually(deployed, "mldeploy destroy --app t", world.name)
    assert complete(deployed, "mldeploy rollback -t fargate ") == []
    world.engine.client.stop(f"mldeploy-{world.name}")
    assert complete(deployed, "mldeploy exec --instance ") == [], "a command runs in a running instance alone"


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_what_runs_on_this_machine(deployed: Command, world: World, tmp_path: Path, shell: str) -> None:
    require_shell(shell)
    with open_shell(shell, on_path(deployed, tmp_path)) as terminal:
        press_tab(terminal, f"mldeploy destroy --app {world.name[:8]}", world.name)
        press_tab(terminal, "mldeploy exec --instance mldep", f"mldeploy-{world.name}")
        world.engine.client.remove_image(f"{world.name}:1", force=True)
        press_tab(terminal, "mldeploy rollback ", "2")


def test_history_writes_down_the_releases_and_destroy_forgets_them(deployed: Command, world: World) -> None:
    recorded = deployed.state / world.name / "releases.json"
    assert deployed("history").code == 0
    assert '["2", "1"]' in recorded.read_text()
    assert deployed("destroy", "--yes").code == 0
    assert not recorded.exists()
