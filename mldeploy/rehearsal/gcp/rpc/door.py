"""The one door before all gRPC services: every call passes it, is written down, and meets the fault ordered for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import grpc

from mldeploy.rehearsal.door.faults import Kind, Strike
from mldeploy.rehearsal.door.frontdoor import hold
from mldeploy.rehearsal.door.ledger import Ledger
from mldeploy.rehearsal.gcp.language import Gate
from mldeploy.rehearsal.gcp.refusals import ApiError, Code
from mldeploy.rehearsal.gcp.rpc.method import Method, Methods, written

DETAILS = "grpc-status-details-bin"
"""The trailer in which a google.rpc.Status goes along."""


class GrpcDoor(grpc.GenericRpcHandler):
    """cut: breaks the connection of a peer. mutex: held while a call is answered."""

    def __init__(
        self, methods: Methods, gate: Gate, ledger: Ledger, mutex: threading.RLock, cut: Callable[[str], None]
    ) -> None:
        self._methods = methods
        self._gate = gate
        self._ledger = ledger
        self._mutex = mutex
        self._cut = cut

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        name = details.method.removeprefix("/")
        method = self._methods.get(name)
        if method is None:
            return grpc.unary_unary_rpc_method_handler(partial(_unknown, name))
        return grpc.unary_unary_rpc_method_handler(partial(self._met, method), method.read, written)

    def _met(self, method: Method[Any], request: object, context: grpc.ServicerContext) -> object:
        try:
            self._gate.admit(_token(context))
            strike = self._ledger.record(method.permission, writing=method.is_writing)
            if strike is not None:
                return self._struck(method, request, context, strike)
            return self._answer(method, request)
        except ApiError as error:
            _refuse(context, error)

    def _answer(self, method: Method[Any], request: object) -> object:
        with self._mutex:
            self._gate.require(method.service)
            return method.answer(request)

    def _struck(self, method: Method[Any], request: object, context: grpc.ServicerContext, strike: Strike) -> object:
        kind, orders = strike.fault.kind, self._ledger.orders
        if kind is Kind.DELAY:
            orders.strike()
            orders.hold(strike, strike.fault.seconds)
            return self._answer(method, request)
        if kind in (Kind.LOST, Kind.CUT_AFTER):
            with suppress(ApiError):  # nobody hears of that, either
                self._answer(method, request)
        orders.strike()
        if refusal := self._gate.refusal(kind, method.service, method.permission):
            raise refusal
        if kind in (Kind.LOST, Kind.TIMEOUT):
            hold(orders, strike, lambda: not context.is_active())
        if context.is_active():
            self._cut(context.peer())
        raise ApiError(Code.UNAVAILABLE, "Socket closed")  # nobody hears it any more


def _unknown(name: str, _request: bytes, context: grpc.ServicerContext) -> NoReturn:
    context.abort(Code.UNIMPLEMENTED, f"{name} is not rehearsed")


def _token(context: grpc.ServicerContext) -> str:
    """What stands in the header `authorization`; empty if nothing does."""
    for name, value in context.invocation_metadata():
        if name == "authorization":
            return value.decode() if isinstance(value, bytes) else value
    return ""


def _refuse(context: grpc.ServicerContext, error: ApiError) -> NoReturn:
    context.set_trailing_metadata(((DETAILS, error.status.SerializeToString()),))
    context.abort(error.code, error.message)
