"""A build that is killed leaves no password, and what else it leaves goes with the next command."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest

from mldeploy.core.scratch import leftovers, sweep
from mldeploy.image.builders.choice import find_client
from mldeploy.image.engine import Engine
from tests.image.shop import Shop, write

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_client() is None, reason="no docker command here can drive BuildKit"),
]


def holding(folder: Path, word: bytes) -> list[Path]:
    """The files below a folder in which the word stands."""
    return [path for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]


def commands(folder: Path) -> list[psutil.Process]:
    """The docker commands of a build that keeps its files in the folder."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if str(folder) in " ".join(each.info["cmdline"] or ()) and each.pid != os.getpid()]


def test_sigkill_during_a_build(engine: Engine, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    app = tmp_path / "app"
    app.mkdir()
    write(app, {"app.py": "", "requirements.txt": ""})
    build = Shop(app, engine).project().build
    password = f"pw-{uuid.uuid4().hex}"
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.adversarial.building", build.base_image, build.platform),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        process.stdin.write(f"{password}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "running\n"
        docker = commands(temporary)
        assert docker
        assert not any(password in " ".join(each.cmdline()) for each in docker)
        assert leftovers(temporary) == (), "what is in use is not left over"
        process.kill()
    _, alive = psutil.wait_procs(docker, timeout=240)
    assert alive == [], "the docker command, which knows the password, ends with the process that started it"
    assert holding(temporary, password.encode()) == []
    assert holding(Path("/dev/shm"), password.encode()) == []
    assert len(list(temporary.iterdir())) == 1
    assert sweep(temporary)
    assert list(temporary.iterdir()) == []
