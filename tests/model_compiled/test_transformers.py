"""Each transformer with each of its options: the same bits behind it, in front of a linear model and of a tree."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor

from tests.model_compiled.fitting import (
    NUMBERS,
    TEXTS,
    assert_identical,
    example_classes,
    example_frame,
    example_target,
    fit,
    sampled,
)

UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
ENCODERS = [
    OneHotEncoder(),
    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=15),
    OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2, drop="first"),
    OneHotEncoder(handle_unknown="ignore", min_frequency=0.1, sparse_output=False),
    OneHotEncoder(drop="first"),
    OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    OneHotEncoder(drop=["male", "sw"], sparse_output=False),
    OneHotEncoder(categories=[["male", "female"], ["sw", "se", "nw", "ne", np.nan]], dtype=np.float32),
    OrdinalEncoder(),
    OrdinalEncoder(**UNKNOWN),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-5.0),
    OrdinalEncoder(**UNKNOWN, min_frequency=15, dtype=np.float32),
    TargetEncoder(random_state=0, cv=3),
    TargetEncoder(smooth=5.0, target_type="continuous", random_state=0),
]
SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler(),
    MinMaxScaler(feature_range=(-1, 2), clip=True),
    RobustScaler(),
    RobustScaler(with_centering=False, unit_variance=True),
    MaxAbsScaler(),
    PowerTransformer(),
    PowerTransformer(standardize=False),
    QuantileTransformer(n_quantiles=20),
    QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    FunctionTransformer(np.square),
    FunctionTransformer(),
]
COMPLETE_SCALERS = [
    FunctionTransformer(np.cbrt, validate=True),
    Normalizer(),
    Normalizer("l1"),
    Normalizer("max"),
    Binarizer(threshold=2.0),
    PowerTransformer(method="box-cox"),
    PolynomialFeatures(),
    PolynomialFeatures(degree=3, interaction_only=True, include_bias=False),
    PolynomialFeatures(degree=(2, 3), order="F"),
    PolynomialFeatures(degree=(2, 2), include_bias=False),
    KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"),
    KBinsDiscretizer(3, encode="ordinal", strategy="kmeans"),
]
IMPUTERS = [
    SimpleImputer(),
    SimpleImputer(strategy="median", add_indicator=True),
    SimpleImputer(strategy="most_frequent", add_indicator=True),
    SimpleImputer(strategy="constant", fill_value=-1.0),
    SimpleImputer(strategy="constant", keep_empty_features=True),
    SimpleImputer(missing_values=2.5),
]


@pytest.mark.parametrize(("encoder", "missing"), sampled(list(product(ENCODERS, [False, True])), 13))
def test_an_encoder_gives_the_same_bits_before_a_linear_model_and_before_a_tree(encoder: Any, missing: bool) -> None:
    frame = example_frame(missing=missing)
    ends = [DecisionTreeRegressor(max_depth=6, random_state=0), LinearRegression()]
    for end in ends[: 1 if missing and isinstance(encoder, OrdinalEncoder) else 2]:  # its codes for them may be NaN
        columns = ColumnTransformer([("texts", encoder, TEXTS), ("numbers", StandardScaler(), ["age", "children"])])
        assert_identical(fit(make_pipeline(columns, end), frame, example_target(frame)), frame)


@pytest.mark.parametrize("scaler", sampled([(each,) for each in SCALERS], 5))
def test_a_scaler_gives_the_same_bits_with_missing_values(scaler: Any) -> None:
    frame = example_frame(missing=True)[NUMBERS]
    tree = DecisionTreeRegressor(max_depth=6, random_state=0)
    assert_identical(fit(make_pipeline(scaler, tree), frame, example_target(example_frame())), frame)
    filled = make_pipeline(scaler, SimpleImputer(), LinearRegression())
    assert_identical(fit(filled, frame, example_target(example_frame())), frame)


@pytest.mark.parametrize("scaler", sampled([(each,) for each in COMPLETE_SCALERS], 4))
def test_a_transformer_that_refuses_missing_values_gives_the_same_bits(scaler: Any) -> None:
    frame = example_frame()[NUMBERS]
    frame["children"] += 1
    assert_identical(fit(make_pipeline(scaler, LinearRegression()), frame, example_target(example_frame())), frame)


@pytest.mark.parametrize("imputer", sampled([(each,) for each in IMPUTERS], 3))
def test_an_imputer_gives_the_same_bits(imputer: Any) -> None:
    frame = example_frame(missing=imputer.missing_values != 2.5)[["bmi", "rooms"]]
    model = make_pipeline(imputer, StandardScaler(), LinearRegression())
    assert_identical(fit(model, frame, example_target(example_frame())), frame)


@pytest.mark.parametrize("strategy", ["most_frequent", "constant"])
def test_an_imputer_of_texts_gives_the_same_bits(strategy: str) -> None:
    frame = example_frame(missing=True)
    texts = make_pipeline(SimpleImputer(strategy=strategy), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((texts, TEXTS), (SimpleImputer(add_indicator=True), NUMBERS))
    assert_identical(fit(make_pipeline(columns, LinearRegression()), frame, example_target(frame)), frame)


SELECTIONS: dict[str, tuple[Any, Any]] = {
    "names": (TEXTS, NUMBERS),
    "indices": ([1, 4], [0, 2, 3, 5]),
    "masks": (np.array([False, True, False, False, True, False]), slice(2, 4)),
    "callables": (make_column_selector(dtype_exclude=np.number), make_column_selector(dtype_include=np.number)),
    "slices": (slice("sex", "sex"), slice("bmi", "children")),
}


@pytest.mark.parametrize(
    ("selection", "remainder"), sampled(list(product(SELECTIONS, ["drop", "passthrough", StandardScaler()])), 5)
)
def test_columns_may_be_selected_in_every_way(selection: str, remainder: Any) -> None:
    texts, numbers = SELECTIONS[selection]
    frame = example_frame()
    left = isinstance(texts, slice) and remainder != "drop"  # a text would be left over
    frame = frame.drop(columns="region") if left else frame
    columns = ColumnTransformer([("t", OneHotEncoder(), texts), ("n", RobustScaler(), numbers)], remainder=remainder)
    assert_identical(fit(make_pipeline(columns, LinearRegression()), frame, example_target(frame)), frame)


def test_weights_unions_dropped_and_empty_parts_give_the_same_bits() -> None:
    frame = example_frame()
    union = FeatureUnion([("s", StandardScaler()), ("p", "passthrough"), ("d", "drop")], transformer_weights={"s": 0.3})
    columns = ColumnTransformer(
        [("t", OneHotEncoder(), TEXTS), ("u", union, NUMBERS), ("d", "drop", ["age"]), ("e", StandardScaler(), [])],
        transformer_weights={"t": 1.7},
    )
    assert_identical(
        fit(make_pipeline(columns, "passthrough", LinearRegression()), frame, example_target(frame)), frame
    )


def test_dataframes_between_the_steps_give_the_same_bits() -> None:
    frame = example_frame()
    first = ColumnTransformer(
        [("t", OneHotEncoder(sparse_output=False), TEXTS), ("n", StandardScaler(), NUMBERS)],
        verbose_feature_names_out=False,
    )
    second = ColumnTransformer([("m", MinMaxScaler(), ["bmi", "sex_male"])], remainder="passthrough")
    model = make_pipeline(first, second, LinearRegression()).set_output(transform="pandas")
    assert_identical(fit(model, frame, example_target(frame)), frame)


@pytest.mark.parametrize("count", [2, 3])
def test_a_target_encoder_of_classes_gives_the_same_bits(count: int) -> None:
    frame = example_frame(missing=True)
    columns = make_column_transformer((TargetEncoder(random_state=0), TEXTS), (SimpleImputer(), NUMBERS))
    model = fit(make_pipeline(columns, StandardScaler(), LogisticRegression()), frame, example_classes(frame, count))
    assert_identical(model, frame)


def test_sparse_columns_are_scaled_as_scikit_learn_scales_them() -> None:
    frame = example_frame()
    for scaler in (StandardScaler(with_mean=False), MaxAbsScaler(), Normalizer()):
        model = make_pipeline(OneHotEncoder(), scaler, LinearRegression())
        assert_identical(fit(model, frame[TEXTS], example_target(frame)), frame[TEXTS])
