"""The start of the server: the models that models.json lists, loaded before the first request."""

from __future__ import annotations

import os
from pathlib import Path

from mldeploy_model.formats import load_predictor
from mldeploy_model.predictor import ModelLoadError
from mldeploy_model.schema import read_models
from mldeploy_model.server.application import PredictionServer
from mldeploy_model.server.model_endpoint import ModelEndpoint

DEFAULT = "/app/.mldeploy/models.json"


def load_server() -> PredictionServer:
    """Read models.json and load each model. A model's path is relative to the folder above models.json's own."""
    file = Path(os.environ.get("MLDEPLOY_MODELS") or DEFAULT)
    try:
        schemas = read_models(file.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"{file} cannot be read: {error.strerror}"
        raise ModelLoadError(what, "Set MLDEPLOY_MODELS to the models.json of the image") from None
    folder = file.resolve().parent.parent if file.parent.name == ".mldeploy" else file.resolve().parent
    return PredictionServer([ModelEndpoint(schema, load_predictor(schema, folder)) for schema in schemas])
