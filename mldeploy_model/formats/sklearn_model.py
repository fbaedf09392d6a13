"""scikit-learn and what has its interface: pipelines, search objects, PyCaret, the boosting libraries' wrappers."""

from __future__ import annotations

import logging
import lzma
import pickle
import sys
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mldeploy_model.formats.arrays import Columns, as_frame, as_matrix, name_probabilities, to_values
from mldeploy_model.formats.registry import library_version
from mldeploy_model.formats.sklearn_columns import (
    categorical_dtypes,
    read_columns,
    takes_arrays,
    takes_records,
    takes_texts,
)
from mldeploy_model.predictor import ModelLoadError, PredictionInputError, Predictor
from mldeploy_model.schema import ModelDescription, ModelSchema

logger = logging.getLogger("mldeploy_model")

_LIBRARIES = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}
_INPUT_FAULTS = ("Found unknown categories", "Input X contains", "could not convert string to float", "X has ")


def open_file(path: Path, name: str) -> SklearnModel:
    """Load a pickle, a joblib or a skops file. Raises ModelLoadError."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = _load_skops(path) if name == "skops" else _load_pickle(path)
    made_with = next(filter(None, map(_original_version, caught)), "")
    if made_with:
        installed = library_version("scikit-learn")
        logger.warning("%s was saved with scikit-learn %s, and %s is installed", path.name, made_with, installed)
    return SklearnModel(_find_estimator(loaded, path), name, made_with)


class SklearnModel:
    """A fitted estimator."""

    def __init__(self, estimator: Any, name: str, made_with: str = "") -> None:
        self.estimator, self.name, self.made_with = estimator, name, made_with

    def describe(self) -> ModelDescription:
        package = type(self.estimator).__module__.partition(".")[0]
        library = _LIBRARIES.get(package, package if library_version(package) else "scikit-learn")
        columns, unknown = read_columns(self.estimator)
        return ModelDescription(
            format=self.name,
            task=_task_of(self.estimator),
            columns=columns,
            classes=_classes_of(self.estimator),
            probabilities=_has_probabilities(self.estimator),
            library=library,
            library_version=self.made_with or library_version(library),
            requirements=_requirements(library, self.made_with),
            unknown=unknown,
        )

    def predictor(self, schema: ModelSchema) -> Predictor:
        return SklearnPredictor(self.estimator, schema)


class SklearnPredictor:
    """The estimator's own predict: on an array where it needs no names, otherwise on a DataFrame."""

    def __init__(self, estimator: Any, schema: ModelSchema) -> None:
        self.estimator = estimator
        self.columns = schema.columns
        self.classes = schema.classes or _classes_of(estimator)
        self.names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
        self.is_texts, self.is_records = takes_texts(estimator), takes_records(estimator)
        self.is_array = takes_arrays(estimator, schema.columns)
        self.categorical = categorical_dtypes(estimator, schema.columns)

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        return to_values(self._call(self.estimator.predict, columns, rows))

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        if not _has_probabilities(self.estimator):
            return None
        return name_probabilities(self.classes, self._call(self.estimator.predict_proba, columns, rows))

    def _call(self, function: Any, columns: Mapping[str, Sequence[object]], rows: int) -> Any:
        table = self._table(columns, rows)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
                return function(table)
        except (ValueError, TypeError) as error:
            if str(error).startswith(_INPUT_FAULTS):
                raise PredictionInputError(str(error).splitlines()[0]) from error
            raise

    def _table(self, columns: Columns, rows: int) -> Any:
        if self.is_texts:
            return ["" if text is None else str(text) for text in next(iter(columns.values()))]
        names = self.names if set(self.names) <= set(columns) and self.names else list(columns)
        if self.is_records:  # a key that is not there is what a missing value is
            rows_of = (zip(columns, row) for row in zip(*columns.values()))
            return [{name: value for name, value in row if value is not None} for row in rows_of]
        if self.is_array:
            return as_matrix(columns, names, rows, "float64")
        return as_frame({name: columns[name] for name in names}, self.columns, self.categorical)


