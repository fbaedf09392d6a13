"""Trees as NumPy tables, for images without scikit-learn: the same comparisons, sums in the same order.

All trees of a model stand in one table of nodes. A row goes through all of them at once, one level at a time; a leaf
leads to itself. Behaviour of scikit-learn's compiled code (sklearn/tree/_tree.pyx, ensemble/_gradient_boosting.pyx,
ensemble/_hist_gradient_boosting/_predictor.pyx): float32 or float64 values against float64 thresholds, `<=` goes left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mldeploy_model.compiled.blocks import Array, SparseBlock, as_float32, as_floats
from mldeploy_model.compiled.links import Link
from mldeploy_model.compiled.operations import NotCompilableError, Operation
from mldeploy_model.compiled.trees import Boosting, Forest, HistBoosting, dense_block

MOST_CELLS = 1 << 18
"""Rows times trees that are computed at once: temporary arrays stay in the processor's cache, or nearly so."""
CODES = 256
"""Categories that a bitset of HistGradientBoosting holds."""


class TreeNodes(NamedTuple):
    """One tree: children are positions in the tree, and a leaf's are negative or do not matter."""

    is_leaf: Array
    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array | None


class TreeTable:
    """The nodes of several trees one after the other. `children[2 * node]` is the right one, the next the left one."""

    def __init__(self, trees: Sequence[TreeNodes]) -> None:
        sizes = [len(tree.feature) for tree in trees]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.roots = starts[:-1].astype(np.intp)
        leaf = np.concatenate([tree.is_leaf for tree in trees]).astype(bool)
        offset = np.repeat(self.roots, sizes)
        own = np.arange(len(leaf))
        sides = [np.concatenate([getattr(tree, name) for tree in trees]).astype(np.intp) for name in ("right", "left")]
        self.children = np.stack([np.where(leaf, own, side + offset) for side in sides], axis=1).ravel()
        self.feature = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])).astype(np.intp)
        self.threshold = np.concatenate([tree.threshold for tree in trees]).astype(np.float64)
        missing = [tree.missing_left for tree in trees]
        known = [each for each in missing if each is not None]
        self.missing_left = np.concatenate(known).astype(bool) if len(known) == len(trees) else None
        self.depth = _depth(self.children, self.roots, leaf)

    def leaves(self, array: Array) -> Array:
        """The leaf of each row in each tree, as a position in the table."""
        node = np.repeat(self.roots[None, :], len(array), axis=0)
        flat, first = np.ascontiguousarray(array).ravel(), (np.arange(len(array)) * array.shape[1])[:, None]
        for _ in range(self.depth):
            values = flat.take(self.feature.take(node) + first)
            node = self.children.take(2 * node + self.goes_left(values, node))
        return node

    def goes_left(self, values: Array, node: Array) -> Array:
        """Whether the values lead to the left child."""
        left = values <= self.threshold.take(node)
        if self.missing_left is not None:
            left |= np.isnan(values) & self.missing_left.take(node)
        return left


class CategoryTreeTable(TreeTable):
    """With nodes that compare categories: those of a set go left, known others right, all else as a missing value."""

    def __init__(self, trees: Sequence[TreeNodes], rule: Array, go_left: Array, known: Array, known_of: Array) -> None:
        super().__init__(trees)
        self.rule = rule  # which row of `go_left` a node compares with; -1: it compares a number
        self.go_left, self.known, self.known_of = go_left, known, known_of

    def goes_left(self, values: Array, node: Array) -> Array:
        left = super().goes_left(values, node)
        rule = self.rule.take(node)
        asked = rule >= 0
        if not asked.any():
            return left
        numbers, at = values[asked], node[asked]
        codes = np.where(numbers >= 0, numbers, 0).astype(np.int64) % CODES  # as C casts them to a byte
        unknown = ~self.known[self.known_of[self.feature[at]], codes]
        chosen = self.go_left[rule[asked], codes]
        as_missing = ~(numbers >= 0) | (unknown & ~chosen)
        missing = np.zeros(len(at), dtype=bool) if self.missing_left is None else self.missing_left[at]
        left[asked] = np.where(as_missing, missing, chosen)
        return left


def _depth(children: Array, roots: Array, leaf: Array) -> int:
    """The greatest number of comparisons of a row."""
    depth, level = 0, roots
    while True:
        level = level[~leaf[level]]
        if not len(level):
            return depth
        depth, level = depth + 1, np.concatenate([children[2 * level], children[2 * level + 1]])


def add_in_order(start: Array, values: Array) -> Array:
    """`start` plus the values along the second axis, one after the other as a loop adds them."""
    return np.asarray(np.add.accumulate(np.concatenate([start[:, None], values], axis=1), axis=1)[:, -1])


