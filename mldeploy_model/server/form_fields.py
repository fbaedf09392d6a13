"""One form field for each column: radio buttons for few choices, a menu for more, otherwise a text field."""

from __future__ import annotations

import json
from html import escape

from mldeploy_model.schema import Column, Value
from mldeploy_model.server.examples import example_value

_FEW = 4
_MANY = 200  # categories from which a text field with suggestions is easier than a menu


def words(value: object) -> str:
    """Write a value as people do: 42, not 42.0; at most six digits that count."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}") if abs(value) >= 1e5 else f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def ask_for(column: Column) -> str:
    """Say what to do with a field that is empty."""
    if column.type == "boolean" or 0 < len(column.categories) <= _MANY:
        return "choose one"
    return {"number": "enter a number", "integer": "enter a whole number"}.get(column.type, "enter a text")


def field_html(column: Column, value: str, fault: str) -> str:
    """The field of a column with its bounds, unit, example, and what is wrong with it."""
    options: tuple[Value, ...] = (True, False) if column.type == "boolean" else column.categories
    if not options or len(options) > _MANY:
        return _input(column, value, fault, options)
    return _radios(column, value, fault, options) if len(options) <= _FEW else _menu(column, value, fault, options)


def _input(column: Column, value: str, fault: str, options: tuple[Value, ...]) -> str:
    mode = {"number": "decimal", "integer": "numeric"}.get(column.type, "text")
    suggestions = f' list="{_id(column)}-list"' if options else ""
    listed = "".join(f'<option value="{escape(words(option))}">' for option in options[:1000])
    datalist = f'<datalist id="{_id(column)}-list">{listed}</datalist>' if options else ""
    return _field(
        column,
        f'<input type=text inputmode={mode} id="{_id(column)}" name="{escape(column.name)}" value="{escape(value)}"'
        f"{suggestions} {_attributes(column, fault)}>{datalist}",
        fault,
    )


def _menu(column: Column, value: str, fault: str, options: tuple[Value, ...]) -> str:
    texts = [(escape(_text(option)), " selected" if _text(option) == value else "") for option in options]
    chosen = "".join(f'<option value="{text}"{selected}>{text}</option>' for text, selected in texts)
    select = (
        f'<select id="{_id(column)}" name="{escape(column.name)}" {_attributes(column, fault)}>'
        f'<option value="">{"No value" if column.optional else "Choose …"}</option>{chosen}</select>'
    )
    return _field(column, select, fault)


def _radios(column: Column, value: str, fault: str, options: tuple[Value, ...]) -> str:
    if column.optional:
        return _menu(column, value, fault, options)
    buttons = "".join(
        f'<label class=option><input type=radio name="{escape(column.name)}" value="{escape(_text(option))}"'
        f"{f' id={chr(34)}{_id(column)}{chr(34)}' if index == 0 else ''}{' checked' if _text(option) == value else ''}>"
        f"<span>{escape(_text(option))}</span></label>"
        for index, option in enumerate(options)
    )
    classes = "field wrong" if fault else "field"
    return (
        f'<fieldset class="{classes}" {_attributes(column, fault)}><legend>{_label(column)}</legend>'
        f"<div class=options>{buttons}</div>{_notes(column, fault)}</fieldset>"
    )


def _text(option: Value) -> str:
    """A choice as the form sends it, which is read as a CSV file's value is."""
    return words(option) if isinstance(option, bool) else str(option)


def _field(column: Column, control: str, fault: str) -> str:
    label = f'<label for="{_id(column)}">{_label(column)}</label>'
    return f'<div class="field{" wrong" if fault else ""}">{label}{control}{_notes(column, fault)}</div>'


def _label(column: Column) -> str:
    unit = f" <span class=unit>{escape(column.unit)}</span>" if column.unit else ""
    return f"{escape(column.name)}{unit}"


def _id(column: Column) -> str:
    return f"field-{escape(column.name)}"


def _attributes(column: Column, fault: str) -> str:
    if fault:
        return f'aria-invalid=true aria-describedby="{_dashed(column)}-fault {_dashed(column)}-hint"'
    return f'aria-describedby="{_dashed(column)}-hint"'


def _dashed(column: Column) -> str:
    """An id without blanks, since aria-describedby holds a list."""
    return "-".join(_id(column).split())


def _notes(column: Column, fault: str) -> str:
    wrong = f'<p class=fault id="{_dashed(column)}-fault">{escape(fault)}</p>' if fault else ""
    return f'{wrong}<p class=hint id="{_dashed(column)}-hint">{escape(_hint(column))}</p>'


def _hint(column: Column) -> str:
    parts = []
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"{words(float(column.minimum))} to {words(float(column.maximum))}")
    if not column.categories and column.type != "boolean":
        example = example_value(column)
        parts += [f"for example {words(example)}"] if example is not None else []
    if column.optional:
        parts.append("may be left empty")
    return ", ".join(parts)
