"""The columns of a fitted scikit-learn estimator: names, categories, and whether a value may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mldeploy_model.schema import Column, Value

_BOOSTERS = ("xgboost", "lightgbm", "catboost")
_PLAIN = ("sklearn.", *(f"{name}." for name in _BOOSTERS))
_NATIVE_MISSING = ("HistGradientBoosting", "XGB", "LGBM", "CatBoost")


def read_columns(estimator: Any) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns that the estimator takes, and a line for what it does not say."""
    if takes_texts(estimator):
        return (Column("text", "text"),), ("columns: the model has no name for its texts; add a sample with a header",)
    if takes_records(estimator):
        return _record_columns(list(_entry_parts(estimator))[-1]), ()
    names = _feature_names(estimator)
    missing_allowed = _takes_missing(_innermost(estimator)) and not _transformers(estimator)
    columns = {name: Column(name, optional=missing_allowed) for name in names}
    for step in _encoders(estimator, names):
        columns.update(step)
    for name, categories in _booster_categories(estimator, names).items():
        columns[name] = Column(name, "category", categories=tuple(categories), optional=True)
    if names and not hasattr(estimator, "feature_names_in_") and not _named_deeper(estimator):
        return tuple(columns.values()), ("columns: the model has no names for them; add a sample with a header",)
    unknown = () if names else ("columns: neither their names nor their number are in the model; add a sample",)
    return tuple(columns.values()), unknown


def takes_texts(estimator: Any) -> bool:
    """Whether the estimator takes a list of texts and no table: its first step is a vectorizer."""
    return hasattr(list(_entry_parts(estimator))[-1], "build_analyzer")


def takes_records(estimator: Any) -> bool:
    """Whether the estimator takes a list of dicts and no table: its first step is a DictVectorizer."""
    first = list(_entry_parts(estimator))[-1]
    return type(first).__name__ == "DictVectorizer" and hasattr(first, "feature_names_")


def _record_columns(vectorizer: Any) -> tuple[Column, ...]:
    """A column for each key of the dicts: `age` is a number, `region=north` one of the texts of `region`."""
    categories: dict[str, list[Value]] = {}
    for feature in vectorizer.feature_names_:
        name, separator, text = str(feature).partition(vectorizer.separator)
        categories.setdefault(name, []).extend([text] if separator else [])
    return tuple(
        Column(name, "category" if texts else "number", categories=tuple(texts)) for name, texts in categories.items()
    )


def takes_arrays(estimator: Any, columns: Sequence[Column]) -> bool:
    """Whether the estimator can take a plain array of numbers, so that no DataFrame is needed."""
    if any(column.type in ("text", "category", "tensor") for column in columns) or not columns:
        return False
    parts = list(_parts(estimator))
    known = all(type(part).__module__.startswith(_PLAIN) for part in parts)
    named = ("ColumnTransformer", "FunctionTransformer")
    return known and not any(type(part).__name__ in named or _selects_columns(part) for part in parts)


def categorical_dtypes(estimator: Any, columns: Sequence[Column]) -> Mapping[str, Sequence[Any]]:
    """The columns that the estimator takes with pandas' categorical dtype, and their categories."""
    part = _innermost(estimator)
    if type(part).__module__.partition(".")[0] not in _BOOSTERS[:2] or part is not estimator:
        return {}
    stored = _booster_categories(estimator, [column.name for column in columns])
    declared = {c.name: c.categories for c in columns if c.type == "category" and c.categories}
    return {**declared, **stored}