def _chunks(rows: int, trees: int) -> Iterator[slice]:
    size = max(1, MOST_CELLS // max(trees, 1))
    return (slice(start, start + size) for start in range(0, rows, size))


class TableForest:
    """`trees.Forest` without scikit-learn."""

    def __init__(self, forest: Forest) -> None:
        self.classes, self.has_probabilities, self.mean = forest.classes, forest.has_probabilities, forest.mean
        self.allow_nan, self.count = forest.allow_nan, len(forest.trees)
        self.table = TreeTable([_nodes(tree) for tree in forest.trees])
        self.values = np.concatenate([_leaf_values(forest, tree.value) for tree in forest.trees])

    def predict(self, block: Any) -> Array:
        values = self.probabilities(block)
        if self.classes is not None:
            return np.asarray(self.classes.take(np.argmax(values, axis=1), axis=0))
        return np.asarray(values)

    def probabilities(self, block: Any) -> Any:
        array = as_float32(dense_block(block), self.allow_nan and not isinstance(block, SparseBlock))
        total = np.empty((len(array), *self.values.shape[1:]))
        for part in _chunks(len(array), self.count):
            values = self.values[self.table.leaves(array[part])]
            total[part] = add_in_order(np.zeros_like(values[:, 0]), values) if self.mean else values[:, 0]
        if self.mean:
            total /= self.count
        return total

    def parts(self) -> Sequence[object]:
        return ()


class TableBoosting:
    """`trees.Boosting` without scikit-learn."""

    def __init__(self, boosting: Boosting) -> None:
        if boosting.start is None:
            raise NotCompilableError(type(boosting.fitted).__name__, "its first prediction is another model's")
        trees = [tree.tree_ for tree in boosting.fitted.estimators_.ravel()]
        self.classes, self.has_probabilities = boosting.classes, boosting.has_probabilities
        self.start, self.width = boosting.start, boosting.fitted.estimators_.shape[1]
        self.table = TreeTable([_nodes(tree)._replace(missing_left=None) for tree in trees])
        self.values = boosting.fitted.learning_rate * np.concatenate([tree.value[:, 0, 0] for tree in trees])
        self.link = Link.of(boosting.fitted._loss.link)

    def predict(self, block: Any) -> Array:
        raw = self._raw(block)
        if self.classes is None:
            return raw.ravel()
        winners = (raw.ravel() >= 0).astype(int) if raw.shape[1] == 1 else np.argmax(raw, axis=1)
        return np.asarray(self.classes[winners])

    def probabilities(self, block: Any) -> Any:
        return self.link.shares(self._raw(block))

    def parts(self) -> Sequence[object]:
        return ()

    def _raw(self, block: Any) -> Array:
        array = np.ascontiguousarray(as_float32(dense_block(block), allow_nan=False))
        raw = np.repeat(self.start, len(array), axis=0)
        for part in _chunks(len(array), len(self.table.roots)):
            leaves = self.table.leaves(array[part])
            raw[part] = add_in_order(raw[part], self.values[leaves].reshape(len(leaves), -1, self.width))
        return raw


class TableHistBoosting:
    """`trees.HistBoosting` without scikit-learn."""

    def __init__(self, boosting: HistBoosting) -> None:
        self.preprocess: Operation | None = boosting.preprocess
        self.classes, self.has_probabilities = boosting.classes, boosting.has_probabilities
        self.start, self.width = boosting.start, boosting.width
        predictors = [tree for stage in boosting.trees for tree in stage]
        self.table = _hist_table(predictors, boosting.bitsets)
        self.values = np.concatenate([predictor.nodes["value"] for predictor in predictors])
        self.link = Link.of(boosting.loss.link)

    def predict(self, block: Any) -> Array:
        raw = self._raw(block)
        if self.classes is None:
            return np.asarray(self.link.inverse(raw.ravel()))
        winners = (raw.ravel() > 0).astype(int) if raw.shape[1] == 1 else np.argmax(raw, axis=1)
        return np.asarray(self.classes[winners])

    def probabilities(self, block: Any) -> Any:
        return self.link.shares(self._raw(block))

    def parts(self) -> Sequence[object]:
        return () if self.preprocess is None else (self.preprocess,)

    def _raw(self, block: Any) -> Array:
        if self.preprocess is not None:
            block = self.preprocess.transform(block)
        array = np.asarray(as_floats(dense_block(block)), dtype=np.float64)
        raw = np.zeros((len(array), self.width), dtype=self.start.dtype, order="F")
        raw += self.start
        for part in _chunks(len(array), len(self.table.roots)):
            leaves = self.table.leaves(array[part])
            raw[part] = add_in_order(raw[part], self.values[leaves].reshape(len(leaves), -1, self.width))
        return raw


def _nodes(tree: Any) -> TreeNodes:
    missing = getattr(tree, "missing_go_to_left", None)
    return TreeNodes(
        tree.children_left < 0, tree.feature, tree.threshold, tree.children_left, tree.children_right, missing
    )


def _leaf_values(forest: Forest, value: Array) -> Array:
    """What a leaf predicts: shares of classes, one number, or one a target."""
    if forest.classes is not None:
        return value[:, 0, : len(forest.classes)]
    return value[:, 0, 0] if forest.outputs == 1 else value[:, :, 0]


def _hist_table(predictors: Sequence[Any], bitsets: tuple[Any, Any]) -> TreeTable:
    nodes = [predictor.nodes for predictor in predictors]
    fields = ("is_leaf", "feature_idx", "num_threshold", "left", "right", "missing_go_to_left")
    trees = [TreeNodes(*(each[name] for name in fields)) for each in nodes]
    if not any(each["is_categorical"].any() for each in nodes):
        return TreeTable(trees)
    first = np.cumsum([0, *(len(predictor.raw_left_cat_bitsets) for predictor in predictors)])
    listed = [np.where(each["is_categorical"], each["bitset_idx"] + at, -1) for each, at in zip(nodes, first)]
    chosen = np.concatenate([_members(predictor.raw_left_cat_bitsets) for predictor in predictors])
    known, known_of = bitsets
    return CategoryTreeTable(
        trees, np.concatenate(listed).astype(np.intp), chosen, _members(known), np.asarray(known_of, dtype=np.intp)
    )


def _members(bitsets: Array) -> Array:
    """Bitsets of eight 32-bit words as truth values, one a code."""
    words = np.asarray(bitsets, dtype=np.uint32).reshape(-1, CODES // 32)
    codes = np.arange(CODES)
    return np.asarray((words[:, codes // 32] >> (codes % 32).astype(np.uint32)) & 1, dtype=bool)
