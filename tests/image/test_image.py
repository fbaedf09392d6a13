"""What the image of our own recipe is, to whoever runs it."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import pytest
import requests

from mldeploy.image.engine import Engine
from mldeploy.image.labels import APP, HASH, TARGET
from tests.image.conftest import Built
from tests.image.shop import Shop

pytestmark = pytest.mark.engine

PATIENCE = 300
"""Seconds after which a test gives up: no measure of what the server should take."""
SECOND = 1_000_000_000
PATIENT = {"Timeout": 60 * SECOND, "StartPeriod": PATIENCE * SECOND}
"""A health check whose program may take its time on a busy machine."""
LASTING = "--timeout=600 --keep-alive=600 --graceful-timeout=600"
"""gunicorn's arguments with which whatever waits for a client or a worker does so for longer than PATIENCE."""


def address(shop: Shop, container: str) -> str:
    ports = shop.engine.client.inspect_container(container)["NetworkSettings"]["Ports"]
    return f"http://127.0.0.1:{ports['5000/tcp'][0]['HostPort']}"


def wait(shop: Shop, container: str) -> str:
    """The container's address, once it answers."""
    url = address(shop, container)
    for line in shop.engine.client.logs(container, stream=True, follow=True):
        if b"Booting worker" in line:
            break
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            requests.get(f"{url}/health", timeout=PATIENCE).raise_for_status()
            return url
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(shop.engine.client.logs(container).decode())


def until_said(shop: Shop, container: str, words: str) -> str:
    """The container's log up to the words: an app has answered before its server has logged it."""
    log = ""
    for piece in shop.engine.client.logs(container, stream=True, follow=True):
        log += piece.decode()
        if words in log:
            return log
    raise AssertionError(log)


def test_it_is_named_after_its_content_and_says_so(built: Built) -> None:
    labels = built.shop.inspected(built.image)["Config"]["Labels"]
    assert built.image.reference == f"{built.shop.name}:{labels[HASH][:16]}"
    assert labels[APP] == built.shop.name
    assert labels[TARGET] == "local"
    assert labels["org.opencontainers.image.title"] == built.shop.name
    assert labels["org.opencontainers.image.base.name"] == built.shop.project().build.base_image
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")


def test_its_size_is_the_sum_of_its_parts(built: Built) -> None:
    parts = {layer.instruction: layer.size for layer in built.image.layers}
    assert [*parts][-4:] == ["dependencies", "model", "assets", "code"]
    assert sum(parts.values()) == built.image.size
    assert parts["model"] == len("version 1")


def test_the_app_runs_as_nobody_special_and_cannot_change_its_code(built: Built) -> None:
    who = built.shop.run(built.image, "python", "-c", "import os; print(os.getuid(), os.getgid())")
    assert who == "10001 10001"
    script = "import os; print([os.access(path, os.W_OK) for path in ('/app', '/app/app.py', '/venv', '/tmp')])"
    assert built.shop.run(built.image, "python", "-c", script) == "[False, False, False, True]"


def test_an_app_that_may_write_owns_its_files(built: Built) -> None:
    shop = built.shop
    image = shop.build(shop.project(app={"read_only": False})).out
    script = (
        "import os; print([os.access(path, os.W_OK) for path in ('/app', '/app/app.py', '/app/model.bin', '/venv')])"
    )
    assert shop.run(image, "python", "-c", script) == "[True, True, True, False]"


