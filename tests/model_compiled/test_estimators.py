"""Each estimator behind one-hot encoding and scaling, dense and sparse: values, classes, probabilities, bit by bit."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, linear_model, naive_bayes, neighbors, neural_network, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

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

REGRESSORS: list[tuple[Any, bool]] = [
    (linear_model.LinearRegression(), True),
    (linear_model.Ridge(), True),
    (linear_model.Lasso(), True),
    (linear_model.ElasticNet(), True),
    (linear_model.HuberRegressor(), True),
    (linear_model.SGDRegressor(random_state=0), True),
    (linear_model.BayesianRidge(), True),
    (linear_model.PoissonRegressor(), True),
    (linear_model.TweedieRegressor(power=1.5), True),
    (svm.LinearSVR(random_state=0), True),
    (tree.DecisionTreeRegressor(random_state=0), True),
    (tree.ExtraTreeRegressor(random_state=0), True),
    (ensemble.RandomForestRegressor(10, random_state=0), True),
    (ensemble.ExtraTreesRegressor(10, random_state=0), True),
    (ensemble.GradientBoostingRegressor(n_estimators=20, random_state=0), True),
    (
        ensemble.GradientBoostingRegressor(n_estimators=5, init="zero", loss="huber", subsample=0.5),
        True,
    ),
    (ensemble.GradientBoostingRegressor(n_estimators=5, init=linear_model.Ridge(), random_state=0), True),
    (ensemble.HistGradientBoostingRegressor(max_iter=10, random_state=0), True),
    (ensemble.HistGradientBoostingRegressor(max_iter=5, loss="poisson", random_state=0), True),
    (neural_network.MLPRegressor(hidden_layer_sizes=(7, 5), max_iter=20, random_state=0), True),
    (neighbors.KNeighborsRegressor(), False),
    (svm.SVR(), False),
    (ensemble.AdaBoostRegressor(n_estimators=5, random_state=0), False),
]
CLASSIFIERS: list[tuple[Any, bool]] = [
    (linear_model.LogisticRegression(), True),
    (linear_model.SGDClassifier(random_state=0), True),
    (linear_model.SGDClassifier(loss="log_loss", random_state=0), True),
    (linear_model.SGDClassifier(loss="modified_huber", random_state=0), True),
    (linear_model.RidgeClassifier(), True),
    (linear_model.Perceptron(random_state=0), True),
    (svm.LinearSVC(random_state=0), True),
    (tree.DecisionTreeClassifier(max_depth=4, random_state=0), True),
    (ensemble.RandomForestClassifier(10, random_state=0), True),
    (ensemble.ExtraTreesClassifier(10, random_state=0), True),
    (ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0), True),
    (ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0), True),
    (neural_network.MLPClassifier((7,), max_iter=20, random_state=0), True),
    (naive_bayes.GaussianNB(), True),
    (naive_bayes.BernoulliNB(), True),
    (naive_bayes.MultinomialNB(), True),
    (naive_bayes.ComplementNB(), True),
    (neighbors.KNeighborsClassifier(), False),
    (svm.SVC(), False),
    (CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2), False),
]
NO_SPARSE = ("HistGradientBoosting", "GaussianNB", "BayesianRidge")


def crossed(estimators: list[tuple[Any, bool]], *options: list[Any]) -> list[tuple[Any, ...]]:
    """Each estimator with each combination of the options."""
    return [(*estimator, *chosen) for estimator in estimators for chosen in product(*options)]


def preprocessing(sparse: bool) -> Any:
    """Numbers between 0 and 1, as every estimator takes them."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    return make_column_transformer((encoder, TEXTS), (MinMaxScaler(), NUMBERS), sparse_threshold=1.0)


@pytest.mark.parametrize(("estimator", "compiled", "sparse"), sampled(crossed(REGRESSORS, [False, True]), 9))
def test_a_regressor_predicts_the_same_bits(estimator: Any, compiled: bool, sparse: bool) -> None:
    if sparse and str(estimator).startswith(NO_SPARSE):
        return
    frame = example_frame()
    model = fit(make_pipeline(preprocessing(sparse), estimator), frame, example_target(frame))
    assert_identical(model, frame, stock=[] if compiled else [type(estimator).__name__])


