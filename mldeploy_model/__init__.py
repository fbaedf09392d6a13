"""Serve a trained model: the package that runs in the image, next to the model.

It imports nothing of `mldeploy`, and on import the standard library alone: what a model
needs is imported when that model is loaded. `load(path)` opens a model in code of your own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mldeploy_model.loading import LoadedModel, load
    from mldeploy_model.schema import Column, ModelSchema

__all__ = ["Column", "LoadedModel", "ModelSchema", "load"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name in __all__:
        from mldeploy_model import loading, schema

        return getattr(loading if name in ("LoadedModel", "load") else schema, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
