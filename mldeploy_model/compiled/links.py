"""Link functions of scikit-learn's losses (sklearn/_loss/link.py) in NumPy alone, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mldeploy_model.compiled.blocks import Array
from mldeploy_model.compiled.operations import NotCompilableError

LINKS = ("HalfLogitLink", "IdentityLink", "LogLink", "LogitLink", "MultinomialLogit")


def logistic(values: Array) -> Array:
    """`scipy.special.expit`: the C library's exponential, which NumPy's own differs from in the last bit."""
    return np.asarray(_each(values), dtype=np.float64)


def _logistic(value: float) -> float:
    try:
        return 1.0 / (1.0 + math.exp(-value))
    except OverflowError:
        return 0.0


_each = np.frompyfunc(_logistic, 1, 1)  # keeps the memory order, which sums depend on


def softmax_rows(values: Array) -> Array:
    """`sklearn.utils.extmath.softmax`, on a copy."""
    values = np.array(values, copy=True)
    values -= np.max(values, axis=1).reshape((-1, 1))
    np.exp(values, out=values)
    values /= np.sum(values, axis=1).reshape((-1, 1))
    return values


class Link:
    """A link by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def of(cls, link: Any) -> Link:
        """Raises NotCompilableError for a link that is none of `LINKS`."""
        name = type(link).__name__
        if name not in LINKS:
            raise NotCompilableError(name, "its link has no form without scikit-learn")
        return cls(name)

    def __call__(self, raw: Array) -> Array:
        return self.inverse(raw)

    def inverse(self, raw: Array) -> Array:
        """The prediction of a raw one."""
        if self.name == "IdentityLink":
            return raw
        if self.name == "LogLink":
            return np.asarray(np.exp(raw))
        if self.name == "MultinomialLogit":
            return softmax_rows(raw)
        return logistic(2 * raw if self.name == "HalfLogitLink" else raw)

    def shares(self, raw: Array) -> Array:
        """The probabilities of the classes: of both, if there is one raw column."""
        if raw.shape[1] > 1:
            return self.inverse(raw)
        shares = np.empty((len(raw), 2))
        shares[:, 1] = self.inverse(raw[:, 0])
        shares[:, 0] = 1 - shares[:, 1]
        return shares
