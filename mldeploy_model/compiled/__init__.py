"""Compile a fitted scikit-learn model to array operations, and prove that both predict the same.

`compile_model(estimator, columns)` makes the plan, `prove(compiled, estimator, schema, sample)` compares it with the
model's own path on rows that are made to show a difference. NumPy is imported when one of them is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mldeploy_model.compiled.model import CompiledModel, compile_model
    from mldeploy_model.compiled.operations import NotCompilableError
    from mldeploy_model.compiled.proof import Proof, prove

__all__ = ["CompiledModel", "NotCompilableError", "Proof", "compile_model", "prove"]
_MODULES = {
    "CompiledModel": "model",
    "NotCompilableError": "operations",
    "Proof": "proof",
    "compile_model": "model",
    "prove": "proof",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
