"""One request and its response, or a tunnel (WebSocket)."""

from __future__ import annotations

import asyncio
import time

from mldeploy_proxy.backends import BackendPool, Backends, UnreachableError
from mldeploy_proxy.body import relay
from mldeploy_proxy.head import (
    UNTIL_CLOSE,
    MalformedError,
    RequestHead,
    ResponseHead,
    forwarded_request,
    forwarded_response,
    parse_request,
    parse_response,
)
from mldeploy_proxy.stream import BODY_SECONDS, FOREVER, SEND_SECONDS, BrokenError, Stream

REPEATABLE = (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE")
"""RFC 9110, section 9.2.2."""


class BackendError(Exception):
    """The backend ended without a response, or its response is not HTTP/1.1."""


class _UnansweredError(Exception):
    """A connection that was used before ended without a byte: the request may be sent again."""


async def exchange(client: Stream, head: bytes, backends: Backends, *, closing: bool) -> bool:
    """Answer a request. True if the client may send another one.

    closing: the proxy stops, and tells the client so. Raises MalformedError, BrokenError before anything was answered,
    UnreachableError, BackendError.
    """
    request = parse_request(head)
    for backend in backends.choices():
        backend.active += 1
        try:
            if reused := None if request.is_upgrade else backend.reuse():
                try:
                    return await _Exchange(client, request, backend, reused, is_reused=True).run(closing)
                except _UnansweredError:
                    pass
            try:
                fresh = await backend.connect()
            except OSError:  # nothing was sent yet: the next one may answer it
                continue
            return await _Exchange(client, request, backend, fresh).run(closing)
        finally:
            backend.active -= 1
    raise UnreachableError


class _Exchange:
    """One request on one connection to a backend, which is closed or kept at its end."""

    def __init__(
        self, client: Stream, request: RequestHead, backend: BackendPool, upstream: Stream, *, is_reused: bool = False
    ) -> None:
        self._client, self._request, self._backend, self._upstream = client, request, backend, upstream
        self._may_repeat = is_reused and request.framing.is_empty and request.method in REPEATABLE
        self._body: asyncio.Task[None] | None = None
        self._failure: MalformedError | BrokenError | None = None

    async def run(self, closing: bool) -> bool:
        is_done = is_reusable = False
        try:
            await self._send_request()
            response = await self._final_response()
            if response.status == 101:
                await self._tunnel(response)
                return False
            is_sent = self._body is None or self._body.done()
            keeps_alive = self._request.keeps_alive and response.framing is not UNTIL_CLOSE and is_sent and not closing
            await self._answer(response, close=not keeps_alive)
            is_done, is_reusable = True, response.keeps_alive and is_sent and self._request.is_1_1
            return keeps_alive
        finally:
            if self._body and not self._body.done():
                self._body.cancel()
                await asyncio.wait([self._body])
            if is_reusable:
                self._backend.keep(self._upstream)
            else:
                self._upstream.close() if is_done else self._upstream.abort()

    async def _send_request(self) -> None:
        """Send the head, and the body with it if it is here. The rest follows while the response is awaited."""
        head, framing = forwarded_request(self._request, self._client.peer), self._request.framing
        if framing.length is not None and len(self._client.buffer) >= framing.length:
            head += self._client.take(framing.length)
        else:
            self._body = asyncio.ensure_future(self._relay_body())
        try:
            await self._upstream.send(head)
        except BrokenError as error:
            raise self._gone() from error

    async def _relay_body(self) -> None:
        self._client.patience = BODY_SECONDS
        try:
            await relay(self._client, self._upstream, self._request.framing)
        except (BrokenError, MalformedError) as error:
            if not self._upstream.is_at_end:  # otherwise its response is still to be read
                self._failure = error
                self._upstream.abort()
        finally:
            self._client.patience = self._client.deadline = FOREVER

    async def _final_response(self) -> ResponseHead:
        """Return the response, and pass on what comes before it (`100 Continue`, `103 Early Hints`)."""
        while True:
            try:
                head = await self._upstream.read_head()
                if head is None:
                    raise self._gone()
                response = parse_response(head, self._request.method)
                if response.status == 101 and not self._request.is_upgrade:
                    raise BackendError("it changes the protocol without being asked")
            except (MalformedError, BrokenError) as error:
                raise self._failure or BackendError(str(error) or "it ended in the middle of a header") from error
            if response.status >= 200 or response.status == 101:
                return response
            if self._request.is_1_1:
                await self._client.send(forwarded_response(response, close=False))

    def _gone(self) -> Exception:
        if self._failure:
            return self._failure
        return _UnansweredError() if self._may_repeat else BackendError("it ended without a response")

    async def _answer(self, response: ResponseHead, *, close: bool) -> None:
        """Pass the response on. A client that gets only a part of it must notice: its connection is aborted."""
        head, framing = forwarded_response(response, close=close), response.framing
        try:
            if framing.length is not None and len(self._upstream.buffer) >= framing.length:
                await self._client.send(head + self._upstream.take(framing.length))
            else:
                await self._client.send(head)
                await relay(self._upstream, self._client, framing)
        except (BrokenError, MalformedError):
            self._client.abort()
            self._upstream.abort()
            raise BrokenError from None

    async def _tunnel(self, response: ResponseHead) -> None:
        """Pass bytes both ways until both sides have ended. A tunnel does not delay the end of its backend."""
        self._backend.active -= 1
        self._client.is_tunnel = True
        try:
            await self._client.send(forwarded_response(response, close=False))
            await asyncio.gather(self._pump(self._client, self._upstream), self._pump(self._upstream, self._client))
        finally:
            self._backend.active += 1

    async def _pump(self, source: Stream, sink: Stream) -> None:
        try:
            while source.buffer or await source.fill():
                await sink.send(source.take(len(source.buffer)))
        except BrokenError:
            source.abort()
        sink.end_sending()
        self._client.deadline = time.monotonic() + SEND_SECONDS  # for the other direction to end
