"""From a fitted model to a plan: which class becomes which operation, and what stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mldeploy_model.compiled import boosters, composition, encoding, imputing, linear, others, scaling, trees
from mldeploy_model.compiled.blocks import Array
from mldeploy_model.compiled.operations import (
    CompiledEstimator,
    NotCompilableError,
    Operation,
    StockEstimator,
    StockStep,
    library_class,
)

TRANSFORMERS: Mapping[str, Callable[[Any], Operation]] = {
    "Binarizer": scaling.Threshold,
    "FunctionTransformer": scaling.compile_function,
    "KBinsDiscretizer": scaling.compile_bins,
    "MaxAbsScaler": scaling.compile_max_abs,
    "MinMaxScaler": scaling.MinMax,
    "Normalizer": scaling.RowNormalizer,
    "OneHotEncoder": encoding.compile_encoder,
    "OrdinalEncoder": encoding.compile_encoder,
    "PolynomialFeatures": scaling.Polynomial,
    "PowerTransformer": scaling.PowerScaler,
    "QuantileTransformer": scaling.compile_quantiles,
    "RobustScaler": scaling.compile_robust,
    "SimpleImputer": imputing.compile_imputer,
    "StandardScaler": scaling.compile_standard,
    "TargetEncoder": encoding.compile_encoder,
}
FORESTS = (
    *("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    *("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
)
ESTIMATORS: Mapping[str, Callable[[Any], CompiledEstimator]] = {
    **dict.fromkeys(linear.REGRESSORS, linear.LinearRegressor),
    **dict.fromkeys(linear.CLASSIFIERS, linear.compile_linear_classifier),
    **dict.fromkeys(linear.GENERALIZED, linear.GeneralizedRegressor),
    **dict.fromkeys(FORESTS, trees.compile_forest),
    **dict.fromkeys(others.NAIVE_BAYES, others.compile_naive_bayes),
    "GradientBoostingClassifier": trees.compile_boosting,
    "GradientBoostingRegressor": trees.compile_boosting,
    "MLPClassifier": others.NeuralNetwork,
    "MLPRegressor": others.NeuralNetwork,
}
SEARCHES = ("GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV")


class PipelineEstimator:
    """A pipeline that ends with an estimator."""

    def __init__(self, steps: Operation, end: CompiledEstimator) -> None:
        self.steps, self.end = steps, end
        self.classes, self.has_probabilities = end.classes, end.has_probabilities

    def predict(self, block: Any) -> Array:
        return self.end.predict(self.steps.transform(block))

    def probabilities(self, block: Any) -> Any:
        return self.end.probabilities(self.steps.transform(block))

    def parts(self) -> Sequence[object]:
        return (self.steps, self.end)


class MeanPrediction:
    """VotingRegressor and the soft VotingClassifier: the weighted mean of what the members say."""

    def __init__(self, fitted: Any, members: Sequence[CompiledEstimator], weights: Any) -> None:
        self.fitted, self.members, self.weights = fitted, tuple(members), weights
        self.classes = getattr(fitted, "classes_", None)
        self.has_probabilities = self.classes is not None

    def predict(self, block: Any) -> Array:
        if self.classes is not None:
            winners = np.argmax(self.probabilities(block), axis=1)
            return np.asarray(self.classes.take(winners))
        columns = np.asarray([member.predict(block) for member in self.members]).T
        return np.asarray(np.average(columns, axis=1, weights=self.weights))

    def probabilities(self, block: Any) -> Any:
        shares = np.asarray([member.probabilities(block) for member in self.members])
        return np.average(shares, axis=0, weights=self.weights)

    def parts(self) -> Sequence[object]:
        return self.members


class PlanCompiler:
    """Compiles the parts of one model. `stock` lists those that are called as they are, each with the reason."""

    def __init__(self) -> None:
        self.stock: list[tuple[str, str]] = []

    def transformer(self, fitted: Any) -> Operation:
        """The operation of a fitted transformer: a stock step where it has no compiled form."""
        try:
            operation = self._known_transformer(fitted)
        except NotCompilableError as error:
            operation = self._stock_step(fitted, error.reason)
        except AttributeError as error:  # private parts of scikit-learn have other names in some versions
            operation = self._stock_step(fitted, f"it differs in this version of its library ({error})")
        return self._named(fitted, operation)

    def estimator(self, fitted: Any) -> CompiledEstimator:
        """The end of the plan: a stock estimator where it has no compiled form."""
        try:
            return self._known_estimator(fitted)
        except NotCompilableError as error:
            reason = error.reason
        except AttributeError as error:
            reason = f"it differs in this version of its library ({error})"
        self.stock.append((type(fitted).__name__, reason))
        return StockEstimator(fitted)

    def _known_transformer(self, fitted: Any) -> Operation:
        name = library_class(fitted)
        if name == "Pipeline":
            return composition.compile_pipeline(fitted, self.transformer)
        if name == "ColumnTransformer":
            return composition.compile_columns(fitted, self.transformer)
        if name == "FeatureUnion":
            return composition.compile_union(fitted, self.transformer)
        if name not in TRANSFORMERS:
            raise NotCompilableError(type(fitted).__name__, "no compiled form")
        return TRANSFORMERS[name](fitted)

    def _known_estimator(self, fitted: Any) -> CompiledEstimator:
        name = library_class(fitted)
        if name in SEARCHES:
            return self.estimator(fitted.best_estimator_)
        if name == "Pipeline":
            steps = composition.compile_steps([step for _, step in fitted.steps[:-1]], self.transformer)
            return PipelineEstimator(steps, self.estimator(fitted.steps[-1][1]))
        if name == "TransformedTargetRegressor":
            return others.BackTransformed(fitted, self.estimator(fitted.regressor_))
        if name.startswith("HistGradientBoosting"):
            return trees.compile_hist_boosting(fitted, self.transformer)
        if name == "VotingRegressor" or (name == "VotingClassifier" and fitted.voting == "soft"):
            members = [self.estimator(member) for member in fitted.estimators_]
            return MeanPrediction(fitted, members, fitted._weights_not_none)
        return ESTIMATORS.get(name, boosters.compile_booster)(fitted)

    def _stock_step(self, fitted: Any, reason: str) -> Operation:
        self.stock.append((type(fitted).__name__, reason))
        return StockStep(fitted)

    def _named(self, fitted: Any, operation: Operation) -> Operation:
        """Give the output its columns' names where the transformer is set to return a DataFrame."""
        output = getattr(fitted, "_sklearn_output_config", {}).get("transform", "default")
        if output == "default" or isinstance(operation, StockStep) or library_class(fitted) == "Pipeline":
            return operation
        if output != "pandas":
            raise NotCompilableError(type(fitted).__name__, f"its output is set to {output}")
        return composition.Named(operation, [str(name) for name in fitted.get_feature_names_out()])
