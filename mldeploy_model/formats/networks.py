"""What Keras and PyTorch models have in common: inputs as one matrix, or a tensor each; one array out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mldeploy_model.formats.arrays import ScoreOutput, as_matrix
from mldeploy_model.schema import Column, ModelSchema


class NetworkPredictor:
    """Calls a network with NumPy arrays. `call` takes one array, or a list of them, and returns an array."""

    def __init__(self, call: Callable[[Any], Any], inputs: int, schema: ModelSchema) -> None:
        self._call_network, self._inputs = call, inputs
        self.names = [column.name for column in schema.columns]
        self.is_matrix = inputs == 1 and not any(column.type == "tensor" for column in schema.columns)
        self.scores = ScoreOutput(schema.classes)

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        return self.scores.values(self._call(columns, rows))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        return self.scores.probabilities(self._call(columns, rows))

    def _call(self, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        import numpy as np

        names = self.names or list(columns)
        if self.is_matrix:
            return self._call_network(as_matrix(columns, names, rows, "float32"))
        arrays = [np.array(columns[name], dtype="float32") for name in names]
        arrays = [array.reshape(rows, 1) if array.ndim == 1 else array for array in arrays]
        return self._call_network(arrays[0] if len(arrays) == 1 else arrays)


def network_columns(shapes: Mapping[str, Sequence[int | None]]) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns for inputs of these shapes, the rows left out, and a line for what they do not say."""
    if len(shapes) == 1:
        (shape,) = shapes.values()
        if len(shape) == 1 and shape[0] is not None:
            unknown = ("columns: their names are not in the model; add a sample with a header",)
            return tuple(Column(f"x{index}") for index in range(shape[0])), unknown
    columns = [Column(name, "number" if list(shape) in ([], [1]) else "tensor") for name, shape in shapes.items()]
    return tuple(columns), ()
