"""Quantities: amounts of CPU, memory and other resources.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

SYNTAX = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_FORM = re.compile(r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?P<unit>[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


class QuantityError(ValueError):
    """The text is not a valid quantity."""


def parse_quantity(written: object) -> Decimal:
    """Parse a quantity into cores or bytes. Raises QuantityError."""
    parts = _FORM.fullmatch(str(written))
    if parts is None:
        raise QuantityError(f"quantities must match the regular expression '{SYNTAX}'")
    return Decimal(parts["number"]) * _factor(parts["unit"] or "")


def _factor(unit: str) -> Decimal:
    if unit in _BINARY:
        return Decimal(1024 ** _BINARY.index(unit))
    if unit in _DECIMAL:
        return Decimal(10) ** _DECIMAL[unit]
    return Decimal(10) ** int(unit[1:])


def format_quantity(written: object) -> str:
    """Format a quantity canonically: no fraction, and the largest possible unit.

    Raises QuantityError.
    """
    value, unit = parse_quantity(written), str(written).lstrip("+-.0123456789")
    if unit in _BINARY[1:]:
        return _in_units(value, {each: _factor(each) for each in _BINARY}) or format_quantity(f"{value:f}")
    if unit[:1] in ("e", "E") and unit != "E":
        return str(written)
    return _in_units(value, {each: _factor(each) for each in _DECIMAL}) or str(written)


def _in_units(value: Decimal, units: dict[str, Decimal]) -> str:
    if value == 0:
        return "0"
    for unit, factor in reversed(units.items()):
        if value % factor == 0:
            return f"{int(value / factor)}{unit}"
    return ""