def test_it_serves_under_every_restriction(built: Built) -> None:
    host = {"read_only": True, "tmpfs": {"/tmp": ""}, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
    with built.shop.container(built.image, host=host) as container:
        environment = requests.get(f"{wait(built.shop, container)}/environment", timeout=PATIENCE).json()
        log = until_said(built.shop, container, '"GET /environment HTTP/1.1" 200')
    assert environment["SERVER_SOFTWARE"].startswith("gunicorn/")
    assert environment["OMP_NUM_THREADS"] == "1"
    assert "Traceback" not in log


def test_the_port_is_where_the_environment_says(built: Built) -> None:
    with built.shop.container(built.image, environment={"PORT": "8123"}) as container:
        for line in built.shop.engine.client.logs(container, stream=True, follow=True):
            if b"Listening at" in line:
                break
    assert b"0.0.0.0:8123" in line


def test_the_engine_finds_it_healthy_and_the_log_stays_clean(built: Built) -> None:
    test = built.shop.inspected(built.image)["Config"]["Healthcheck"]["Test"]
    quickly = {"Test": test, "Interval": SECOND // 5, **PATIENT}
    with built.shop.container(built.image, healthcheck=quickly) as container:
        url = wait(built.shop, container)
        health = until_told(built.shop, container)
        requests.get(f"{url}/environment", timeout=PATIENCE)
        log = until_said(built.shop, container, "/environment")
    assert health == "healthy"
    assert "/health" not in log


def until_told(shop: Shop, container: str) -> str:
    """What the engine finds. It tells so only once, and of its events it keeps the last ones alone: so it is asked."""
    while True:
        state = shop.engine.client.inspect_container(container)["State"]
        if not state["Running"] or state["Health"]["Status"] != "starting":
            return str(state["Health"]["Status"])
        time.sleep(0.1)


def test_an_app_that_answers_otherwise_is_not_healthy(built: Built) -> None:
    test = built.shop.inspected(built.image)["Config"]["Healthcheck"]["Test"]
    quickly = {"Test": test, "Interval": 200_000_000, "StartPeriod": 1_000_000, "Retries": 1}
    elsewhere = {"HEALTH": "/nothing/here"}
    with built.shop.container(built.image, healthcheck=quickly, environment=elsewhere) as container:
        assert until_told(built.shop, container) == "unhealthy"


def test_a_stop_answers_what_was_accepted(built: Built) -> None:
    """Forty requests at once, far more than there are threads, some on connections that were kept alive."""
    client = built.shop.engine.client
    answers: list[dict[str, str]] = []

    def ask(url: str) -> None:
        with closing(HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)) as connection:
            connection.request("GET", "/health")
            connection.getresponse().read()
            connection.request("GET", "/slow?seconds=0.1")
            under_way.release()
            answers.append(json.load(connection.getresponse()))

    under_way = threading.Semaphore(0)
    environment = {"WEB_CONCURRENCY": "2", "THREADS": "8", "GUNICORN_CMD_ARGS": LASTING}
    with built.shop.container(built.image, environment=environment) as container:
        url = wait(built.shop, container)
        askers = [threading.Thread(target=ask, args=(url,)) for _ in range(40)]
        for asker in askers:
            asker.start()
        for _ in askers:
            under_way.acquire()
        client.stop(container, timeout=PATIENCE)
        for asker in askers:
            asker.join()
        code = client.inspect_container(container)["State"]["ExitCode"]
        log = client.logs(container).decode()
    assert answers == [{"model": "version 1"}] * 40
    assert code == 0, "it ended by itself, and did not wait for clients that keep their connections"
    assert "tidied up" in log


def test_a_stop_does_not_wait_for_idle_connections(built: Built) -> None:
    client, environment = built.shop.engine.client, {"GUNICORN_CMD_ARGS": LASTING}
    with built.shop.container(built.image, environment=environment) as container, requests.Session() as idle:
        idle.get(f"{wait(built.shop, container)}/health", timeout=PATIENCE)
        client.stop(container, timeout=PATIENCE)
        assert client.inspect_container(container)["State"]["ExitCode"] == 0, "it was not killed for being late"


def test_clients_that_fall_silent_do_not_block_the_others(built: Built) -> None:
    """Half a request holds a thread, but not for ever."""
    with built.shop.container(built.image, environment={"THREADS": "2"}) as container:
        url = wait(built.shop, container)
        host, port = url.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(2)]
        for each in silent:
            each.sendall(b"GET /hea")
        assert requests.get(f"{url}/health", timeout=PATIENCE).ok
        for each in silent:
            each.close()


def test_clients_that_come_together_are_shared_out_among_the_workers(built: Built) -> None:
    """They keep their connections: were most of them one worker's, the other cores would have nothing to do."""
    with built.shop.container(built.image, environment={"WEB_CONCURRENCY": "2"}) as container:
        url = wait(built.shop, container)
        # The best of some: a worker that gets no core leaves its part to the other.
        busiest = next(filter(lambda count: count <= 110, (busiest_of_ten(url) for _ in range(15))), None)
    assert busiest  # 8 of 16 is fair; whoever takes what he can get has 13, on average


def busiest_of_ten(url: str) -> int:
    """How many clients the worker with the most of them gets, of ten times sixteen."""
    return sum(max(Counter(workers_of(url, clients=16)).values()) for _ in range(10))


def test_a_worker_that_hangs_holds_nobody_up(built: Built) -> None:
    environment = {"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": LASTING}
    with built.shop.container(built.image, environment=environment) as container:
        url = wait(built.shop, container)
        (hung,) = workers_of(url, clients=1)
        client = built.shop.engine.client
        client.exec_start(client.exec_create(container, ["sh", "-c", f"kill -STOP {hung}"])["Id"])
        answered = set(workers_of(url, clients=16))
    assert hung not in answered


def workers_of(url: str, clients: int) -> list[int]:
    """Which worker each of so many clients gets, who all come at once and keep their connections."""
    start, end = threading.Barrier(clients), threading.Barrier(clients)

    def ask(_: int) -> int:
        with requests.Session() as session:
            start.wait()
            worker: int = session.get(f"{url}/worker", timeout=PATIENCE).json()["worker"]
            end.wait()
            return worker

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, range(clients)))


def test_nothing_of_the_builder_is_left_in_it(built: Built) -> None:
    """The recipe's certificates least of all: they name the company that inspects its people's traffic."""
    shop = built.shop
    bundle = shop.folder.with_name("company.pem")
    usual = shop.project().build.ca_bundle
    bundle.write_text((usual.read_text() if usual else "") + f"\n# {shop.name}-certificate\n")
    image = shop.build(shop.project(ca_bundle=bundle, args=(("PIP_INDEX_SECRET", f"{shop.name}-argument"),))).out
    inspected = json.dumps(shop.inspected(image)) + json.dumps(shop.engine.client.history(image.digest))
    assert f"{shop.name}-argument" not in inspected
    assert "certificates" not in inspected
    names, marked = contents(shop.engine, image.digest, f"{shop.name}-certificate".encode())
    assert not marked
    assert not [name for name in names if name.startswith("build/") or "/uv" in name.removeprefix("venv")]


def contents(engine: Engine, image: str, mark: bytes) -> tuple[set[str], list[str]]:
    """The names of all files in all layers, and of those that hold the mark."""
    saved = io.BytesIO(b"".join(engine.client.get_image(image)))
    names: set[str] = set()
    marked: list[str] = []
    with tarfile.open(fileobj=saved) as archive:
        layers = [member for member in archive if member.name.endswith("layer.tar")]
        for layer in layers:
            with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                for member in files:
                    names.add(member.name)
                    if member.isfile() and (content := files.extractfile(member)) and mark in content.read():
                        marked.append(member.name)
    assert layers
    return names, marked
