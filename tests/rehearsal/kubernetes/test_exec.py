"""exec and attach over websockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL, RESIZE_CHANNEL, WSClient

from mldeploy.image.engine import Engine
from tests.rehearsal.kubernetes.cluster import APP, SPACE, Cluster, eventually

pytestmark = pytest.mark.engine
ECHO = "while read line; do echo heard $line; done; echo over; exec sleep 60"


@pytest.fixture
def talker(real: Cluster, engine: Engine) -> Cluster:
    """A cluster with a Pod that reads its input."""
    real.create_space()
    container = {"name": "app", "image": real.push(engine), "command": ["sh", "-c", ECHO], "stdin": True}
    spec = {"imagePullSecrets": [{"name": "pull"}], "terminationGracePeriodSeconds": 1, "containers": [container]}
    real.create("pods", {"metadata": {"name": APP}, "spec": spec})
    eventually(lambda: real.get("pods")["status"]["phase"] == "Running", "a pod that runs")
    return real


def session(cluster: Cluster, what: str, *command: str, tty: bool = False) -> Iterator[WSClient]:
    core = client.CoreV1Api(cluster.api)
    way: Any = getattr(core, f"connect_get_namespaced_pod_{what}")
    more = {"command": list(command)} if command else {}
    made = stream(way, APP, SPACE, stdin=True, stdout=True, stderr=True, tty=tty, _preload_content=False, **more)
    yield made
    made.close()
    made.sock.shutdown()


def heard(session: WSClient, until: str) -> str:
    """Read the output up to a word."""
    output = ""

    def look() -> bool:
        nonlocal output
        session.update(timeout=0.1)
        output += session.read_stdout(timeout=0) if session.peek_stdout(timeout=0) else ""
        return until in output

    eventually(look, f"somebody who says {until}")
    return output


def test_a_command_hears_what_is_typed_and_where_it_ends(talker: Cluster) -> None:
    for made in session(talker, "exec", "sh", "-c", "cat; echo done >&2; exit 3"):
        made.write_stdin("one\n")
        assert heard(made, "one\n") == "one\n"
        made.write_stdin("two\n")
        made.sock.send(bytes([255, 0]), 2)
        made.run_forever(timeout=300)
        assert made.read_stdout() == "two\n"
        assert made.read_stderr() == "done\n"
        (cause,) = json.loads(made.read_channel(ERROR_CHANNEL))["details"]["causes"]
        assert cause == {"reason": "ExitCode", "message": "3"}


def test_a_terminal_has_the_size_that_it_is_given(talker: Cluster) -> None:
    script = "while ! stty size | grep -q '40 100'; do sleep 0.1; done; stty size; test -t 0 && echo at a terminal"
    for made in session(talker, "exec", "sh", "-c", script, tty=True):
        made.write_channel(RESIZE_CHANNEL, json.dumps({"Width": 100, "Height": 40}))
        assert "40 100\r\n" in heard(made, "at a terminal")


def test_what_runs_in_it_can_be_attached_to(talker: Cluster) -> None:
    for made in session(talker, "attach"):
        made.write_stdin("hello\n")
        assert "heard hello" in heard(made, "hello")
