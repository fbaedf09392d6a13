"""JSON in and out: orjson where it is installed, else the standard library. Neither lets NaN or infinity through."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parse_json(body: bytes) -> object:
    """Parse a body. Raises ValueError with a reason for anything that is not JSON (RFC 8259)."""
    try:
        return _parse(body[3:] if body.startswith(b"\xef\xbb\xbf") else body)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: {error.reason} at byte {error.start}") from error


def dump_json(document: object) -> bytes:
    """Write a document. What is not a finite number becomes null, since JSON has no other word for it."""
    return _dump(document)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null for a missing value")


def _parse_plain(body: bytes) -> object:
    parsed: object = json.loads(body.decode(), parse_constant=_refuse_constant)
    return parsed


def _dump_plain(document: object) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, UnicodeEncodeError):
        return json.dumps(_clean(document), separators=(",", ":")).encode()


def _clean(value: object) -> object:
    """A copy without NaN and infinity, and with NumPy's scalars as Python's."""
    if isinstance(value, dict):
        return {str(key): _clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(each) for each in value]
    if hasattr(value, "tolist"):
        return _clean(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


_parse, _dump = _parse_plain, _dump_plain

try:
    import orjson
except ImportError:
    pass
else:

    def _parse_fast(body: bytes) -> object:
        try:
            parsed: object = orjson.loads(body)
        except ValueError:
            return _parse_plain(body)  # its message says more: which constant, which column
        return parsed

    def _dump_fast(document: Any) -> bytes:
        try:
            written: bytes = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
        except TypeError:
            return _dump_plain(document)
        return written

    _parse, _dump = _parse_fast, _dump_fast
