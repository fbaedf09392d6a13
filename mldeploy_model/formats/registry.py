"""From a format's name to its module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from mldeploy_model.formats.detection import detect_format
from mldeploy_model.predictor import ModelLoadError, OpenedModel

_MODULES = {
    "sklearn": ("sklearn_model", "scikit-learn"),
    "skops": ("sklearn_model", "skops"),
    "xgboost": ("xgboost_model", "xgboost"),
    "lightgbm": ("lightgbm_model", "lightgbm"),
    "catboost": ("catboost_model", "catboost"),
    "onnx": ("onnx_model", "onnxruntime"),
    "keras": ("keras_model", "keras"),
    "torchscript": ("torch_model", "torch"),
    "torch-export": ("torch_model", "torch"),
    "torch-pickle": ("torch_model", "torch"),
    "mlflow": ("mlflow_model", "mlflow"),
    "huggingface": ("huggingface_model", "transformers"),
}


def open_model(path: Path, folder: Path) -> OpenedModel:
    """Load the model at `path`. It can import modules in `folder` and beside it. Raises ModelLoadError."""
    name = detect_format(path)
    module, library = _MODULES[name]
    for entry in (str(path.parent), str(folder)):
        if entry not in sys.path:
            sys.path.append(entry)
    opener: Callable[[Path, str], OpenedModel] = import_module(f"mldeploy_model.formats.{module}").open_file
    with translate_errors(path, library):
        return opener(path, name)


@contextmanager
def translate_errors(path: Path, library: str) -> Iterator[None]:
    """Turn whatever a library raises while it loads a model into a ModelLoadError."""
    try:
        yield
    except ModelLoadError:
        raise
    except ModuleNotFoundError as error:
        raise _missing_module(path, error, library) from None
    except MemoryError:
        raise ModelLoadError(f"{path.name} does not fit into the memory", "Raise `memory` in [app]") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {_first_line(error)}"
        what = f"{path.name} does not load with {describe_library(library)}: {reason}"
        raise ModelLoadError(what, f"Pin the version of {library} that saved the model, or save it again") from error


def describe_library(distribution: str) -> str:
    """The name of a library and the version that is installed."""
    version = library_version(distribution)
    return f"{distribution} {version}" if version else distribution


def library_version(*distributions: str) -> str:
    """The installed version of the first of these distributions that is there, or ""."""
    from importlib.metadata import PackageNotFoundError, version

    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:  # noqa: PERF203 - a handful of names
            continue
    return ""


_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python-headless", "yaml": "pyyaml"}


def _missing_module(path: Path, error: ModuleNotFoundError, library: str) -> ModelLoadError:
    module = str(error.name or "").partition(".")[0]
    if str(error.name or "").startswith("numpy._core"):
        installed = describe_library("numpy")
        return ModelLoadError(f"{path.name} was saved with NumPy 2, and {installed} is installed", "Require numpy>=2")
    if module in sys.modules and error.name != module:
        installed = describe_library(_DISTRIBUTIONS.get(module, module))
        what = f"{path.name} needs {error.name}, which {installed} does not have"
        return ModelLoadError(what, f"Pin the version of {module} that saved the model")
    distribution = _DISTRIBUTIONS.get(module, module or library)
    what = f"{path.name} needs the module {error.name or library}, which is not installed"
    remedy = (
        f"Add {distribution} to the requirements, or, if it is a module of your own, put {module}.py beside the model"
    )
    return ModelLoadError(what, remedy)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300]
