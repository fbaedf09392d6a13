"""Compare a compiled model with the model's own path, on rows that are made to show a difference."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mldeploy_model.compiled.blocks import row_values
from mldeploy_model.compiled.borders import border_rows
from mldeploy_model.compiled.domains import Row, as_columns, input_domains, known_rows, odd_rows, random_columns
from mldeploy_model.compiled.model import FULL, CompiledModel, StockModel
from mldeploy_model.predictor import PredictionInputError

if TYPE_CHECKING:
    from mldeploy_model.schema import ModelSchema

BATCHES = (2, 3, 7, 100)


class Effort(NamedTuple):
    """How many random rows are predicted, and how many rows one by one, which is what takes the time."""

    rows: int = 2000
    single_rows: int = 40


FULL_EFFORT = Effort()


@dataclass(frozen=True)
class Proof:
    """What the comparison shows. `worst_difference` is relative; a refusal or a class that differs counts as 1."""

    equal: bool
    rows: int
    worst_difference: float = 0.0
    worst_row: Mapping[str, object] | None = None
    reason: str = ""  # why they are not equal
    tolerance: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    stock_parts: tuple[tuple[str, str], ...] = ()
    runtime: str = FULL

    def to_json(self) -> str:
        """One JSON object. Values of the worst row that JSON does not have are texts."""
        document = asdict(self)
        if self.worst_row is not None:
            document["worst_row"] = {name: _json_value(value) for name, value in self.worst_row.items()}
        return json.dumps(document, ensure_ascii=False, allow_nan=False)

    def summary(self) -> str:
        """One line for a person."""
        if self.equal:
            how = "bit-identical" if not self.worst_difference else f"differing by at most {self.worst_difference:.2g}"
            path = "compiled path" if self.runtime == FULL else "minimal runtime"
            return f"{path}: {self.rows} rows {how} with {_version_line(self.versions)}"
        if self.runtime != FULL:
            return f"minimal runtime not possible: {self.reason}"
        return f"compiled path not used, the model's own path serves: {self.reason}"


def prove(
    compiled: CompiledModel,
    estimator: Any,
    schema: ModelSchema,
    sample: Sequence[Row],
    *,
    tolerance: float = 0.0,
    seed: int = 0,
    effort: Effort = FULL_EFFORT,
) -> Proof:
    """Predict with both paths and compare bit by bit, or within the relative `tolerance`.

    The rows are those of the sample, random ones over the columns' ranges and categories, those at the thresholds of
    trees and at category borders, and rows with missing, unknown and extreme values, one by one and in batches.
    Refusals must agree. It may be repeated: the same seed makes the same rows. With less than
    the full effort only some of the odd rows are tried.
    """
    comparison = _Comparison(compiled, StockModel(compiled.inputs, estimator), tolerance)
    random = np.random.default_rng(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _compare_all(comparison, schema, sample, effort, random)
    return Proof(
        not comparison.reason,
        comparison.rows,
        comparison.worst_difference,
        comparison.worst_row,
        comparison.reason,
        tolerance,
        library_versions(),
        compiled.stock_parts,
        compiled.runtime,
    )


def _compare_all(
    comparison: _Comparison,
    schema: ModelSchema,
    sample: Sequence[Row],
    effort: Effort,
    random: np.random.Generator,
) -> None:
    rows, singles, compiled = effort.rows, effort.single_rows, comparison.compiled
    names = compiled.inputs.names
    domains = input_domains(compiled, schema.columns, sample)
    drawn = random_columns(domains, rows, random)
    ordinary: list[Row] = [row for row in sample if set(names) <= set(row)]
    made: list[Row] = [row_values(drawn, index) for index in range(min(rows, singles))]
    base = ordinary[:100] or made
    comparison.compare(drawn, rows)
    for batch in (ordinary, known_rows(domains, base[0]), border_rows(compiled, domains, base, random)):
        if batch:
            comparison.compare(as_columns(batch, names), len(batch))
    for count in BATCHES if effort == FULL_EFFORT else BATCHES[:1]:
        comparison.compare({name: values[:count] for name, values in drawn.items()}, min(count, rows))
    if not comparison.predicted and not comparison.reason:
        comparison.reason = "the model refuses every row that was tried: a sample would say which values it takes"
    odd = odd_rows(domains, base[0])
    if effort != FULL_EFFORT:
        odd = [odd[index] for index in random.permutation(len(odd))[: 3 * singles]]
    for row in [*ordinary[: singles // 2], *made[: singles // 2], *odd]:
        comparison.compare(as_columns([row], names), 1)


class _Comparison:
    """Both paths on the same rows, and the worst of what differs."""

    def __init__(self, compiled: CompiledModel, stock: StockModel, tolerance: float) -> None:
        self.compiled, self.stock, self.tolerance = compiled, stock, tolerance
        self.rows = self.predicted = 0
        self.worst_difference = 0.0
        self.worst_row: Mapping[str, object] | None = None
        self.reason = ""
        if compiled.plan.has_probabilities != hasattr(stock.estimator, "predict_proba"):
            self.reason = "one path has probabilities and the other has none"

    def compare(self, columns: Mapping[str, Sequence[object]], count: int) -> None:
        """Where a batch is refused, its halves are compared, down to the single row."""
        expected, got = self._outputs(self.stock, columns, count), self._outputs(self.compiled, columns, count)
        if isinstance(expected, str) or isinstance(got, str):
            if count > 1:
                self._compare_halves(columns, count)
            else:
                self.rows += 1
                self._compare_refusals(columns, expected, got)
            return
        self.rows += count
        self.predicted += count
        for one, other in zip(expected, got):
            self._compare_arrays(columns, one, other)

    def _compare_halves(self, columns: Mapping[str, Sequence[object]], count: int) -> None:
        half = count // 2
        self.compare({name: values[:half] for name, values in columns.items()}, half)
        self.compare({name: values[half:] for name, values in columns.items()}, count - half)

    def _compare_refusals(self, columns: Mapping[str, Sequence[object]], expected: Any, got: Any) -> None:
        if isinstance(expected, str) and isinstance(got, str):
            return
        path = "the model's own path" if isinstance(expected, str) else "the compiled path"
        why = expected if isinstance(expected, str) else got
        self._record(columns, 0, 1.0, f"{path} alone refuses the row: {why}")

    def _compare_arrays(self, columns: Mapping[str, Sequence[object]], expected: Any, got: Any) -> None:
        if expected.shape != got.shape:
            self._record(columns, 0, 1.0, f"the results have the shapes {expected.shape} and {got.shape}")
            return
        differences = row_differences(expected, got)
        worst = int(np.argmax(differences))
        if differences[worst] > self.worst_difference or (differences[worst] and not self.worst_row):
            values = f"{_text(expected[worst])} and {_text(got[worst])}"
            within = differences[worst] <= self.tolerance
            reason = "" if within else f"a row differs by {differences[worst]:.3g}: {values}"
            self._record(columns, worst, float(differences[worst]), reason)

    def _record(self, columns: Mapping[str, Sequence[object]], index: int, difference: float, reason: str) -> None:
        if difference >= self.worst_difference:
            self.worst_difference, self.worst_row = difference, row_values(columns, index)
            self.reason = reason or self.reason

    def _outputs(self, path: Any, columns: Mapping[str, Sequence[object]], count: int) -> Any:
        """The arrays that a path returns, or the text of its refusal."""
        calls: list[Callable[[], Any]] = [lambda: path.predict_array(columns, count)]
        if self.compiled.plan.has_probabilities:
            calls.append(lambda: path.probability_array(columns, count))
        try:
            results = [call() for call in calls]
        except PredictionInputError:
            raise
        except Exception as error:  # noqa: BLE001 - code of any library; that it refuses the row is the result
            return f"{type(error).__name__}: {error}"[:300]
        return [array for result in results for array in _arrays(result)]


def _arrays(result: Any) -> list[Any]:
    """A list of arrays is one array a target."""
    if isinstance(result, list) and result and isinstance(result[0], np.ndarray):
        return result
    return [np.asarray(result)]


def row_differences(expected: Any, got: Any) -> Any:
    """The greatest relative difference in each row; 0 for identical bits (one NaN is like another)."""
    count = len(expected)
    if expected.dtype.kind not in "fiu" or got.dtype.kind not in "fiu":
        return (expected != got).reshape(count, -1).any(axis=1).astype(np.float64)
    one, other = expected.astype(np.float64), got.astype(np.float64)
    same = (one == other) & (np.signbit(one) == np.signbit(other)) | (np.isnan(one) & np.isnan(other))
    greatest = np.maximum(np.abs(one), np.abs(other))
    relative = np.abs(one - other) / np.where(greatest == 0, 1.0, greatest)
    relative = np.where(np.isfinite(relative), np.maximum(relative, 5e-324), 1.0)
    return np.where(same, 0.0, relative).reshape(count, -1).max(axis=1)


def library_versions() -> dict[str, str]:
    """The versions of what computes, for the label and for a later look."""
    from importlib import metadata

    versions = {"python": platform.python_version(), "machine": platform.machine()}
    names = ("numpy", "scipy", "pandas", "scikit-learn", "xgboost", "xgboost-cpu", "lightgbm", "catboost")
    installed = {name: list(metadata.distributions(name=name)) for name in names}
    return {**versions, **{name: listed[0].version for name, listed in installed.items() if listed}}


def _version_line(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {versions[name]}" for name in ("scikit-learn", "numpy") if name in versions)


def _text(value: Any) -> str:
    return str(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)[:120]


def _json_value(value: object) -> object:
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
