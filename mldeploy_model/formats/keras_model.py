"""Keras 3 models (`.keras`), on whichever backend is installed: a CPU is enough."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mldeploy_model.formats.networks import NetworkPredictor, network_columns
from mldeploy_model.formats.per_process import PerProcessPredictor
from mldeploy_model.formats.registry import library_version
from mldeploy_model.predictor import ModelLoadError, Predictor
from mldeploy_model.schema import ModelDescription, ModelSchema


def open_file(path: Path, _name: str) -> KerasModel:
    if "KERAS_BACKEND" not in os.environ:
        os.environ["KERAS_BACKEND"] = next((n for n in ("jax", "tensorflow", "torch") if find_spec(n)), "jax")
    import keras

    try:
        return KerasModel(path, keras.saving.load_model(str(path), compile=False))
    except (TypeError, ValueError) as error:
        raise _load_error(path, str(error)) from None


def _load_error(path: Path, text: str) -> ModelLoadError:
    if "Could not locate" in text or "Unknown layer" in text:
        named = re.search(r"(?:Could not locate \w+|Unknown layer:?) '?(\w+)'?", text)
        what = f"{path.name} has a custom layer or function{', ' + named[1] if named else ''}, whose code is not there"
        remedy = (
            "Put its class into a module beside the model, decorated with @keras.saving.register_keras_serializable()"
        )
        return ModelLoadError(what, f"{remedy}, and save the model with that module imported")
    what = f"{path.name} does not load with keras {library_version('keras')}: {next(iter(text.splitlines()), '')[:200]}"
    return ModelLoadError(what, "Pin the version of Keras that saved the model, or save it again")


class KerasModel:
    """A loaded model."""

    def __init__(self, path: Path, model: Any) -> None:
        self.path, self.model = path, model

    def describe(self) -> ModelDescription:
        columns, unknown = network_columns({tensor.name: tuple(tensor.shape[1:]) for tensor in self.model.inputs})
        version = library_version("keras")
        width = self.model.outputs[0].shape[-1]
        activation = getattr(getattr(self.model.layers[-1], "activation", None), "__name__", "")
        classes = tuple(range(max(2, int(width)))) if activation in ("softmax", "sigmoid") and width else ()
        return ModelDescription(
            format="keras",
            task="classification" if classes else "regression" if width == 1 else "other",
            columns=columns,
            classes=classes,
            probabilities=bool(classes),
            library="keras",
            library_version=version,
            requirements=(f"keras=={version}", f"numpy=={library_version('numpy')}"),
            unknown=unknown,
        )

    def predictor(self, schema: ModelSchema) -> Predictor:
        first = self.open_predictor(schema)
        return PerProcessPredictor(first, lambda: open_file(self.path, "keras").open_predictor(schema))

    def open_predictor(self, schema: ModelSchema) -> Predictor:
        """The predictor of this process alone."""
        import keras

        def call(arrays: Any) -> Any:
            output = self.model(arrays, training=False)
            return keras.ops.convert_to_numpy(output[0] if isinstance(output, (list, tuple)) else output)

        return NetworkPredictor(call, len(self.model.inputs), schema)
