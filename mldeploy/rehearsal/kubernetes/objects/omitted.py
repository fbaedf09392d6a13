"""What the API server leaves out of its answers, however it was sent: values that say the same as none.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#optional-vs-required
"""

from __future__ import annotations

from typing import Any

_ZEROES = frozenset(
    (
        *("minReadySeconds", "paused", "initialDelaySeconds", "nodePort", "publishNotReadyAddresses", "readOnly"),
        *("hostIPC", "hostNetwork", "hostPID", "stdin", "stdinOnce", "tty"),
    )
)
"""Numbers and flags of which nobody knows whether they were said or not. Those that are pointers in Go stay."""
_TABLES = frozenset(("annotations", "labels", "limits", "matchLabels", "nodeSelector", "requests"))


def omit(value: Any) -> None:
    """Take it away in place, at any depth. May be repeated."""
    if isinstance(value, list):
        for each in value:
            omit(each)
    elif isinstance(value, dict):
        for name in [name for name, content in value.items() if _is_nothing(name, content)]:
            del value[name]
        for each in value.values():
            omit(each)


def _is_nothing(name: str, content: Any) -> bool:
    return content == [] or (content == {} and name in _TABLES) or (name in _ZEROES and content in (0, False))
