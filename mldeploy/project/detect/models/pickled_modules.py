"""Modules that libraries moved or removed: a pickle that imports one loads with some versions of the library alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_UNTIL_0_24: Final = (
    "linear_model.base", "linear_model.logistic", "linear_model.ridge", "linear_model.stochastic_gradient",
    "linear_model.coordinate_descent", "ensemble.forest", "ensemble.gradient_boosting", "ensemble.bagging",
    "ensemble.base", "ensemble.voting", "ensemble.weight_boosting", "tree.tree", "svm.classes", "neighbors.base",
    "neighbors.classification", "neighbors.regression", "neighbors.unsupervised", "preprocessing.data",
    "preprocessing.label", "cluster.k_means_", "decomposition.pca", "feature_selection.univariate_selection",
    "neural_network.multilayer_perceptron", "mixture.gaussian_mixture", "gaussian_process.gpr",
)  # fmt: skip
"""Below `sklearn`: https://scikit-learn.org/0.22/whats_new/v0.22.html#clear-definition-of-the-public-api"""

_VERSIONS: Final = {
    **{f"sklearn.{each}": ("scikit-learn", "<0.24") for each in _UNTIL_0_24},
    "sklearn.externals.joblib": ("scikit-learn", "<0.23"),
    "sklearn.preprocessing.imputation": ("scikit-learn", "<0.22"),
    "sklearn.ensemble._gb_losses": ("scikit-learn", ">=0.22,<1.4"),
    "sklearn.utils._bunch": ("scikit-learn", ">=1.1"),
    "sklearn._loss": ("scikit-learn", ">=1.0"),
    "numpy._core": ("numpy", ">=1.26"),  # 1.26 has a stub for arrays that NumPy 2 saved
    "pandas.core.indexes.numeric": ("pandas", "<2"),
    "pandas.core.index": ("pandas", "<1"),
    "pandas.indexes": ("pandas", "<0.25"),
}


@dataclass(frozen=True)
class ModuleRequirement:
    """A pickle imports a module, which some versions of a distribution have. specifier: PEP 440."""

    module: str
    distribution: str
    specifier: str


def list_module_requirements(modules: Iterable[str]) -> tuple[ModuleRequirement, ...]:
    """What the modules require that a pickle imports, once for each distribution and specifier."""
    required: dict[tuple[str, str], ModuleRequirement] = {}
    for module in modules:
        for prefix, key in _VERSIONS.items():
            if module == prefix or module.startswith(f"{prefix}."):
                required.setdefault(key, ModuleRequirement(module, *key))
    return tuple(required.values())
