"""The same image through BuildKit, where a docker command on this machine can drive it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import requests

from mldeploy.core.errors import ExitCode, InterruptedByUser
from mldeploy.core.events import Event, Progressed
from mldeploy.core.monitor import Cancel
from mldeploy.core.verbs import DeploymentFailedError
from mldeploy.image.builders.choice import find_client
from mldeploy.image.errors import BuildError, EngineError
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError
from tests.image.conftest import Built
from tests.image.shop import Shop, write

EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""The layer that BuildKit makes of a WORKDIR that is there already."""

pytestmark = pytest.mark.engine
needs_buildkit = pytest.mark.skipif(find_client() is None, reason="no docker command here can drive BuildKit")


def layers(shop: Shop, image: Image) -> list[str]:
    return [layer for layer in shop.inspected(image)["RootFS"]["Layers"] if layer != EMPTY]


def failure(shop: Shop, **build: object) -> Exception:
    with pytest.raises(DeploymentFailedError) as caught:
        shop.build(shop.project(builder="buildkit", **build))
    return caught.value.failures[0][1]


@needs_buildkit
def test_both_builders_make_the_same_layers(built: Built, alone: Shop) -> None:
    """Neither the builder nor the day is in them, so a push of what the registry has already sends nothing."""
    classic = built.shop.build().out
    again = alone.build(alone.project(builder="buildkit")).out
    assert (classic.builder, again.builder) == ("classic", "buildkit")
    assert layers(alone, again) == layers(built.shop, classic)
    assert [each.instruction for each in again.layers] == [each.instruction for each in classic.layers]
    assert alone.build(alone.project(builder="classic")).out == again, "which builder it was is no reason to build"


@needs_buildkit
def test_it_tells_how_far_it_is(alone: Shop) -> None:
    alone.build(alone.project(builder="buildkit"))
    messages = alone.progress()
    sent = [each for each in messages if each.text == "Sending the files"]
    steps = [each for each in messages if each.total and not each.in_bytes]
    assert sent[-1].done == sent[-1].total > 0
    assert [each.done for each in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].done <= steps[-1].total
    assert any(each.text == "Installing the dependencies" for each in steps)


@needs_buildkit
def test_the_failing_instruction_and_what_it_printed_last(alone: Shop) -> None:
    write(alone.folder, {"requirements.txt": "flask==3.1.3\nthere-is-no-such-package-as-this==1\n"})
    error = failure(alone)
    assert isinstance(error, BuildError)
    assert "RUN" in error.where
    assert "uv venv" in error.where
    assert error.what.startswith("ended with code ")
    assert "there-is-no-such-package-as-this" in error.what
    assert "\x1b" not in error.what
    assert "Correct the requirements" in error.todo
    assert error.exit_code is ExitCode.BUILD
    assert not alone.engine.client.images(all=True, filters={"label": f"mldeploy.app={alone.name}"})


@needs_buildkit
def test_a_dockerfile_that_needs_it(alone: Shop) -> None:
    write(
        alone.folder,
        {
            "Dockerfile": f"FROM {alone.project().build.base_image}\nARG GREETING\n"
            "RUN --mount=type=tmpfs,target=/scratch echo $GREETING > /made\nCOPY . /srv\nCMD cat /made\n",
            ".dockerignore": "*.txt\nDockerfile\n.dockerignore\n",
        },
    )
    own = alone.project(builder="buildkit", dockerfile="Dockerfile", args=(("GREETING", "hello"), ("PATH", "nowhere")))
    image = alone.build(own).out
    assert alone.run(image, "sh", "-c", "ls -A /srv; cat /made").split() == ["app.py", "model.bin", "hello"]


@needs_buildkit
def test_a_dockerfile_that_is_wrong(alone: Shop) -> None:
    write(alone.folder, {"Dockerfile": "FROM scratch\nCOPPY . .\n"})
    error = failure(alone, dockerfile="Dockerfile")
    assert isinstance(error, BuildError)
    assert "unknown instruction: COPPY" in error.what
    assert "LLB" not in error.what


