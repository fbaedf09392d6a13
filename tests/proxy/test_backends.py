"""Who gets a request, and what happens when versions change."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from pathlib import Path

from mldeploy_proxy.backends import Backends, BackendSpec
from mldeploy_proxy.control import read_routes, write_routes
from mldeploy_proxy.control_server import ControlServer
from tests.proxy.harness import GET, Wire, answering, proxied, proxying, response, serving

CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def test_connections_are_used_again_on_both_sides() -> None:
    connections: list[Wire] = []

    async def backend(wire: Wire) -> None:
        connections.append(wire)
        while True:
            await wire.head()
            wire.send(response(b"hi"))

    async def run() -> None:
        # A busy machine may let more than the usual second pass between two requests.
        async with serving(backend) as ports, proxying(*ports, reuse_seconds=600) as proxy, proxy.client() as client:
            for _ in range(5):
                client.send(GET)
                await client.until(b"hi")

    asyncio.run(run())
    assert len(connections) == 1


def test_a_connection_that_the_backend_has_just_closed_costs_no_request() -> None:
    async def backend(wire: Wire) -> None:
        await wire.head()
        wire.send(response(b"hi"))  # and the connection ends, without a word of it in the response

    async def run() -> None:
        async with proxied(backend) as proxy, proxy.client() as client:
            for _ in range(20):
                client.send(GET)
                await client.until(b"hi")

    asyncio.run(run())


def test_a_request_that_one_backend_does_not_accept_is_answered_by_the_other() -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    async def run() -> None:
        async with serving(answering(b"gone")) as (gone,):
            pass
        async with serving(answering(b"alive")) as (alive,), proxying(gone, alive) as proxy:
            for _ in range(4):
                assert (await proxy.ask(data)).endswith(b"alive")
            proxy.backends.set([BackendSpec("127.0.0.1", gone, 1)])
            assert (await proxy.ask(data)).startswith(b"HTTP/1.1 502 ")

    asyncio.run(run())


def test_a_canary_gets_its_share_of_the_requests() -> None:
    backends = Backends()
    backends.set([BackendSpec("stable", 80, 90), BackendSpec("canary", 80, 10), BackendSpec("old", 80, 0)])
    shares = Counter(next(backends.choices()).spec.host for _ in range(2000))
    assert shares == {"stable": 1800, "canary": 200}


def test_a_version_finishes_its_requests_while_the_next_one_gets_the_new_ones(tmp_path: Path) -> None:
    async def run() -> None:
        accepted, release = asyncio.Event(), asyncio.Event()

        async def old(wire: Wire) -> None:
            await wire.head()
            accepted.set()
            await release.wait()
            wire.send(response(b"old"))

        async with serving(old, answering(b"new")) as (first, second), proxying(first) as proxy:
            write_routes(tmp_path, json.dumps({"backends": [["127.0.0.1", first, 1]]}))
            await ControlServer(proxy.backends, tmp_path).listen()
            async with proxy.client(GET) as slow:
                await accepted.wait()
                await tell(tmp_path, {"backends": [["localhost", second, 1]]})
                assert (await proxy.ask(CLOSING)).endswith(b"new")
                assert await tell(tmp_path, {"drain": "127.0.0.1", "seconds": 0}) == {"active": 1}
                release.set()
                await slow.until(b"old")
                assert await tell(tmp_path, {"drain": "127.0.0.1", "seconds": 30}) == {"active": 0}
                slow.send(GET)
                await slow.until(b"new")
        assert read_routes(tmp_path) == [("localhost", second, 1)]

    asyncio.run(run())


async def tell(folder: Path, request: dict[str, object]) -> object:
    """Run the program that mldeploy runs in the container."""
    program = Path(sys.modules[ControlServer.__module__].__file__ or "").with_name("control.py")
    command = [sys.executable, "-I", "-S", str(program), str(folder), json.dumps(request)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


def test_a_backend_that_cannot_be_reached_gets_no_requests_if_that_is_checked(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(answering(b"old"), answering(b"new")) as (first, second), proxying(first) as proxy:
            routes: dict[str, object] = {"backends": [["127.0.0.1", first, 1]]}
            write_routes(tmp_path, json.dumps(routes))
            await ControlServer(proxy.backends, tmp_path).listen()
            with socket.socket() as silent:  # bound, but it does not listen
                silent.bind(("127.0.0.1", 0))
                refused = await tell(tmp_path, {"backends": [["127.0.0.1", silent.getsockname()[1], 1]], "check": True})
            assert "cannot be reached" in str(refused)
            assert (await proxy.ask(CLOSING)).endswith(b"old")
            assert read_routes(tmp_path) == [("127.0.0.1", first, 1)]
            assert await tell(tmp_path, {"backends": [["127.0.0.1", second, 1]], "check": True}) == {"active": 0}
            assert (await proxy.ask(CLOSING)).endswith(b"new")

    asyncio.run(run())


def test_routes_that_are_none_are_refused(tmp_path: Path) -> None:
    write_routes(tmp_path, '{"backends": []}')

    async def run() -> None:
        await ControlServer(Backends(), tmp_path).listen()
        refused: list[dict[str, object]] = [{"backends": 1}, {"backends": [["a"]]}, {"drain": "x", "seconds": "soon"}]
        for wrong in refused:
            assert "error" in str(await tell(tmp_path, wrong))

    asyncio.run(run())
    assert read_routes(tmp_path) == []
