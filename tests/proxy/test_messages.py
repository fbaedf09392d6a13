"""Requests and responses through the proxy: what is passed on, what is refused, and that nothing is collected."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket

import pytest

from mldeploy_proxy.server import ClientLimits
from tests.proxy.harness import GET, Harness, Wire, answering, proxied, response

AMBIGUOUS = {
    "length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "lengths in a list": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
    "signed length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    "bare line feed": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare line feeds alone": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space in the target": b"GET / b HTTP/1.1\r\nHost: a\r\n\r\n",
    "null in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "chunk size": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "line feed after a chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_message_that_can_be_read_in_two_ways_is_refused(data: bytes) -> None:
    bodies: list[bytes] = []

    async def backend(wire: Wire) -> None:
        await wire.head()
        bodies.append(await wire.rest())

    async def run() -> bytes:
        async with proxied(backend) as proxy:
            return await proxy.ask(data)

    assert asyncio.run(run()).startswith(b"HTTP/1.1 400 ")
    assert all(b"0\r\n\r\n" not in body for body in bodies), "no backend takes it for a whole request"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70000, 431),
    ],
)
def test_what_is_not_supported_is_refused(data: bytes, status: int) -> None:
    async def run() -> bytes:
        async with proxied(answering(b"")) as proxy:
            return await proxy.ask(data)

    assert asyncio.run(run()).startswith(b"HTTP/1.1 %d " % status)


def test_request_arrives_with_the_clients_address_and_without_what_was_for_the_proxy() -> None:
    heads: list[bytes] = []

    async def backend(wire: Wire) -> None:
        heads.append(await wire.head())
        wire.send(response(b"", b"Connection: X-Mine", b"X-Mine: 1", b"X-Yours: 2"))

    data = (
        b"GET /a?b=%20c HTTP/1.1\r\nHost: app\r\nX-Forwarded-For: 192.0.2.1\r\nX_Forwarded_For: 192.0.2.2\r\n"
        b"X-Forwarded-Proto: https\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n"
        b"X-Kept: 1\r\n\r\n"
    )

    async def run() -> bytes:
        async with proxied(backend) as proxy:
            return await proxy.ask(data)

    answer = asyncio.run(run())
    assert heads[0].split(b"\r\n")[:-2] == [
        b"GET /a?b=%20c HTTP/1.1",
        b"Host: app",
        b"X-Kept: 1",
        b"X-Forwarded-For: 192.0.2.1, 127.0.0.1",
        b"X-Forwarded-Proto: https, http",
    ]
    assert b"X-Yours: 2" in answer
    assert b"X-Mine" not in answer


def test_chunked_body_is_written_anew() -> None:
    received: list[bytes] = []

    async def backend(wire: Wire) -> None:
        await wire.head()
        received.append(await wire.until(b"\r\n0\r\n\r\n"))
        wire.send(response(b"done"))

    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def run() -> bytes:
        async with proxied(backend) as proxy:
            return await proxy.ask(head + b"5;x=y\r\nhello\r\n0\r\nTrailer: dropped\r\n\r\n")

    assert asyncio.run(run()).endswith(b"done")
    assert received == [b"5\r\nhello\r\n0\r\n\r\n"]


def test_large_bodies_pass_both_ways() -> None:
    size = 3 << 20

    async def backend(wire: Wire) -> None:
        await wire.head()
        wire.send(response(await wire.reader.readexactly(size)))

    body = bytes(range(256)) * (size // 256)
    data = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + body

    async def run() -> bytes:
        async with proxied(backend) as proxy:
            return await proxy.ask(data)

    assert asyncio.run(run()).endswith(body)


@pytest.mark.parametrize("framing", ["chunked", "until the end"])
def test_each_event_of_a_stream_arrives_when_it_is_sent(framing: str) -> None:
    is_chunked = framing == "chunked"

    async def run() -> None:
        arrived = asyncio.Event()

        async def backend(wire: Wire) -> None:
            await wire.head()
            coding = b"Transfer-Encoding: chunked\r\n" if is_chunked else b""
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + coding + b"\r\n")
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                wire.send(b"9\r\n%b\r\n" % event if is_chunked else event)
                await asyncio.wait_for(arrived.wait(), 300)
                arrived.clear()
            wire.send(b"0\r\n\r\n" if is_chunked else b"")

        async with proxied(backend) as proxy, proxy.client(GET) as client:
            await client.until(b"data: 1\n\n")
            arrived.set()
            await client.until(b"data: 2\n\n")
            arrived.set()
            if is_chunked:
                await client.until(b"\r\n0\r\n\r\n")
            else:
                assert await client.rest() == b""

    asyncio.run(run())


def test_websocket_is_a_tunnel() -> None:
    async def backend(wire: Wire) -> None:
        head = await wire.head()
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in head
        wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        wire.send(b"<" + await wire.until(b"!") + b">")
        assert await wire.rest() == b""

    data = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"

    async def run() -> None:
        async with proxied(backend) as proxy, proxy.client(data) as client:
            assert b"101 Switching Protocols" in await client.head()
            await client.until(b"hello")
            client.send(b"over!")
            await client.until(b"<over!>")
            client.writer.write_eof()
            assert await client.rest() == b""

    asyncio.run(run())


def test_interim_response_is_passed_on_before_the_body_is_sent() -> None:
    async def backend(wire: Wire) -> None:
        assert b"Expect: 100-continue" in await wire.head()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(response(await wire.reader.readexactly(5)))

    data = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"

    async def run() -> None:
        async with proxied(backend) as proxy, proxy.client(data) as client:
            assert (await client.head()).startswith(b"HTTP/1.1 100 ")
            client.send(b"hello")
            await client.until(b"\r\n\r\nhello")

    asyncio.run(run())


def test_response_to_a_body_that_is_not_wanted_is_read_although_it_is_still_sent() -> None:
    async def backend(wire: Wire) -> None:
        await wire.head()
        wire.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await wire.rest()

    async def run() -> bytes:
        async with proxied(backend) as proxy:
            return await proxy.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nstart")

    answer = asyncio.run(run())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer


def test_response_that_breaks_off_is_seen_to_be_incomplete() -> None:
    async def backend(wire: Wire) -> None:
        await wire.head()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    async def run() -> bytes:
        async with proxied(backend) as proxy, proxy.client(GET) as client:
            try:
                return await client.rest()
            except ConnectionResetError:
                return b""

    assert not re.search(rb"\r\n\r\n.{100}", asyncio.run(run()))


def test_client_that_drips_its_header_is_given_up_and_others_are_answered() -> None:
    async def run() -> None:
        limits = ClientLimits(head=0.2)
        async with proxied(answering(b"hi"), limits=limits) as proxy, proxy.client(b"GET / HT") as slow:
            async with proxy.client(GET) as other:
                await other.until(b"hi")
            assert (await slow.rest()).startswith(b"HTTP/1.1 408 ")

    asyncio.run(run())


def test_among_too_many_connections_the_one_that_is_idle_longest_makes_way() -> None:
    async def run() -> None:
        proxying = proxied(answering(b"hi"), limits=ClientLimits(clients=2))
        async with proxying as proxy, proxy.client(GET) as first, proxy.client() as second:
            await first.until(b"hi")
            second.send(GET)
            await second.until(b"hi")
            async with proxy.client(GET) as third:
                await third.until(b"hi")
            assert await first.rest() == b""
            second.send(GET)
            await second.until(b"hi")

    asyncio.run(run())


def test_among_too_many_half_headers_the_oldest_makes_way() -> None:
    async def run() -> None:
        limits = ClientLimits(clients=1, head=1)
        async with proxied(answering(b"hi"), limits=limits) as proxy, proxy.client(b"GET / HT") as slow:
            while not (await _answer(proxy)).endswith(b"hi"):
                pass  # the proxy may not have read the half yet: then this client was refused
            with contextlib.suppress(ConnectionResetError):
                assert await slow.rest() == b"", "it made way, and was not ended for its slowness"

    asyncio.run(run())


@pytest.mark.parametrize("makes_way", ["slow", "idle"])
def test_a_slow_client_makes_way_before_one_that_has_just_connected(makes_way: str) -> None:
    async def run() -> None:
        limits = ClientLimits(clients=2, new=600 if makes_way == "slow" else 0)
        async with (
            proxied(answering(b"hi"), limits=limits) as proxy,
            proxy.client() as idle,
            proxy.client(GET) as slow,
        ):
            await slow.until(b"hi")
            slow.send(b"GET / HT")
            for _ in range(3):  # the proxy is in this loop, and reads what has arrived when it is its turn
                await asyncio.sleep(0)
            async with proxy.client(GET) as third:
                await third.until(b"hi")
            kept, rest = (idle, GET) if makes_way == "slow" else (slow, b"TP/1.1\r\nHost: app\r\n\r\n")
            kept.send(rest)
            await kept.until(b"hi")

    asyncio.run(run())


def test_among_too_many_half_bodies_the_oldest_makes_way() -> None:
    arrived = asyncio.Event()

    async def read(wire: Wire) -> None:
        if (await wire.head()).startswith(b"GET"):
            wire.send(response(b"hi"))
        arrived.set()
        await wire.rest()

    async def run() -> None:
        half = b"POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 9\r\n\r\n1"
        async with proxied(read, limits=ClientLimits(clients=1)) as proxy, proxy.client(half):
            await arrived.wait()
            assert (await _answer(proxy)).endswith(b"hi")

    asyncio.run(run())


async def _answer(proxy: Harness) -> bytes:
    """What a client gets for its request; nothing if it is refused."""
    with contextlib.suppress(OSError):
        return await proxy.ask(GET.replace(b"Host", b"Connection: close\r\nHost"))
    return b""


def test_a_client_whose_request_has_not_been_read_yet_does_not_count_as_idle() -> None:
    async def run() -> None:
        async with proxied(answering(b"hi"), limits=ClientLimits(clients=2)) as proxy:
            with contextlib.ExitStack() as stack:  # all of them are there before the proxy sees the first
                first, idle, last = (
                    stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port))) for _ in range(3)
                )
                for each in (first, last):
                    each.sendall(GET)
                loop = asyncio.get_running_loop()
                for each in (first, last):
                    each.setblocking(False)
                    assert (await asyncio.wait_for(loop.sock_recv(each, 9), 300)).startswith(b"HTTP/1.1 ")
                idle.setblocking(False)
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.wait_for(loop.sock_recv(idle, 9), 300) == b""

    asyncio.run(run())
