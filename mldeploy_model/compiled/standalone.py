"""A plan as bytes that NumPy and this package alone can load and compute: what `runtime = "minimal"` serves.

It is a pickle of the plan in which trees are tables, link functions are named, and of each fitted part only its
plain values are left. Whatever refers to another library is refused, and so is everything else when it is loaded.
"""

from __future__ import annotations

import io
import pickle
import zlib
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from mldeploy_model.compiled import links, tree_tables
from mldeploy_model.compiled.blocks import Array, SparseBlock, as_numbers, refuse_not_finite
from mldeploy_model.compiled.model import CompiledModel
from mldeploy_model.compiled.operations import NotCompilableError
from mldeploy_model.compiled.others import NeuralNetwork
from mldeploy_model.compiled.trees import Boosting, Forest, HistBoosting

MARK = b"mldeploy plan 1\n"
MOST_BYTES = 8 << 20
"""Of a plan, compressed: it is kept with the inspection of the model."""
_OWN = ("builtins", "copyreg", "mldeploy_model", "numpy")
_LOADED = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"}
_BUILTINS = {"slice", "set", "frozenset", "bytearray", "complex", "int", "float", "str", "bool", "object"}
_PLAIN = (str, bytes, int, float, bool, type(None), np.generic, np.dtype)


class NeedsLibraryError(RuntimeError):
    """A plan came to a computation that only the library of the model can do."""


