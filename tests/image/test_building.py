"""When an image is built, what a build tells, what it leaves, and what an edit costs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mldeploy.core.errors import ExitCode, InterruptedByUser
from mldeploy.core.events import Action, ignore
from mldeploy.core.monitor import Cancel, Monitor
from mldeploy.core.step import Key, Resource
from mldeploy.core.verbs import DeploymentFailedError, Intent
from mldeploy.image import engine
from mldeploy.image.builders.build import build_image
from mldeploy.image.builders.build_request import BuildRequest
from mldeploy.image.context import Context
from mldeploy.image.engine import Engine
from mldeploy.image.errors import BuildError
from mldeploy.image.files import list_files
from mldeploy.image.types import Image
from mldeploy.project.errors import ProjectError
from mldeploy.project.ignore import Ignore
from tests.image.conftest import Built
from tests.image.shop import Shop, write
from tests.local.engine_proxy import EngineProxy, Fault

pytestmark = pytest.mark.engine


def layers(shop: Shop, image: Image) -> list[str]:
    result: list[str] = shop.inspected(image)["RootFS"]["Layers"]
    return result


def failure(shop: Shop, given: Any = None) -> Exception:
    with pytest.raises(DeploymentFailedError) as caught:
        shop.build(given)
    return caught.value.failures[0][1]


def test_a_second_build_is_a_look_up(built: Built) -> None:
    assert built.shop.planned() is Intent.UNCHANGED
    again = built.shop.build()
    assert [step.action for step in again.steps] == [Action.UNCHANGED, Action.UNCHANGED]
    assert again.out == built.image


def test_plan_says_that_a_build_is_needed(alone: Shop) -> None:
    assert alone.planned() is Intent.CREATE


@pytest.mark.exhaustive
def test_it_tells_how_far_it_is(alone: Shop) -> None:
    alone.build()
    messages = alone.progress()
    sent = [each for each in messages if each.text == "Sending the files"]
    steps = [each for each in messages if each.total and not each.in_bytes]
    assert sent[-1].done == sent[-1].total > 0
    assert [each.done for each in steps] == list(range(1, steps[-1].total + 1))
    assert steps[0].text.startswith("FROM ")


@pytest.mark.parametrize(("edit", "changes"), [("app.py", -1), ("style.css", -2), ("model.bin", -3)])
def test_an_edit_changes_the_layer_that_it_is_in_and_no_other(shop: Shop, edit: str, changes: int) -> None:
    write(shop.folder, {"style.css": "a {}"})
    before = layers(shop, shop.build().out)
    (shop.folder / edit).write_text((shop.folder / edit).read_text() + "# edited\n")
    assert shop.planned() is Intent.CREATE
    after = shop.build()
    changed = layers(shop, after.out)
    assert after.steps[-1].action is Action.CREATED
    differs = [number for number, (one, other) in enumerate(zip(before, changed, strict=True)) if one != other]
    assert differs == [len(before) + changes]


@pytest.mark.exhaustive
def test_equal_folders_are_equal_layers_wherever_they_are_built(alone: Shop) -> None:
    """Without any cache and at another time, too: a build in CI pushes what changed, and nothing else."""
    first = layers(alone, alone.build().out)
    alone.remove()
    elsewhere = Shop(alone.folder.with_name("elsewhere"), alone.engine, alone.name)
    write(elsewhere.folder, {path.name: path.read_text() for path in alone.folder.iterdir()})
    for path in elsewhere.folder.iterdir():
        path.chmod(0o600)
        os.utime(path, (1, 1))
    assert layers(elsewhere, elsewhere.build().out) == first


def test_it_says_where_the_code_comes_from(shop: Shop) -> None:
    write(shop.folder, {"app.py": "# under version control\n"})
    git(shop, "init", "--quiet")
    git(shop, "remote", "add", "origin", "https://somebody:token@example.com/shop.git")
    git(shop, "add", ".")
    git(shop, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=first")
    git(shop, "tag", "v1.2")
    built = shop.build().out
    labels = shop.inspected(built)["Config"]["Labels"]
    assert labels["org.opencontainers.image.source"] == "https://example.com/shop.git"
    assert labels["org.opencontainers.image.version"] == "v1.2"
    assert labels["org.opencontainers.image.revision"] == git(shop, "rev-parse", "HEAD")
    git(shop, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message=second")
    assert shop.build().out == built, "a commit that changes no file is no reason to build"


def git(shop: Shop, *words: str) -> str:
    done = subprocess.run(["git", "-C", shop.folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.exhaustive
def test_the_users_own_gunicorn_and_its_settings_win(shop: Shop) -> None:
    write(shop.folder, {"requirements.txt": "flask\ngunicorn==23.0.0\n", "gunicorn.conf.py": "bind = ':7000'\n"})
    image = shop.build().out
    assert shop.inspected(image)["Config"]["Cmd"] == [
        "gunicorn",
        "--worker-class=mldeploy_worker.WsgiWorker",
        "app:app",
    ]
    with shop.container(image) as container:
        text = b""
        for line in shop.engine.client.logs(container, stream=True, follow=True):
            text += line
            if b"Listening at" in line:
                break
    assert b"gunicorn 23.0.0" in text
    assert b":7000" in text


@pytest.mark.exhaustive
def test_requirements_that_stand_in_several_files(shop: Shop) -> None:
    write(
        shop.folder,
        {
            "requirements.txt": "-r needed/web.txt\n-c pins.txt\n./wheels/own\n",
            "needed/web.txt": "flask\n",
            "pins.txt": "flask==3.1.2\n",
            "wheels/own/pyproject.toml": "[project]\nname='own'\nversion='7'\n[tool.setuptools]\npy-modules=['own']\n",
            "wheels/own/own.py": "",
        },
    )
    image = shop.build().out
    script = "from importlib.metadata import version; print(version('flask'), version('own'))"
    assert shop.run(image, "python", "-c", script) == "3.1.2 7"


def test_a_requirement_that_does_not_exist(shop: Shop) -> None:
    write(shop.folder, {"requirements.txt": "flask==3.1.3\nthere-is-no-such-package-as-this==1\n"})
    error = failure(shop)
    assert isinstance(error, BuildError)
    assert error.where.startswith("Step 8/")
    assert "uv venv" in error.where
    assert "there-is-no-such-package-as-this" in error.what
    assert "\x1b" not in error.what
    assert "Correct the requirements" in error.todo
    assert error.exit_code is ExitCode.BUILD


def test_a_failed_build_leaves_nothing_that_destroy_does_not_find(alone: Shop) -> None:
    write(alone.folder, {"requirements.txt": "there-is-no-such-package-as-this\n"})
    containers = {each["Id"] for each in alone.engine.client.containers(all=True)}
    failure(alone)
    mine = {"label": f"mldeploy.app={alone.name}"}
    assert alone.engine.client.images(filters=mine)
    assert alone.remove()
    assert not alone.engine.client.images(all=True, filters=mine)
    left = {each["Id"] for each in alone.engine.client.containers(all=True, filters=mine)}
    assert not left - containers


AT_ONCE = ("UV_HTTP_RETRIES", "0")


def test_a_build_without_a_network_says_so(shop: Shop) -> None:
    """The index is where nothing listens."""
    unreachable = (("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple"), AT_ONCE)
    error = failure(shop, shop.project(args=unreachable))
    assert isinstance(error, BuildError)
    assert "could not reach the network" in error.todo


@pytest.mark.exhaustive
def test_a_certificate_that_is_not_known_leads_to_the_setting(shop: Shop) -> None:
    usual = shop.project().build.ca_bundle
    if usual is None:
        pytest.skip("nothing inspects TLS here")
    write(shop.folder, {"app.py": "# not built yet\n"})
    error = failure(shop, shop.project(ca_bundle=None, args=(AT_ONCE,)))
    assert isinstance(error, BuildError)
    assert "build.ca_bundle" in error.todo


def test_a_stop_ends_the_build_on_the_engine(alone: Shop) -> None:
    """A step that would take an hour is stopped half-way: its container is gone at once."""
    write(alone.folder, {"Dockerfile": f"FROM {alone.project().build.base_image}\nRUN echo begun; sleep 3600\n"})
    cancel, ended = Cancel(), threading.Event()
    client, mine = alone.engine.client, {"label": f"mldeploy.app={alone.name}"}

    def stop_once_it_runs() -> None:
        while not (client.containers(filters=mine) or ended.wait(0.1)):
            pass
        cancel.request()

    stopper = threading.Thread(target=stop_once_it_runs)
    stopper.start()
    try:
        with pytest.raises(InterruptedByUser):
            alone.build(alone.project(dockerfile="Dockerfile"), cancel)
    finally:
        ended.set()
        stopper.join()
    limit = time.monotonic() + 1200
    while client.containers(all=True, filters=mine):
        assert time.monotonic() < limit
        time.sleep(0.1)


@pytest.mark.parametrize(
    "text", ['unable to find image "sha256:5fba18"', "failed to get digest sha256:5fba18: no such file or directory"]
)
def test_an_image_that_somebody_else_removes_meanwhile_is_no_reason_to_fail(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The builder looks at all that stands on the same base, and stumbles over what is gone when it gets there."""
    write(shop.folder, {"app.py": f"# {text}\n"})
    with EngineProxy(tmp_path) as door:
        monkeypatch.setenv("DOCKER_HOST", door.endpoint)
        through = Shop(shop.folder, Engine.connect(), shop.name)
        with closing(through.engine.client):
            door.illness = text
            door.reset(lambda call: Fault.REFUSED if builds(door) < 3 and "/build" in call.verb else None)
            assert through.build().out.reference.startswith(shop.name)
            assert builds(door) == 3

            write(shop.folder, {"app.py": f"# {text} again\n"})
            door.reset(lambda call: Fault.REFUSED if "/build" in call.verb else None)
            assert text in str(failure(through)), "it is not tried for ever"


