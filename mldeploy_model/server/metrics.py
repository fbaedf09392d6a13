"""Prometheus metrics: requests, durations, rows, and the distributions of inputs and predictions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mldeploy_model.schema import ModelSchema
from mldeploy_model.server.model_endpoint import Prediction
from mldeploy_model.server.recorders import ColumnRecorder, PredictionRecorder
from mldeploy_model.server.shared_counters import Key, SharedCounters

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class Family:
    """A metric's name, its type and what it is."""

    name: str
    kind: str
    text: str


_FAMILIES = (
    Family("http_requests_total", "counter", "Requests answered"),
    Family("http_request_duration_seconds", "histogram", "Time to answer a request"),
    Family("model_rows_total", "counter", "Rows predicted"),
    Family("model_input", "histogram", "Values of a numeric input"),
    Family("model_input_categories_total", "counter", "Values of an input with categories"),
    Family("model_input_missing_total", "counter", "Missing values of an input"),
    Family("model_warnings_total", "counter", "Values outside of the range that the model knows"),
    Family("model_prediction", "histogram", "Predicted numbers"),
    Family("model_prediction_classes_total", "counter", "Predicted classes"),
)


class Metrics:
    """The numbers of one server. Labels come from the models and routes, never from what a client made up."""

    def __init__(self, schemas: Sequence[ModelSchema]) -> None:
        self._counters = SharedCounters()
        self._columns = {s.name: [ColumnRecorder(s, column) for column in s.columns] for s in schemas}
        self._predictions = {schema.name: PredictionRecorder(schema) for schema in schemas}
        self._bounds = {(name, each.name): each.bounds for name, columns in self._columns.items() for each in columns}

    def count_request(self, method: str, route: str, status: int, seconds: float, port: str) -> None:
        labels = ("method", method, "route", route, "status", str(status))
        bucket = _bucket(DURATIONS, seconds)
        duration = ("http_request_duration_seconds", "route", route)
        self._counters.add(
            [(("http_requests_total", *labels), 1), ((*duration, "le", bucket), 1), ((*duration, "", "sum"), seconds)],
            port,
        )

    def count_prediction(self, schema: ModelSchema, prediction: Prediction, port: str) -> None:
        model = ("model", schema.name)
        amounts: list[tuple[Key, float]] = [(("model_rows_total", *model), prediction.rows)]
        for warning in prediction.warnings:
            amounts.append((("model_warnings_total", *model, "column", str(warning.field)), 1))
        for column in self._columns[schema.name]:
            column.record(prediction.columns[column.name], amounts)
        self._predictions[schema.name].record(prediction.values, amounts)
        self._counters.add(amounts, port)

    def render(self, port: str) -> bytes:
        """The text that Prometheus reads, over all processes that share a folder."""
        sums = self._counters.sums(port)
        lines: list[str] = []
        if self._counters.problem:
            lines.append(f"# These are the numbers of one process alone: {self._counters.problem}")
        for family in _FAMILIES:
            samples = {key[1:]: value for key, value in sums.items() if key[0] == family.name}
            if samples:
                lines += [f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}"]
                lines += (
                    self._render_histograms(family.name, samples)
                    if family.kind == "histogram"
                    else _render(family, samples)
                )
        return ("\n".join(lines) + "\n").encode()

    def _render_histograms(self, name: str, samples: Mapping[Key, float]) -> Iterator[str]:
        series: dict[Key, dict[str, float]] = {}
        for key, value in samples.items():
            series.setdefault(key[:-2], {})[key[-1]] = value
        for labels, buckets in sorted(series.items()):
            bounds = [f"{bound:g}" for bound in self._bounds_for(name, labels)] + ["+Inf"]
            counts = list(accumulate(buckets.get(bound, 0.0) for bound in bounds))
            for bound, count in zip(bounds, counts):
                yield f"{name}_bucket{_labels((*labels, 'le', bound))} {count:.0f}"
            yield f"{name}_sum{_labels(labels)} {buckets.get('sum', 0.0)!r}"
            yield f"{name}_count{_labels(labels)} {counts[-1]:.0f}"

    def _bounds_for(self, name: str, labels: Key) -> Sequence[float]:
        if name == "model_input":
            return self._bounds[labels[1], labels[3]]
        return self._predictions[labels[1]].bounds if name == "model_prediction" else DURATIONS


def _render(family: Family, samples: Mapping[Key, float]) -> Iterator[str]:
    for labels, value in sorted(samples.items()):
        yield f"{family.name}{_labels(labels)} {value:.0f}"


def _labels(labels: Sequence[str]) -> str:
    pairs = zip(labels[::2], labels[1::2])
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in pairs) + "}" if labels else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _bucket(bounds: Sequence[float], value: float) -> str:
    return _bound_text(bounds, bisect_left(bounds, value))


def _bound_text(bounds: Sequence[float], index: int) -> str:
    return f"{bounds[index]:g}" if index < len(bounds) else "+Inf"
