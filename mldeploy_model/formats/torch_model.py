"""PyTorch: TorchScript and `torch.export` archives. A state dict has no network in it, and is refused."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import Any

from mldeploy_model.formats.networks import NetworkPredictor, network_columns
from mldeploy_model.formats.per_process import PerProcessPredictor
from mldeploy_model.formats.registry import library_version
from mldeploy_model.predictor import ModelLoadError, Predictor
from mldeploy_model.schema import ModelDescription, ModelSchema

_REMEDY = "Save the network with its code: torch.jit.script(model).save(path), or torch.export.save(program, path)"


def open_file(path: Path, name: str) -> TorchModel:
    if name == "torch-pickle":
        _refuse_state_dict(path)
    import torch

    torch.set_num_threads(1)
    if name == "torchscript":
        return TorchModel(path, name, torch.jit.load(str(path), map_location="cpu").eval())
    if name == "torch-export":
        return TorchModel(path, name, torch.export.load(str(path)).module())
    loaded = torch.load(str(path), map_location="cpu", weights_only=False)
    if not callable(loaded):
        raise _no_network(path, type(loaded).__name__)
    return TorchModel(path, name, loaded.eval())


def _refuse_state_dict(path: Path) -> None:
    """Without PyTorch: the pickle in the archive names the classes that it needs."""
    with zipfile.ZipFile(path) as archive:
        name = next(each for each in archive.namelist() if each.endswith("data.pkl"))
        arguments = [argument for _, argument, _ in pickletools.genops(archive.read(name))]
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if any(text.startswith(("torch.nn.modules", "__main__")) for text in texts):
        return
    weights = [text for text in texts if text.endswith(("weight", "bias"))]
    if weights:
        raise _no_network(path, f"state dict ({len(weights)} tensors, such as {weights[0]})")


def _no_network(path: Path, kind: str) -> ModelLoadError:
    what = f"{path.name} is a {kind}: the weights are there, the network that they belong to is missing"
    return ModelLoadError(what, _REMEDY)


class TorchModel:
    """A network that can be called."""

    def __init__(self, path: Path, name: str, network: Any) -> None:
        self.path, self.name, self.network = path, name, network

    def describe(self) -> ModelDescription:
        columns, unknown = network_columns(self._input_shapes())
        version = library_version("torch").partition("+")[0]
        missing = ("columns: they are not in the model; add a sample with a header",) if not columns else unknown
        return ModelDescription(
            format=self.name,
            task="other",
            columns=columns,
            library="torch",
            library_version=version,
            requirements=(f"torch=={version}", f"numpy=={library_version('numpy')}"),
            unknown=(*missing, "task: it is not in the model; set model.task, and model.classes for a classification"),
        )

    def _input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Of an exported program's example inputs, or of a network that begins with one linear layer."""
        linear = next((m for m in self.network.modules() if getattr(m, "original_name", "") == "Linear"), None)
        if linear is not None and hasattr(linear, "weight"):
            return {"x": (int(linear.weight.shape[1]),)}
        weights = [p for _, p in self.network.named_parameters() if p.ndim == 2]
        return {"x": (int(weights[0].shape[1]),)} if weights else {}

    def predictor(self, schema: ModelSchema) -> Predictor:
        first = self.open_predictor(schema)
        return PerProcessPredictor(first, lambda: open_file(self.path, self.name).open_predictor(schema))

    def open_predictor(self, schema: ModelSchema) -> Predictor:
        """The predictor of this process alone."""
        import torch

        def call(arrays: Any) -> Any:
            tensors = [torch.from_numpy(array) for array in (arrays if isinstance(arrays, list) else [arrays])]
            with torch.no_grad():
                output = self.network(*tensors)
            return (output[0] if isinstance(output, (list, tuple)) else output).numpy()

        return NetworkPredictor(call, 1, schema)
