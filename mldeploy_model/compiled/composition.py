"""Pipelines, column transformers and unions: what goes into which operation, and how the results stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mldeploy_model.compiled.blocks import WIDEST_DENSE, Array, ColumnBlock, SparseBlock, as_array, as_numbers
from mldeploy_model.compiled.operations import Chain, Identity, Operation, dense

CompileTransformer = Callable[[Any], Operation]


class Branch(NamedTuple):
    """One transformer of several that stand side by side. `picks` are columns by name or position; None is all."""

    operation: Operation
    picks: Any
    weight: float | None

    def transform(self, block: Any) -> Any:
        """Raises ValueError for rows that the transformer refuses."""
        result = self.operation.transform(self._selected(block))
        if self.weight is None:
            return result
        if isinstance(result, SparseBlock):
            return SparseBlock(result.dense * self.weight)
        return (result if hasattr(result, "tocsr") else as_array(result)) * self.weight

    def _selected(self, block: Any) -> Any:
        if self.picks is None:
            return block
        if isinstance(self.picks, (str, int)):  # one column as a 1-D array, as vectorizers of texts take it
            return (
                block.column(block.names.index(self.picks)) if isinstance(block, ColumnBlock) else block[:, self.picks]
            )
        if isinstance(block, ColumnBlock):
            return block.select(self.picks)
        if isinstance(block, SparseBlock):
            return SparseBlock(np.ascontiguousarray(block.dense[:, self.picks]))
        return block[:, self.picks]


class SideBySide(Operation):
    """ColumnTransformer and FeatureUnion: the branches' results in one array."""

    def __init__(self, branches: Sequence[Branch], sparse: bool | None) -> None:
        self.branches = tuple(branches)
        self.sparse = sparse  # None: as soon as one result is sparse
        self.frames = False  # the results are tables, as with set_output(transform="pandas")

    def transform(self, block: Any) -> Any:
        results = [branch.transform(block) for branch in self.branches]
        if not results:
            return np.zeros((block.rows if isinstance(block, ColumnBlock) else len(block), 0))
        if self.frames and all(isinstance(result, ColumnBlock) for result in results):
            return _join(results)
        sparse = self.sparse
        if sparse is None:
            sparse = any(isinstance(result, SparseBlock) or hasattr(result, "tocsr") for result in results)
        return stack_sparse(results) if sparse else np.hstack([dense(result) for result in results])

    def parts(self) -> Sequence[object]:
        return [branch.operation for branch in self.branches]


def _join(tables: Sequence[ColumnBlock]) -> ColumnBlock:
    """All columns of the tables. Their names are given later, since two may have the same."""
    names, kinds, values = (
        [item for table in tables for item in getattr(table, key)] for key in ("names", "kinds", "values")
    )
    return ColumnBlock(names, kinds, values, tables[0].rows)


def stack_sparse(results: Sequence[Any]) -> Any:
    """The results as one matrix, in the dense form if none of them is a SciPy matrix."""
    if not any(hasattr(result, "tocsr") for result in results):
        arrays = [as_numbers(result) for result in results]
        if sum(array.shape[1] for array in arrays) <= WIDEST_DENSE:
            return SparseBlock(np.ascontiguousarray(np.hstack(arrays)))
    from scipy import sparse

    return sparse.hstack(
        [result.matrix() if isinstance(result, SparseBlock) else _matrix(result) for result in results]
    ).tocsr()


def _matrix(result: Any) -> Any:
    return result if hasattr(result, "tocsr") else as_numbers(result)


class Named(Operation):
    """A transformer whose output is set to be a DataFrame: the columns after it have names."""

    def __init__(self, operation: Operation, names: Sequence[str]) -> None:
        self.operation, self.names = operation, list(names)
        if isinstance(operation, SideBySide):
            operation.frames = True

    def transform(self, block: Any) -> Any:
        result = self.operation.transform(block)
        if isinstance(result, ColumnBlock):
            return ColumnBlock(self.names, result.kinds, result.values, result.rows, result.whole)
        array: Array = dense(result)
        columns = [array[:, index] for index in range(array.shape[1])]
        return ColumnBlock(self.names, [""] * len(columns), columns, len(array), array)

    def parts(self) -> Sequence[object]:
        return (self.operation,)


def compile_pipeline(pipeline: Any, compile_transformer: CompileTransformer) -> Operation:
    """All steps of a pipeline that ends with a transformer."""
    return compile_steps([step for _, step in pipeline.steps], compile_transformer)


def compile_steps(steps: Sequence[Any], compile_transformer: CompileTransformer) -> Operation:
    operations = [compile_transformer(step) for step in steps if not _is_passthrough(step)]
    if len(operations) == 1:
        return operations[0]
    return Chain(operations) if operations else Identity()


def compile_columns(transformer: Any, compile_transformer: CompileTransformer) -> Operation:
    """A ColumnTransformer, whose selections were resolved by its fit."""
    weights = transformer.transformer_weights or {}
    names = getattr(transformer, "feature_names_in_", None)
    branches = []
    for name, part, columns in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        picks = _picks(transformer, name, columns, None if names is None else list(names))
        if not isinstance(picks, (str, int)) and not len(picks):
            continue
        operation = Identity() if _is_passthrough(part) else compile_transformer(part)
        branches.append(Branch(operation, picks, weights.get(name)))
    return SideBySide(branches, bool(transformer.sparse_output_))


def _picks(transformer: Any, name: str, columns: Any, names: list[str] | None) -> Any:
    """The selected columns: by name where the transformer was fitted on a DataFrame, else by position."""
    if isinstance(columns, str):
        return columns
    if isinstance(columns, (int, np.integer)):
        return names[int(columns)] if names is not None else int(columns)
    indices = [int(i) for i in transformer._transformer_to_input_indices[name]]
    return [str(names[i]) for i in indices] if names is not None else indices


def compile_union(union: Any, compile_transformer: CompileTransformer) -> Operation:
    weights = union.transformer_weights or {}
    branches = [
        Branch(Identity() if _is_passthrough(part) else compile_transformer(part), None, weights.get(name))
        for name, part in union.transformer_list
        if not (isinstance(part, str) and part == "drop")
    ]
    return SideBySide(branches, None)


def _is_passthrough(part: Any) -> bool:
    return part is None or (isinstance(part, str) and part == "passthrough")
