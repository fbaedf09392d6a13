"""ONNX models, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mldeploy_model.formats.arrays import ScoreOutput, as_matrix, name_probabilities, to_values
from mldeploy_model.formats.per_process import PerProcessPredictor
from mldeploy_model.formats.registry import library_version
from mldeploy_model.predictor import ModelLoadError, Predictor
from mldeploy_model.schema import Column, ModelDescription, ModelSchema

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}
_COLUMN_TYPES = {"int64": "integer", "int32": "integer", "bool": "boolean", "object": "text"}


def open_file(path: Path, _name: str) -> OnnxModel:
    return OnnxModel(path)


class OnnxModel:
    """A session, and what its inputs are: one column each, a matrix of all columns, or a tensor a row."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # requests are answered side by side already
        options.log_severity_level = 3
        self.path = path
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs = self.session.get_inputs()
        self.outputs = self.session.get_outputs()
        for tensor in self.inputs:
            if tensor.type not in _DTYPES:
                what = f"{path.name} has the input {tensor.name!r} of the type {tensor.type}"
                raise ModelLoadError(what, "Served are tensors of numbers, truth values and texts")

    @property
    def is_matrix(self) -> bool:
        """One input holds all columns side by side."""
        return len(self.inputs) == 1 and len(self.inputs[0].shape) == 2 and self.inputs[0].shape[1] != 1

    def describe(self) -> ModelDescription:
        classes = self._classes()
        version = library_version("onnxruntime")
        columns = self._columns()
        return ModelDescription(
            format="onnx",
            task="classification" if classes or self.label_output() is not None else "other",
            columns=columns,
            classes=classes,
            probabilities=bool(classes),
            library="onnxruntime",
            library_version=version,
            requirements=(f"onnxruntime=={version}", f"numpy=={library_version('numpy')}"),
            unknown=self._unknown(columns),
        )

    def _columns(self) -> tuple[Column, ...]:
        if self.is_matrix:
            width, kind = self.inputs[0].shape[1], _column_type(self.inputs[0])
            return tuple(Column(f"x{index}", kind) for index in range(width)) if isinstance(width, int) else ()
        return tuple(Column(tensor.name, _column_type(tensor)) for tensor in self.inputs)

    def _unknown(self, columns: Sequence[Column]) -> tuple[str, ...]:
        if self.is_matrix:
            what = "their names" if columns else "their number and names"
            return (f"columns: {what} are not in the model; add a sample with a header",)
        return ()

    def label_output(self) -> int | None:
        """The output with the class, beside one with probabilities: as skl2onnx and onnxmltools make them."""
        if len(self.outputs) < 2:
            return None
        labels = [i for i, o in enumerate(self.outputs) if o.type in ("tensor(int64)", "tensor(string)")]
        return labels[0] if labels else None

    def _classes(self) -> tuple[Any, ...]:
        """Known only where one row's answer names them (a ZipMap)."""
        zipped = [output.name for output in self.outputs if output.type.startswith("seq(map")]
        if not zipped or self.label_output() is None:
            return ()
        feed = {tensor.name: _zeros(tensor) for tensor in self.inputs}
        return tuple(self.session.run(zipped, feed)[0][0])

    def predictor(self, schema: ModelSchema) -> Predictor:
        first = OnnxPredictor(self, schema)
        return PerProcessPredictor(first, lambda: OnnxPredictor(OnnxModel(self.path), schema))


class OnnxPredictor:
    """Runs the session on whole columns; row by row only where the model's batch size is fixed to one."""

    def __init__(self, model: OnnxModel, schema: ModelSchema) -> None:
        self.model, self.schema = model, schema
        self.label = model.label_output()
        self.scores = ScoreOutput(schema.classes)
        batch = model.inputs[0].shape[0] if model.inputs[0].shape else None
        self.batch = batch if isinstance(batch, int) else None
        if self.batch not in (None, 1):
            what = f"{model.path.name} takes exactly {self.batch} rows at a time"
            raise ModelLoadError(what, "Export it with a dynamic first dimension")

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        outputs = self._run(columns, rows)
        return to_values(outputs[self.label]) if self.label is not None else self.scores.values(outputs[0])

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        outputs = self._run(columns, rows)
        if self.label is None:
            return self.scores.probabilities(outputs[0])
        shares = outputs[1 - self.label] if self.label < 2 else outputs[0]
        if isinstance(shares, list):
            return [{str(name): float(share) for name, share in row.items()} for row in shares]
        return name_probabilities(self.schema.classes, shares) if self.schema.classes else None

    def _run(self, columns: Mapping[str, Sequence[object]], rows: int) -> list[Any]:
        feed = self._feed(columns, rows)
        if self.batch is None or rows == 1:
            outputs: list[Any] = self.model.session.run(None, feed)
            return outputs
        parts = [self.model.session.run(None, {n: a[row : row + 1] for n, a in feed.items()}) for row in range(rows)]
        return [_join(list(each)) for each in zip(*parts)]

    def _feed(self, columns: Mapping[str, Sequence[object]], rows: int) -> dict[str, Any]:
        import numpy as np

        names = [column.name for column in self.schema.columns] or list(columns)
        if self.model.is_matrix:
            tensor = self.model.inputs[0]
            return {tensor.name: as_matrix(columns, names, rows, _DTYPES[tensor.type])}
        feed = {}
        for tensor, name in zip(self.model.inputs, names):
            values = np.array(columns[name], dtype=_DTYPES[tensor.type])
            feed[tensor.name] = values.reshape(rows, 1) if len(tensor.shape) == 2 and values.ndim == 1 else values
        return feed


def _join(parts: list[Any]) -> Any:
    import numpy as np

    return [row for part in parts for row in part] if isinstance(parts[0], list) else np.concatenate(parts)


def _column_type(tensor: Any) -> str:
    if len(tensor.shape) > 2 or (
        len(tensor.shape) == 2 and tensor.shape[1] != 1 and not isinstance(tensor.shape[1], int)
    ):
        return "tensor"
    return _COLUMN_TYPES.get(_DTYPES[tensor.type], "number")


def _zeros(tensor: Any) -> Any:
    import numpy as np

    shape = [size if isinstance(size, int) else 1 for size in tensor.shape]
    return (
        np.full(shape, "", dtype=object) if tensor.type == "tensor(string)" else np.zeros(shape, _DTYPES[tensor.type])
    )
