"""A gRPC handler that logs each call, and injects the faults that are due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import grpc

from mldeploy.rehearsal.gateway.call_log import CallLog
from mldeploy.rehearsal.gateway.fault_proxy import hold_client
from mldeploy.rehearsal.gateway.faults import FaultKind, PendingFault
from mldeploy.rehearsal.gcp.errors import ApiError, Code
from mldeploy.rehearsal.gcp.rpc.server import Method, Methods, StreamMethod, serialize
from mldeploy.rehearsal.gcp.tokens import GoogleAuthenticator

DETAILS = "grpc-status-details-bin"
"""The trailer with a google.rpc.Status."""
QUOTA_PROJECT = "x-goog-user-project"


class GrpcFaultProxy(grpc.GenericRpcHandler):
    """cut: breaks a peer's connection. mutex: held while a call is processed."""

    def __init__(
        self,
        methods: Methods,
        authenticator: GoogleAuthenticator,
        call_log: CallLog,
        mutex: threading.RLock,
        cut: Callable[[str], None],
    ) -> None:
        self._methods = methods
        self._authenticator = authenticator
        self._call_log = call_log
        self._mutex = mutex
        self._cut = cut

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        name = details.method.removeprefix("/")
        method = self._methods.get(name)
        if method is None:
            return grpc.unary_unary_rpc_method_handler(partial(_unknown, name))
        if isinstance(method, StreamMethod):
            return grpc.stream_stream_rpc_method_handler(partial(self._stream, method), method.read, serialize)
        return grpc.unary_unary_rpc_method_handler(partial(self._handle, method), method.read, serialize)

    def _stream(
        self, method: StreamMethod[Any], requests: Iterator[object], context: grpc.ServicerContext
    ) -> Iterator[object]:
        """Answer a call with two streams. A fault meets it at its beginning."""

        def begin(_: Iterator[object]) -> Iterator[object]:
            return method.answer(requests, context.is_active)

        opened = Method(method.service, method.permission, method.request, begin)
        try:
            yield from self._handle(opened, requests, context)
        except ApiError as error:  # of the first request, which is read only here
            _refuse(context, error)

    def _handle(self, method: Method[Any], request: object, context: grpc.ServicerContext) -> Any:
        try:
            self._authenticator.authenticate(_metadata(context, "authorization"), _metadata(context, QUOTA_PROJECT))
            pending = self._call_log.record(method.permission, writing=method.is_writing)
            if pending is not None:
                return self._inject(method, request, context, pending)
            return self._answer(method, request)
        except ApiError as error:
            _refuse(context, error)

    def _answer(self, method: Method[Any], request: object) -> object:
        with self._mutex:
            self._authenticator.require(method.service, method.permission)
            return method.answer(request)

    def _inject(
        self, method: Method[Any], request: object, context: grpc.ServicerContext, pending: PendingFault
    ) -> object:
        kind, faults = pending.fault.kind, self._call_log.faults
        if kind is FaultKind.DELAY:
            faults.count_injection()
            faults.hold(pending, pending.fault.seconds)
            return self._answer(method, request)
        if kind in (FaultKind.LOST, FaultKind.CUT_AFTER):
            with suppress(ApiError):  # the client gets no response
                self._answer(method, request)
        faults.count_injection()
        if refusal := self._authenticator.refusal(kind, method.service, method.permission):
            raise refusal
        if kind in (FaultKind.LOST, FaultKind.TIMEOUT):
            hold_client(faults, pending, lambda: not context.is_active())
        if context.is_active():
            self._cut(context.peer())
        raise ApiError(Code.UNAVAILABLE, "Socket closed")  # the client is disconnected


def _unknown(name: str, _request: bytes, context: grpc.ServicerContext) -> NoReturn:
    context.abort(Code.UNIMPLEMENTED, f"{name} is not rehearsed")


def _metadata(context: grpc.ServicerContext, key: str) -> str:
    """Return the metadata of a call; empty if absent."""
    for name, value in context.invocation_metadata():
        if name == key:
            return value.decode() if isinstance(value, bytes) else value
    return ""


def _refuse(context: grpc.ServicerContext, error: ApiError) -> NoReturn:
    context.set_trailing_metadata(((DETAILS, error.status.SerializeToString()),))
    context.abort(error.code, error.message)
