"""The prediction server, a WSGI application of the standard library alone: `mldeploy_model.server:app`.

`app` is built when it is first used, from the models.json that $MLDEPLOY_MODELS names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mldeploy_model.server.application import PredictionServer

    app: PredictionServer


def __getattr__(name: str) -> object:
    """Load the models. Raises ModelLoadError or SchemaError, with the remedy in the text."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mldeploy_model.server.startup import load_server

    globals()[name] = server = load_server()
    return server