@needs_buildkit
def test_a_stop_ends_the_build(alone: Shop) -> None:
    """A step that would take five minutes is stopped half-way: the docker command is gone, and there is no image."""
    write(alone.folder, {"Dockerfile": f"FROM {alone.project().build.base_image}\nRUN echo {alone.name}; sleep 300\n"})
    cancel = Cancel()

    class Stopper(list[Event]):
        def append(self, event: Event) -> None:
            if isinstance(event, Progressed) and event.progress.text.startswith("RUN"):
                threading.Timer(0.5, cancel.request).start()

    alone.events = Stopper()
    with pytest.raises(InterruptedByUser):
        alone.build(alone.project(builder="buildkit", dockerfile="Dockerfile"), cancel)
    assert not alone.engine.client.images(all=True, filters={"label": f"mldeploy.app={alone.name}"})
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if _parent(pid) == os.getpid() and _is_docker(pid)]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_docker(process: Path) -> bool:
    try:
        return b"--iidfile" in (process / "cmdline").read_bytes()
    except OSError:
        return False


@needs_buildkit
def test_a_file_that_changes_while_it_is_sent_fails_the_build(alone: Shop) -> None:
    big = alone.folder / "app.py"
    big.write_text("#" * (32 << 20))

    class Writer(list[Event]):
        def append(self, event: Event) -> None:
            if isinstance(event, Progressed) and event.progress.in_bytes:
                big.write_text("shorter")

    alone.events = Writer()
    error = failure(alone)
    assert isinstance(error, ProjectError)
    assert "changed while it was being read" in error.what


def test_without_a_client_the_classic_builder_builds(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A docker command of today without its plugin is no client of BuildKit."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n[ $# = 1 ] && echo 'Docker version 28.2.2, build e6534b4'\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    if find_client() is not None:
        pytest.skip("this machine has the plugin where every docker command finds it")
    write(shop.folder, {"app.py": "# another\n"})
    assert shop.build(shop.project(builder="auto")).out.builder == "classic"
    write(shop.folder, {"app.py": "# yet another\n"})
    error = failure(shop)
    assert isinstance(error, EngineError)
    assert "no buildx plugin" in error.what
    assert "buildx" in error.todo


def test_the_docker_command_is_led_to_no_repository(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    answer = "[ $2 = version ] && echo 'github.com/docker/buildx v0.26.1 1a8287f' && exit"
    docker.write_text(f"#!/bin/sh\n{answer}\n/usr/bin/env > {tmp_path}/environment\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    write(shop.folder, {"app.py": "# in a hook\n"})
    failure(shop)
    environment = (tmp_path / "environment").read_text().splitlines()
    assert "BUILDX_GIT_INFO=false" in environment
    assert "GIT_SSH_COMMAND=ssh -i key" in environment
    assert f"GIT_DIR={tmp_path}" not in environment


@pytest.mark.exhaustive
@needs_buildkit
def test_the_cache_goes_to_a_registry_and_comes_from_there(alone: Shop, registry: str) -> None:
    reference = f"{registry}/{alone.name}:cache"
    image = alone.build(alone.project(builder="buildkit", cache_to=reference)).out
    assert not alone.notes()
    tags = requests.get(f"http://{registry}/v2/{alone.name}/tags/list", timeout=300).json()["tags"]
    assert tags == ["cache"]
    assert alone.engine.client.inspect_image(image.digest)["RepoTags"] == [image.reference]
    write(alone.folder, {"app.py": "# edited\n"})
    alone.build(alone.project(builder="buildkit", cache_from=(reference,)))
    assert not alone.notes()


@needs_buildkit
def test_a_cache_that_cannot_be_reached_is_no_reason_to_fail(alone: Shop) -> None:
    nowhere = f"127.0.0.1:9/{alone.name}:cache"
    alone.build(alone.project(builder="buildkit", cache_from=(nowhere,), cache_to=nowhere))
    (note,) = alone.notes()
    assert note.startswith(f"The cache was not written to {nowhere}: ")


def test_the_classic_builder_says_that_it_has_no_such_cache(shop: Shop) -> None:
    write(shop.folder, {"app.py": "# built without a cache\n"})
    shop.build(shop.project(builder="classic", cache_to="127.0.0.1:9/x:cache"))
    assert any("need BuildKit" in note for note in shop.notes())