class FittedValues:
    """The plain values of a fitted part. What it computes itself is not there."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values, part_name=name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "part_name":
            raise AttributeError(name)
        raise NeedsLibraryError(f"{self.part_name}.{name} has no form without its library")


class TableNetwork:
    """`others.NeuralNetwork` without scikit-learn."""

    def __init__(self, network: NeuralNetwork) -> None:
        fitted = network.fitted
        self.layers = list(zip(fitted.coefs_, fitted.intercepts_))
        self.hidden, self.last, self.outputs = fitted.activation, fitted.out_activation_, fitted.n_outputs_
        self.classes, self.has_probabilities = network.classes, network.has_probabilities
        if self.classes is not None and str(fitted._label_binarizer.y_type_).startswith("multilabel"):
            raise NotCompilableError(type(fitted).__name__, "it predicts several targets")

    def predict(self, block: Any) -> Array:
        output = self._forward(block)
        if self.classes is None:
            return output.ravel() if output.shape[1] == 1 else output
        if self.outputs == 1:
            return np.asarray(self.classes[(output.ravel() > 0.5).astype(int)])
        return np.asarray(self.classes.take(output.argmax(axis=1), mode="clip"))

    def probabilities(self, block: Any) -> Any:
        output = self._forward(block)
        if self.outputs != 1:
            return output
        flat = output.ravel()
        return np.vstack([1 - flat, flat]).T

    def parts(self) -> tuple[object, ...]:
        return ()

    def _forward(self, block: Any) -> Array:
        if isinstance(block, SparseBlock):
            raise NeedsLibraryError("a network on sparse data has no form without its library")
        values = as_numbers(block)
        refuse_not_finite(values)
        for index, (weights, intercept) in enumerate(self.layers):
            values = values @ weights
            values += intercept
            values = _activate(self.last if index == len(self.layers) - 1 else self.hidden, values)
        return values


def _activate(name: str, values: Array) -> Array:
    """sklearn/neural_network/_base.py, ACTIVATIONS."""
    if name == "logistic":
        return links.logistic(values)
    if name == "softmax":
        values = np.exp(values - values.max(axis=1)[:, np.newaxis])
        values /= values.sum(axis=1)[:, np.newaxis]
        return values
    if name == "tanh":
        return np.asarray(np.tanh(values))
    return np.maximum(values, 0) if name == "relu" else values


_CONVERTED: Mapping[type, Callable[[Any], Any]] = {
    Boosting: tree_tables.TableBoosting,
    Forest: tree_tables.TableForest,
    HistBoosting: tree_tables.TableHistBoosting,
    NeuralNetwork: TableNetwork,
}


def dump_plan(compiled: CompiledModel) -> bytes:
    """The plan of a compiled model. Raises NotCompilableError for a part that needs its library."""
    if compiled.stock_parts:
        part, reason = compiled.stock_parts[0]
        raise NotCompilableError(part, reason)
    buffer = io.BytesIO()
    _PlanPickler(buffer).dump(compiled)
    content = MARK + zlib.compress(buffer.getvalue(), 6)
    if len(content) > MOST_BYTES:
        size = f"its plan has {len(content) >> 20} MiB, and at most {MOST_BYTES >> 20} are possible"
        raise NotCompilableError(type(compiled.plan).__name__, size)
    return content


def load_plan(content: bytes) -> CompiledModel:
    """Raises ValueError for bytes that are no plan, and for one that refers to more than arrays and this package."""
    if not content.startswith(MARK):
        raise ValueError("this is no plan of this version of mldeploy")
    try:
        plan = _PlanUnpickler(io.BytesIO(zlib.decompress(content[len(MARK) :]))).load()
    except (zlib.error, pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(f"the plan cannot be read: {error}") from None
    if not isinstance(plan, CompiledModel):
        raise ValueError("the plan is no compiled model")  # noqa: TRY004 - it is the bytes that are wrong
    return plan


class _PlanPickler(pickle.Pickler):
    """Raises NotCompilableError where the plan refers to another library."""

    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, protocol=4)

    def reducer_override(self, value: Any) -> Any:
        convert = _CONVERTED.get(type(value))
        if convert is not None:
            return as_it_is, (convert(value),)
        if isinstance(value, np.ndarray) and _is_columnwise_part(value):
            return as_it_is, (np.asfortranarray(value),)
        if isinstance(value, np.ufunc) and value.__name__ == "expit":
            return named_function, ("logistic",)
        if isinstance(value, MethodType):
            return _reduce_method(value)
        root = str(_module(value) or "").partition(".")[0]
        if root in _OWN:
            return NotImplemented
        if hasattr(value, "get_params"):
            return as_it_is, (FittedValues(type(value).__name__, _plain_values(value)),)
        raise NotCompilableError(getattr(value, "__name__", type(value).__name__), f"it needs {root or 'its library'}")


def _is_columnwise_part(array: Array) -> bool:
    """Whether it is part of a column-wise array: a pickle would make it row-wise, and products sum in another order."""
    is_whole = array.flags.c_contiguous or array.flags.f_contiguous
    return array.ndim == 2 and not is_whole and array.strides[0] < array.strides[1]


def _reduce_method(value: MethodType) -> Any:
    owner = value.__self__
    if value.__name__ == "inverse" and type(owner).__name__ in links.LINKS:
        return as_it_is, (links.Link.of(owner),)
    raise NotCompilableError(type(owner).__name__, f"{value.__name__} needs its library")


def _module(value: Any) -> Any:
    """Of a function or a class itself, else of the value's class."""
    own = (type, FunctionType, BuiltinFunctionType, np.ufunc)
    return (getattr(value, "__module__", None) or "numpy") if isinstance(value, own) else type(value).__module__


def _plain_values(fitted: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(fitted).items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(each) for pair in value.items() for each in pair)
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "O" or all(isinstance(each, _PLAIN) for each in value.ravel().tolist())
    return isinstance(value, _PLAIN)


def as_it_is(value: Any) -> Any:
    """What stands for another object in a plan."""
    return value


def named_function(name: str) -> Callable[[Array], Array]:
    """A function that stands for one of SciPy's."""
    return {"logistic": links.logistic}[name]


class _PlanUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = module.startswith("mldeploy_model.compiled.") or module in _LOADED
        if not known and not (module == "builtins" and name in _BUILTINS):
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return super().find_class(module, name)
