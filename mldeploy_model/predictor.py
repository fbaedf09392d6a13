"""What the server needs of a loaded model, whichever library made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mldeploy_model.schema import ModelDescription, ModelSchema


class ModelLoadError(Exception):
    """A model could not be loaded. `what` names the file, the library and the version; `remedy` says what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}. {remedy}")
        self.what = what
        self.remedy = remedy


class PredictionInputError(Exception):
    """The model refused these rows, for a reason that the caller can mend; `field` is "" if no column is at fault."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Predictor(Protocol):
    """A loaded model. Input comes column by column; a missing value is None. Safe to call from several threads."""

    def predict(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[object]:
        """One value a row that JSON can hold: a number, a text, a truth value, or a list of them."""

    def probabilities(self, columns: Mapping[str, Sequence[object]], rows: int) -> Sequence[Mapping[str, float]] | None:
        """One mapping a row from the class's name to its probability; None where the model has none."""


class OpenedModel(Protocol):
    """What a format's module makes of a model's file: it can describe itself, and make a predictor."""

    def describe(self) -> ModelDescription:
        """What the model's file says of its columns and its task, without a sample."""

    def predictor(self, schema: ModelSchema) -> Predictor:
        """The predictor for a model with these columns."""
