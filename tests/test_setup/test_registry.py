"""How a registry to rehearse with gets onto a machine, and what is said where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

from scripts.registry import missing
from tests.rehearsal.available import require_registry


def test_a_registry_that_is_there_is_left_alone_and_not_talked_about() -> None:
    require_registry()
    assert missing() is None
    ended = subprocess.run([sys.executable, "-m", "scripts.registry"], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_where_there_is_none_and_none_can_be_had_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    script = "import os; from scripts import registry; os.geteuid = lambda: 1; registry.main()"
    environment = {**os.environ, "PATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0
    assert "docker-registry" in ended.stderr
    assert "Traceback" not in ended.stderr