def _selects_columns(part: Any) -> bool:
    return bool(getattr(part, "_sklearn_output_config", {}))  # set_output was called


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and what it is composed of."""
    yield estimator
    for name in ("best_estimator_", "estimator_", "regressor_", "transformer_"):
        if hasattr(estimator, name) and name in vars(estimator):
            yield from _parts(getattr(estimator, name))
    for _, part in getattr(estimator, "steps", ()):
        if hasattr(part, "get_params"):
            yield from _parts(part)
    for _, part, *_ in getattr(estimator, "transformers_", ()):
        if hasattr(part, "get_params"):
            yield from _parts(part)
    for _, part in getattr(estimator, "transformer_list", ()):
        if hasattr(part, "get_params"):
            yield from _parts(part)


def _entry_parts(estimator: Any) -> Iterator[Any]:
    """The estimator and the parts that its input reaches first: names further inside are of other columns."""
    yield estimator
    inner = vars(estimator).get("best_estimator_") if hasattr(estimator, "__dict__") else None
    steps = getattr(estimator, "steps", None)
    if inner is not None:
        yield from _entry_parts(inner)
    elif steps:
        yield from _entry_parts(steps[0][1])


def _feature_names(estimator: Any) -> list[str]:
    for part in _entry_parts(estimator):
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
        if hasattr(part, "feature_name_") and type(part).__module__.startswith("lightgbm"):
            return [str(name) for name in part.feature_name_]
        if hasattr(part, "feature_names_") and type(part).__module__.startswith("catboost"):
            return [str(name) for name in part.feature_names_]
        if hasattr(part, "n_features_in_"):
            return [f"x{index}" for index in range(int(part.n_features_in_))]
    return []


def _named_deeper(estimator: Any) -> bool:
    return any(hasattr(each, "feature_names_in_") or hasattr(each, "feature_name_") for each in _entry_parts(estimator))


def _innermost(estimator: Any) -> Any:
    """The estimator at the end of searches and pipelines."""
    while True:
        inner = vars(estimator).get("best_estimator_") if hasattr(estimator, "__dict__") else None
        if inner is None and getattr(estimator, "steps", None):
            inner = estimator.steps[-1][1]
        if inner is None:
            return estimator
        estimator = inner


def _transformers(estimator: Any) -> list[Any]:
    """The steps before the last of the outermost pipeline."""
    pipeline = vars(estimator).get("best_estimator_", estimator) if hasattr(estimator, "__dict__") else estimator
    return [part for _, part in getattr(pipeline, "steps", ())[:-1]]


def _takes_missing(estimator: Any) -> bool:
    return type(estimator).__name__.startswith(_NATIVE_MISSING)


def _encoders(estimator: Any, names: Sequence[str]) -> Iterator[Mapping[str, Column]]:
    """What each first transformer of a column says of it."""
    steps = _transformers(estimator)
    if not steps:
        return
    first = steps[0]
    native = _takes_missing(_innermost(estimator))
    if hasattr(first, "transformers_"):
        for _, part, selected in first.transformers_:
            chosen = _selected_names(selected, names)
            yield _column_facts(part, chosen, native)
    else:
        yield _column_facts(first, list(names), native)


def _selected_names(selected: Any, names: Sequence[str]) -> list[str]:
    """The names of a ColumnTransformer's selection: names, positions, a slice, or a mask."""
    if isinstance(selected, str):
        return [selected]
    if isinstance(selected, slice):
        return list(names)[selected] if not isinstance(selected.start, str) else []
    plain = selected.tolist() if hasattr(selected, "tolist") else selected
    listed = list(plain) if hasattr(plain, "__iter__") else [plain]
    if listed and all(isinstance(each, bool) for each in listed):
        return [name for name, is_in in zip(names, listed) if is_in]
    return [names[each] if isinstance(each, int) else str(each) for each in listed]


def _column_facts(part: Any, names: Sequence[str], native: bool) -> Mapping[str, Column]:
    """The categories of an encoder, and whether an imputer or the model itself takes a missing value."""
    chain = [step for _, step in part.steps] if hasattr(part, "steps") else [part]
    optional = any(type(step).__name__.endswith("Imputer") for step in chain)
    if part == "passthrough" or all(type(step).__name__.endswith("Scaler") for step in chain):
        optional = optional or native
    facts = {name: Column(name, optional=optional) for name in names}
    encoder = next((step for step in chain if hasattr(step, "categories_")), None)
    if encoder is None or len(encoder.categories_) != len(names):
        return facts
    for name, categories in zip(names, encoder.categories_):
        values = tuple(value for value in _plain(categories) if not _is_missing(value))
        has_missing = len(values) < len(categories)
        facts[name] = replace(facts[name], type="category", categories=values, optional=optional or has_missing)
    return facts


def _booster_categories(estimator: Any, names: Sequence[str]) -> Mapping[str, Sequence[Value]]:
    """LightGBM keeps the categories of its DataFrame, in the order of the categorical columns."""
    part = _innermost(estimator)
    booster = getattr(part, "booster_", None)
    stored = getattr(booster, "pandas_categorical", None) if booster is not None else None
    if not stored:
        return {}
    return lightgbm_categories(booster, names)


def lightgbm_categories(booster: Any, names: Sequence[str]) -> Mapping[str, Sequence[Value]]:
    """The categorical columns of a LightGBM booster, in their order, with their categories."""
    infos = booster.dump_model(num_iteration=1).get("feature_infos", {})
    categorical = [name for name in names if infos.get(name, {}).get("values")]
    return dict(zip(categorical, booster.pandas_categorical))


def _plain(categories: Any) -> list[Any]:
    return list(categories.tolist()) if hasattr(categories, "tolist") else list(categories)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN alone differs from itself
