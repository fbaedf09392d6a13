"""Example rows from a model's description: for the documentation, the page and the sensitivity of a prediction."""

from __future__ import annotations

from mldeploy_model.schema import Column, ModelSchema, Value


def example_row(schema: ModelSchema) -> dict[str, Value]:
    """The sample's first row where it has one, completed column by column."""
    sample = schema.sample[0] if schema.sample else {}
    if not schema.columns:
        return dict(sample)
    return {column.name: example_value(column, sample.get(column.name)) for column in schema.columns}


def example_value(column: Column, given: Value = None) -> Value:
    """`given`, or the column's example, or a value within its bounds."""
    if given is not None:
        return given
    if column.example is not None:
        return column.example
    if column.categories:
        return column.categories[0]
    if column.type in ("number", "integer"):
        return _middle(column)
    return False if column.type == "boolean" else "text" if column.type == "text" else None


def _middle(column: Column) -> float:
    low = column.minimum if column.minimum is not None else (column.maximum if column.maximum is not None else 0.0)
    high = column.maximum if column.maximum is not None else low
    middle = (low + high) / 2
    return int(middle) if column.type == "integer" else float(f"{middle:.4g}") if low < middle < high else middle
