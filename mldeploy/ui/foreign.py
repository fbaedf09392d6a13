"""An app's own output, as a terminal may get it: text and colours, nothing else that a terminal would obey.

Standard: ECMA-48. A control character is shown as an escape, so that nothing can be hidden behind it: a sequence that
is not a whole "select graphic rendition" (SGR) is harmless once its first character is, also if it never ends.
"""

from __future__ import annotations

import codecs
import re

from mldeploy.ui.text import printable

RESET = "\x1b[0m"
_SGR = re.compile(r"(\x1b\[[0-9;:]{0,64}m)")
_HIDING = re.compile(r"(?:^|;)0*8(?:;|$)")
_OPEN = re.compile(r"\x1b(?:\[[0-9;:]{0,64})?$")
"""The end of a piece that may be the beginning of an SGR."""
_RESETS = re.compile(r"\x1b\[[0;:]*m")


def foreign_line(line: str, *, color: bool) -> str:
    """One line, whose colours end with it. color: whether they are kept at all."""
    return _filtered(line.rstrip("\r"), color=color)


class ForeignStream:
    """Bytes that come in pieces. A return of the carriage, with which a line could be written over, ends the line."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""
        self._rendition = ""
        """The colours that hold where the last piece ended."""

    def feed(self, data: bytes) -> str:
        """What of it can be printed now; the beginning of a sequence is kept until its end comes."""
        text = self._held + self._decoder.decode(data)
        open_end = _OPEN.search(text) or re.search(r"\r$", text)
        self._held = open_end[0] if open_end else ""
        return self._shown(text[: len(text) - len(self._held)])

    def end(self) -> str:
        """What is left, and the end of the colours."""
        rest = self._shown((self._held + self._decoder.decode(b"", final=True)).removesuffix("\r"))
        end = RESET if self._rendition else ""
        self._held = self._rendition = ""
        return rest + end

    def _shown(self, text: str) -> str:
        *lines, last = re.split(r"\r\n|\r|\n", text)
        shown = []
        for line in lines:
            shown.append(_filtered(line, color=self._color, rendition=self._rendition) + "\n")
            self._rendition = ""
        kept = [each for each in _SGR.findall(last) if _passes(each)] if self._color else []
        if kept:
            self._rendition = "" if _RESETS.fullmatch(kept[-1]) else kept[-1]
        return "".join(shown) + _filtered(last, color=self._color, closed=False)


def _filtered(text: str, *, color: bool, rendition: str = "", closed: bool = True) -> str:
    """rendition: the colours that hold before. closed: they are to end here."""
    pieces = []
    for piece in _SGR.split(text):
        if not _SGR.fullmatch(piece):
            pieces.append(printable(piece))
        elif color and _passes(piece):
            pieces.append(piece)
            rendition = "" if _RESETS.fullmatch(piece) else piece
    return "".join(pieces) + (RESET if rendition and closed else "")


def _passes(sequence: str) -> bool:
    """All but "concealed", which hides text; in what follows 38 and 48 an 8 is a colour."""
    parameters = sequence[2:-1]
    return bool(re.search(r"[345]8[;:]", parameters)) or not _HIDING.search(parameters)
