"""The WSGI application: routes, limits, and one clear answer to every request."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from mldeploy_model.schema import SchemaError
from mldeploy_model.server import inference_v2
from mldeploy_model.server.docs_page import respond_docs
from mldeploy_model.server.form_page import answer_form, show_form
from mldeploy_model.server.http import (
    Problem,
    Request,
    RequestError,
    Response,
    read_request,
    request_id,
    respond_json,
    respond_problems,
)
from mldeploy_model.server.metrics import CONTENT_TYPE, Metrics
from mldeploy_model.server.model_endpoint import ModelEndpoint, Prediction
from mldeploy_model.server.openapi import describe_api
from mldeploy_model.server.predict_route import read_json_body, read_table, respond_prediction, wants_probabilities
from mldeploy_model.server.prediction_log import log_prediction

logger = logging.getLogger("mldeploy_model")

MOST_BYTES = 10 * 1024 * 1024
"""Of a body, unless $MLDEPLOY_MAX_BODY says otherwise."""

Start = Callable[[str, "list[tuple[str, str]]"], object]
Handler = Callable[[Request], Response]

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_NO_ROUTE = "none"


class PredictionServer:
    """Serves models over WSGI (PEP 3333). Safe to use from several threads, and after a fork."""

    def __init__(self, models: Sequence[ModelEndpoint]) -> None:
        self.models = {model.schema.name: model for model in models}
        self.first = models[0]
        self.metrics = Metrics([model.schema for model in models])
        self.most_bytes = _read_limit()
        self._routes: dict[str, dict[str, Handler]] = {
            "/": self._form_routes(self.first),
            "/predict": {"POST": partial(self._predict, self.first)},
            "/invocations": {"POST": partial(self._predict, self.first)},  # MLflow's and SageMaker's path
            "/ping": {"GET": self._show_health},
            "/health": {"GET": self._show_health},
            "/docs": {"GET": self._show_docs},
            "/metrics": {"GET": self._show_metrics},
            "/openapi.json": {"GET": self._show_openapi},
            "/models": {"GET": self._list_models},
            "/v2": {"GET": _describe_server},
            "/v2/": {"GET": _describe_server},
            "/v2/health/live": {"GET": partial(_respond_flag, "live")},
            "/v2/health/ready": {"GET": partial(_respond_flag, "ready")},
        }
        for model in models:
            self._routes.update(self._model_routes(model))

    def __call__(self, environ: Mapping[str, Any], start_response: Start) -> Iterable[bytes]:
        started, identity = time.perf_counter(), request_id(environ)
        method = str(environ.get("REQUEST_METHOD", "GET")).upper()
        response = self._answer(environ, identity)
        path = str(environ.get("PATH_INFO") or "/")
        self.metrics.count_request(
            method if method in _METHODS else "other",
            path if path in self._routes else _NO_ROUTE,  # a client can make up paths, and each label costs memory
            response.status,
            time.perf_counter() - started,
            str(environ.get("SERVER_PORT", "")),
        )
        start_response(response.status_line, _headers(response, identity))
        return [b"" if method == "HEAD" else response.body]

    def _answer(self, environ: Mapping[str, Any], identity: str) -> Response:
        try:
            request = read_request(environ, identity, self.most_bytes)
            return self._find_handler(request)(request)
        except RequestError as error:
            failure = error
        except Exception:  # a fault of this server is answered, too, and leaves the worker as it is
            logger.exception("request %s: the server failed", identity)
            failure = RequestError(500, Problem(f"the server failed; its log says more under {identity}"))
        is_v2 = str(environ.get("PATH_INFO", "")).startswith("/v2")
        return _respond_v2_error(failure) if is_v2 else respond_problems(failure)

    def _find_handler(self, request: Request) -> Handler:
        """Raises RequestError 404 or 405."""
        handlers = self._routes.get(request.path)
        if handlers is None:
            raise self._no_route(request.path)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is not None:
            return handler
        allowed = ", ".join(sorted({*handlers, *(("HEAD",) if "GET" in handlers else ()), "OPTIONS"}))
        if request.method == "OPTIONS":
            return lambda _: Response(b"", 204, headers={"Allow": allowed})
        reason = f"{request.path} does not take {request.method[:20]}; it takes {allowed}"
        raise RequestError(405, Problem(reason), headers={"Allow": allowed})

    def _no_route(self, path: str) -> RequestError:
        parts = path.strip("/").split("/")
        name = parts[parts.index("models") + 1] if "models" in parts[:2] and parts[-1] != "models" else ""
        if name and name not in self.models:
            return RequestError(404, Problem(f"there is no model {name!r}; there is {', '.join(self.models)}"))
        if name and "versions" in parts:
            version = inference_v2.model_version(self.models[name].schema)
            return RequestError(404, Problem(f"the model {name!r} has no version but {version!r}"))
        return RequestError(404, Problem("there is nothing under this path; /docs lists what there is"))

    def _model_routes(self, model: ModelEndpoint) -> dict[str, dict[str, Handler]]:
        name = model.schema.name
        v2: dict[str, dict[str, Handler]] = {
            "": {"GET": partial(_describe_model, model)},
            "/ready": {"GET": partial(_respond_flag, "ready")},
            "/infer": {"POST": partial(self._infer, model)},
        }
        routes: dict[str, dict[str, Handler]] = {
            f"/models/{name}": {"GET": partial(_redirect, f"{name}/")},
            f"/models/{name}/": self._form_routes(model),
            f"/models/{name}/predict": {"POST": partial(self._predict, model)},
        }
        for base in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{inference_v2.model_version(model.schema)}"):
            routes.update({f"{base}{path}": handlers for path, handlers in v2.items()})
        return routes

    def _form_routes(self, model: ModelEndpoint) -> dict[str, Handler]:
        others = [name for name in self.models if name != model.schema.name]
        return {"GET": partial(show_form, model, others), "POST": partial(self._answer_form, model, others)}

    def _answer_form(self, model: ModelEndpoint, others: Sequence[str], request: Request) -> Response:
        response, prediction = answer_form(model, others, request)
        if prediction is not None:
            self._record(model, prediction, request)
        return response

    def _predict(self, model: ModelEndpoint, request: Request) -> Response:
        with_probabilities = wants_probabilities(request)
        table = read_table(request, model.schema)
        prediction = model.predict(table, request.id, with_probabilities)
        self._record(model, prediction, request)
        return respond_prediction(prediction, table.is_single, request)

    def _infer(self, model: ModelEndpoint, request: Request) -> Response:
        inference = inference_v2.read_inference(read_json_body(request), model.schema)
        with_probabilities = inference_v2.PREDICT_PROBA in inference.outputs
        prediction = model.predict(inference.table, request.id, with_probabilities)
        self._record(model, prediction, request)
        return respond_json(inference_v2.respond_inference(model.schema, prediction, inference, request.id))

    def _record(self, model: ModelEndpoint, prediction: Prediction, request: Request) -> None:
        self.metrics.count_prediction(model.schema, prediction, request.port)
        log_prediction(model.schema, prediction, request.id)

    def _show_docs(self, request: Request) -> Response:
        return respond_docs(list(self.models.values()), request.base_url)

    def _show_openapi(self, _request: Request) -> Response:
        return respond_json(describe_api(list(self.models.values())))

    def _show_health(self, _request: Request) -> Response:
        models = {name: model.schema.version or None for name, model in self.models.items()}
        return respond_json({"status": "ok", "models": models})

    def _show_metrics(self, request: Request) -> Response:
        return Response(self.metrics.render(request.port), content_type=CONTENT_TYPE)

    def _list_models(self, _request: Request) -> Response:
        models = [
            {
                "name": name,
                "task": m.schema.task,
                "format": m.schema.format,
                "predict": f"/models/{quote(name)}/predict",
            }
            for name, m in self.models.items()
        ]
        return respond_json({"models": models})


def _read_limit() -> int:
    given = os.environ.get("MLDEPLOY_MAX_BODY", "")
    if given and not (given.isascii() and given.isdigit()):
        raise SchemaError(f"MLDEPLOY_MAX_BODY: a number of bytes is needed, not {given!r}")
    return int(given or MOST_BYTES)


def _describe_server(_request: Request) -> Response:
    return respond_json(inference_v2.describe_server())


def _describe_model(model: ModelEndpoint, _request: Request) -> Response:
    return respond_json(inference_v2.describe_model_v2(model.schema))


def _respond_flag(name: str, _request: Request) -> Response:
    """The models are loaded before the server takes its first request, so it is ready once it answers."""
    return respond_json({name: True})


def _redirect(target: str, _request: Request) -> Response:
    return Response(b"", 308, headers={"Location": quote(target)})


def _respond_v2_error(error: RequestError) -> Response:
    """The protocol's inference_error_response: one text."""
    text = "; ".join(problem.sentence() for problem in error.problems)
    return respond_json({"error": text}, error.status, error.headers)


def _headers(response: Response, identity: str) -> list[tuple[str, str]]:
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "X-Request-ID": identity,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        **response.headers,
    }
    if response.status in (204, 308):
        del headers["Content-Type"]
    return [(name, _header_value(value)) for name, value in headers.items()]


def _header_value(value: str) -> str:
    return value.encode("latin-1", "replace").decode("latin-1")
