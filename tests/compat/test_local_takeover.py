"""What an earlier version runs on this machine is taken over: looked at, left as it is, and removed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from mldeploy.core.errors import ExitCode
from tests.compat.world import APP, RECORD, User, alone, load, shape

pytestmark = pytest.mark.engine
ABSENT = int(ExitCode.REMOTE)
RECORDED: Mapping[str, Any] = load("local.json")


@dataclass(frozen=True)
class Earlier:
    """What the earlier version left: its user's folders, and its container."""

    user: User
    client: docker.DockerClient
    container: str


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Earlier]:
    user = User(tmp_path_factory.mktemp("earlier"))
    user.write_app()
    for name, text in RECORDED["files"].items():
        file = user.state / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(int(RECORDED["modes"][name], 8))
    with alone() as client:
        client.images.load((RECORD / "image.tar").read_bytes())
        yield Earlier(user, client, _start(client))


def _start(client: docker.DockerClient) -> str:
    """The recorded container, made anew from what the engine said of it."""
    described = RECORDED["container"]
    body = {
        **{
            name: value
            for name, value in described["Config"].items()
            if value and name not in ("Hostname", "Domainname")
        },
        "HostConfig": {name: value for name, value in described["HostConfig"].items() if value is not None},
    }
    made = client.api.create_container_from_config(body, described["Name"].lstrip("/"))
    client.api.start(made["Id"])
    _await_answer(f"http://{_address()}")
    return str(made["Id"])


def _address() -> str:
    binding = RECORDED["container"]["HostConfig"]["PortBindings"]["8080/tcp"][0]
    return f"{binding['HostIp']}:{binding['HostPort']}"


def _await_answer(url: str) -> None:
    end = time.monotonic() + 600
    while True:
        try:
            requests.get(url, timeout=600)
        except requests.ConnectionError:
            assert time.monotonic() < end, f"{url} does not answer"
            time.sleep(0.1)
        else:
            return


def test_the_recorded_image_has_its_id_and_labels(earlier: Earlier) -> None:
    (tag,) = RECORDED["image"]["tags"]
    image = earlier.client.images.get(tag)
    assert image.id == RECORDED["image"]["id"]
    assert image.labels == RECORDED["image"]["labels"]


def test_status_knows_it(earlier: Earlier) -> None:
    status = earlier.user.run("status")
    assert {step["state"] for step in status["steps"]} == {"present"}
    assert [each["health"] for each in status["instances"]] == ["healthy"]
    assert status["url"] == f"http://{_address()}"
    _assert_has(RECORDED["shapes"]["status"], shape(status))


def test_deploying_the_same_folder_changes_nothing(earlier: Earlier) -> None:
    """The folder's image has the tag that it had, or else it would be built, and the container replaced."""
    deployed = earlier.user.run("deploy")
    assert {step["action"] for step in deployed["steps"]} == {"unchanged"}
    assert [deployed["image"]["reference"]] == RECORDED["image"]["tags"]
    assert _containers(earlier) == [earlier.container]
    _assert_has(RECORDED["shapes"]["deploy"], shape(deployed))


def test_each_command_still_prints_its_document(earlier: Earlier) -> None:
    for words in (("plan",), ("ps",), ("images",), ("history",), ("logs",), ("version",), ("predict", "--data", "{}")):
        _assert_has(RECORDED["shapes"][words[0]], shape(earlier.user.run(*words)))


def test_an_app_without_an_earlier_version_cannot_go_back(earlier: Earlier) -> None:
    """Then no version was kept at all: the exit code was another one, the document the same."""
    _assert_has(RECORDED["shapes"]["rollback"], shape(earlier.user.run("rollback", code=ABSENT)))


def test_an_earlier_check_is_remembered_by_the_same_version_and_harms_no_other(earlier: Earlier) -> None:
    built = earlier.user.run("build")
    assert built["verdict"]["good"]
    assert [built["image"]["reference"]] == RECORDED["image"]["tags"]
    same = earlier.user.run("version")["version"] == RECORDED["version"]
    assert not (same and built["verdict"]["anew"])
    _assert_has(RECORDED["shapes"]["build"], shape(built))


def test_what_is_written_now_is_for_its_user_alone(earlier: Earlier) -> None:
    """Runs after deploy and build: both have opened the journal."""
    for name, mode in RECORDED["modes"].items():
        assert f"{(earlier.user.state / name).stat().st_mode & 0o777:o}" == mode, name


def test_destroying_leaves_nothing(earlier: Earlier) -> None:
    """The last one: of what the journal lists, each thing is gone."""
    removed = earlier.user.run("destroy", "--yes")["removed"]
    assert {each["kind"] for each in removed} >= {"container", "image"}
    assert _containers(earlier) == []
    assert earlier.client.images.list(filters={"label": f"mldeploy.app={APP}"}) == []
    assert list(earlier.user.state.glob(f"{APP}/*")) == []


def _containers(earlier: Earlier) -> list[str]:
    found = earlier.client.containers.list(all=True, filters={"label": f"mldeploy.app={APP}"})
    return [str(each.id) for each in found]


def _assert_has(recorded: Any, now: Any) -> None:
    """Every field of then, of the same type unless one of the two is null."""
    if isinstance(recorded, dict):
        assert isinstance(now, dict)
        assert recorded.keys() <= now.keys()
        for name, value in recorded.items():
            _assert_has(value, now[name])
    elif isinstance(recorded, list):
        assert isinstance(now, list)
        for before, after in zip(recorded, now, strict=False):
            _assert_has(before, after)
    else:
        assert now == recorded or "null" in (now, recorded)


def test_the_helper_notices_a_lost_field() -> None:
    with pytest.raises(AssertionError):
        _assert_has({"url": "str"}, {})
    with pytest.raises(AssertionError):
        _assert_has({"url": "str"}, {"url": "int"})


def test_no_file_of_the_record_names_a_folder_of_its_recorder() -> None:
    for file in Path(RECORD).glob("*.json"):
        assert "/tmp/" not in file.read_text(encoding="utf-8").replace('"/tmp": ""', "")