@pytest.mark.parametrize(
    ("estimator", "compiled", "sparse", "classes"), sampled(crossed(CLASSIFIERS, [False, True], [2, 3]), 13)
)
def test_a_classifier_predicts_the_same_classes_and_bits(
    estimator: Any, compiled: bool, sparse: bool, classes: int
) -> None:
    if sparse and str(estimator).startswith(NO_SPARSE):
        return
    frame = example_frame()
    model = fit(make_pipeline(preprocessing(sparse), estimator), frame, example_classes(frame, classes))
    assert_identical(model, frame, stock=[] if compiled else [type(estimator).__name__])


@pytest.mark.parametrize(
    "estimator",
    [
        linear_model.LinearRegression(),
        tree.DecisionTreeRegressor(random_state=0),
        ensemble.HistGradientBoostingRegressor(max_iter=5, random_state=0),
        neighbors.KNeighborsRegressor(),
    ],
    ids=str,
)
def test_an_estimator_without_a_pipeline_predicts_the_same_bits(estimator: Any) -> None:
    frame = example_frame()[NUMBERS]
    model = fit(estimator, frame, example_target(example_frame()))
    assert_identical(model, frame, stock=["KNeighborsRegressor"] if "Neighbors" in str(estimator) else [])


def test_trees_that_take_missing_values_predict_the_same_bits() -> None:
    frame = example_frame(missing=True)[NUMBERS]
    target = example_target(example_frame(missing=True))
    for model in (tree.DecisionTreeRegressor(random_state=0), ensemble.RandomForestRegressor(5, random_state=0)):
        assert_identical(fit(model, frame, target), frame)


def test_categories_inside_histogram_boosting_are_encoded_the_same() -> None:
    frame = example_frame(missing=True)
    frame[TEXTS] = frame[TEXTS].astype("category")
    model = ensemble.HistGradientBoostingRegressor(max_iter=5, random_state=0, categorical_features="from_dtype")
    assert_identical(fit(model, frame, example_target(frame)), frame)


def test_what_wraps_an_estimator_predicts_the_same_bits() -> None:
    frame, price = example_frame(), example_target(example_frame())
    boosting = ensemble.GradientBoostingRegressor(n_estimators=5, random_state=0)
    pipeline = make_pipeline(preprocessing(sparse=True), boosting)
    ridge = make_pipeline(preprocessing(sparse=False), linear_model.Ridge())
    wrapped = [
        TransformedTargetRegressor(pipeline, func=np.log1p, inverse_func=np.expm1),
        TransformedTargetRegressor(pipeline, transformer=StandardScaler()),
        GridSearchCV(pipeline, {"gradientboostingregressor__max_depth": [1, 2]}, cv=2),
        ensemble.VotingRegressor([("a", pipeline), ("b", ridge)]),
    ]
    for model in wrapped:
        assert_identical(fit(model, frame, price), frame)
    logistic = make_pipeline(preprocessing(sparse=True), linear_model.LogisticRegression())
    voting = ensemble.VotingClassifier([("a", logistic), ("b", logistic)], voting="soft", weights=[1, 2])
    assert_identical(fit(voting, frame, example_classes(frame)), frame)


def test_several_targets_are_predicted_as_before() -> None:
    frame = example_frame()[NUMBERS]
    targets = np.column_stack([example_target(example_frame()), example_target(example_frame(1))])
    for model in (linear_model.Ridge(), tree.DecisionTreeRegressor(random_state=0), ensemble.ExtraTreesRegressor(5)):
        assert_identical(fit(model, frame, targets), frame)


def test_codes_of_categories_are_features_of_naive_bayes() -> None:
    frame = example_frame()[TEXTS]
    model = make_pipeline(OrdinalEncoder(dtype=np.int64), naive_bayes.CategoricalNB())
    assert_identical(fit(model, frame, example_classes(example_frame())), frame)