def _load_skops(path: Path) -> Any:
    from skops.io import get_untrusted_types, load

    return load(path, trusted=get_untrusted_types(file=path))  # the container's limits hold, as for a pickle


def _load_pickle(path: Path) -> Any:
    try:
        return _unpickle(path)
    except AttributeError as error:
        raise _missing_name(path, error) from None
    except (EOFError, pickle.UnpicklingError) as error:
        what = f"{path.name} is no complete pickle: {str(error) or 'it ends too early'}"
        raise ModelLoadError(what, "Copy the file again, or save the model again") from None
    except (zlib.error, lzma.LZMAError, KeyError, IndexError, UnicodeDecodeError, OverflowError) as error:
        what = f"{path.name} is damaged, or was saved by other versions: {type(error).__name__}: {error}"
        raise ModelLoadError(what, "Copy the file again, or save the model again with the installed versions") from None


def _unpickle(path: Path) -> Any:
    try:
        import joblib
    except ModuleNotFoundError:
        with path.open("rb") as file:
            return pickle.load(file)
    return joblib.load(path)


def _missing_name(path: Path, error: AttributeError) -> ModelLoadError:
    text = str(error)
    if "__main__" in text or repr(sys.modules.get("__main__")) in text:
        what = f"{path.name} has a class or function that was defined in a notebook or script: {text}"
        return ModelLoadError(
            what, "Move it into a module (a .py file beside the model), import it, save the model again"
        )
    what = f"{path.name} does not fit to what is installed: {text}"
    return ModelLoadError(what, "Pin the versions that the model was saved with, or save it again")


def _find_estimator(loaded: Any, path: Path) -> Any:
    """The estimator itself, or the only one in a dict."""
    if hasattr(loaded, "predict"):
        return loaded
    if isinstance(loaded, dict):
        candidates = [value for value in loaded.values() if hasattr(value, "predict")]
        if len(candidates) == 1:
            return candidates[0]
        what = f"{path.name} is a dict with {len(candidates)} models"
        raise ModelLoadError(what, "Save one fitted model, with its preprocessing as a Pipeline")
    if isinstance(loaded, (tuple, list)) and any(hasattr(each, "predict") for each in loaded[:6]):
        parts = ", ".join(type(each).__name__ for each in loaded[:6])
        what = f"{path.name} is a {type(loaded).__name__} of {parts}"
        raise ModelLoadError(what, "Save one fitted model, with its preprocessing as a Pipeline")
    what = f"{path.name} has an object of the class {type(loaded).__name__}, which has no method predict"
    raise ModelLoadError(what, "Save the fitted model itself")


def _original_version(warning: warnings.WarningMessage) -> str:
    return str(getattr(warning.message, "original_sklearn_version", ""))


def _requirements(library: str, made_with: str) -> tuple[str, ...]:
    pinned = dict.fromkeys([library, "scikit-learn", "numpy", "joblib"])
    versions = {name: library_version(name) for name in pinned}
    if made_with:
        versions["scikit-learn"] = made_with
    return tuple(f"{name}=={version}" for name, version in versions.items() if version)


def _task_of(estimator: Any) -> str:
    if _classes_of(estimator):
        return "classification"
    try:
        from sklearn.base import is_regressor

        return "regression" if is_regressor(estimator) else "other"
    except (ImportError, AttributeError):
        return "other"


def _classes_of(estimator: Any) -> tuple[Any, ...]:
    try:
        classes = estimator.classes_
    except (AttributeError, ValueError):
        return ()
    return tuple(classes.tolist()) if hasattr(classes, "tolist") else ()  # several targets have a list of arrays


def _has_probabilities(estimator: Any) -> bool:
    try:
        return callable(getattr(estimator, "predict_proba", None)) and bool(_classes_of(estimator))
    except (AttributeError, ValueError):
        return False
