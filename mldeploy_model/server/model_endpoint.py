"""A model that the server has loaded: checked columns in, predictions out, and every way that this can fail."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mldeploy_model.predictor import PredictionInputError, Predictor
from mldeploy_model.schema import ModelSchema, Value
from mldeploy_model.server.examples import example_row
from mldeploy_model.server.http import Problem, RequestError
from mldeploy_model.server.tables import RequestTable
from mldeploy_model.server.validation import check_table

logger = logging.getLogger("mldeploy_model")


@dataclass(frozen=True)
class Prediction:
    """What the model answers to a checked table; `columns` is what it was given."""

    values: Sequence[Any]
    columns: Mapping[str, Sequence[Any]]
    rows: int
    probabilities: Sequence[Mapping[str, float]] | None
    warnings: tuple[Problem, ...]


class ModelEndpoint:
    """One model of this server. Safe to use from several threads if its predictor is."""

    def __init__(self, schema: ModelSchema, predictor: Predictor) -> None:
        self.schema = schema
        self.predictor = predictor

    def predict(self, table: RequestTable, request_id: str, with_probabilities: bool = False) -> Prediction:
        """Check the rows and predict them. Raises RequestError 400 or 500; 500 is logged with the request's id."""
        if with_probabilities and not self.schema.probabilities:
            raise RequestError(400, Problem("this model has no probabilities", "probabilities"))
        checked = check_table(table, self.schema)
        try:
            values = self.predictor.predict(checked.columns, checked.rows)
            probabilities = self.predictor.probabilities(checked.columns, checked.rows) if with_probabilities else None
            self._check_length(values, checked.rows)
        except PredictionInputError as error:
            raise RequestError(400, Problem(error.reason, error.field or None)) from error
        except (Exception, SystemExit) as error:  # whatever a model does, the worker serves the next request
            logger.exception("request %s: the model %s failed", request_id, self.schema.name)
            reason = f"the model failed on this input ({type(error).__name__}); the log says more under {request_id}"
            raise RequestError(500, Problem(reason)) from error
        return Prediction(values, checked.columns, checked.rows, probabilities, checked.warnings)

    def _check_length(self, values: Sequence[Any], rows: int) -> None:
        if len(values) != rows:
            raise ValueError(f"the model returned {len(values)} values for {rows} rows")

    def example(self) -> dict[str, Value]:
        """A row that the model takes: the sample's first, or one within the columns' bounds."""
        return example_row(self.schema)