def builds(door: EngineProxy) -> int:
    return sum("/build" in call.verb for call in door.calls)


def test_another_platform_is_refused_rather_than_mislabelled(alone: Shop) -> None:
    """The engine would build for its own processor with the base that it has, and say nothing."""
    if engine.is_registered("linux/s390x"):
        pytest.skip("this machine emulates it")
    error = failure(alone, alone.project(platform="linux/s390x"))
    assert isinstance(error, BuildError)
    assert error.where == "build.platform"
    assert "does not emulate it" in error.what
    assert "--install s390x" in error.todo
    assert not alone.progress(), "before anything is pulled or built"
    assert not alone.engine.client.images(alone.name)


def test_a_dockerfile_of_the_users_own(alone: Shop) -> None:
    write(
        alone.folder,
        {
            "Dockerfile": "ARG BASE\nFROM ${BASE} AS first\nRUN echo made > /made\n"
            "FROM $BASE\nARG GREETING\nCOPY --from=first /made /\nCOPY . /srv\nENV GREETING=${GREETING}\nCMD cat /made",
            ".dockerignore": "*.txt\nDockerfile\n.dockerignore\n",
        },
    )
    args = (("BASE", alone.project().build.base_image), ("GREETING", "hello"))
    own = alone.project(dockerfile="Dockerfile", args=args)
    image = alone.build(own).out
    labels = alone.inspected(image)["Config"]["Labels"]
    assert labels["mldeploy.app"] == alone.name
    assert image.reference.endswith(labels["mldeploy.hash"][:16])
    assert alone.run(image, "sh", "-c", "ls -A /srv; echo $GREETING; cat /made").split() == [
        "app.py",
        "model.bin",
        "hello",
        "made",
    ]
    assert alone.planned(own) is Intent.UNCHANGED
    (alone.folder / "app.py").write_text("")
    assert alone.planned(own) is Intent.CREATE
    assert alone.remove()
    assert not alone.engine.client.images(all=True, filters={"label": f"mldeploy.app={alone.name}"})


def test_a_file_that_changes_while_it_is_sent_fails_the_build(shop: Shop) -> None:
    context = Context.of("Dockerfile", list_files(shop.folder, Ignore(())))
    write(shop.folder, {"app.py": "longer than before" * 1000})
    unsteady = BuildRequest(f"{shop.name}:unsteady", context, shop.project().build.platform, {})
    monitor = Monitor(Resource("image", Key(shop.name)), ignore, Cancel())
    with pytest.raises(ProjectError, match="changed while it was being read"):
        build_image(shop.engine, unsteady, monitor)
    assert not shop.engine.client.images(f"{shop.name}:unsteady")


def test_a_dockerfile_that_is_wrong(shop: Shop) -> None:
    write(shop.folder, {"Dockerfile": "FROM scratch\nCOPPY . .\n"})
    error = failure(shop, shop.project(dockerfile="Dockerfile"))
    assert isinstance(error, BuildError)
    assert "COPPY" in error.what
