"""Read the contents of a pickle from its opcodes. Nothing is imported, called or built: loading a pickle runs code.

A pickle is a program for a small stack machine. Here that machine runs with stand-ins: it knows which names a program
would import and with which state it would fill what it makes, and that is all there is to know. The instructions are
`pickletools`'; joblib's files, which have the arrays' bytes between the instructions, are read as joblib writes them.
"""

from __future__ import annotations

import lzma
import pickletools
import re
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from mldeploy.project.detect.models.streams import BudgetError, ByteStream, DecompressedStream, open_stream

MAX_STEPS = 1_000_000
"""Instructions that are followed. A forest of a thousand trees has fewer; a vocabulary of a million words has more."""

_OPCODES: Final = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_LONG_BYTES: Final = {"BINBYTES": 4, "BINBYTES8": 8, "BYTEARRAY8": 8}
"""Instructions whose argument is data of a length that this many bytes tell: it is passed over."""

_ARRAY: Final = "joblib.numpy_pickle NumpyArrayWrapper"
_MAX_NESTED = 8


@dataclass(frozen=True)
class PickleContents:
    """globals: what it imports, "module name", in the order of the program. sklearn: the versions of scikit-learn that
    its estimators say they were made with. complete: it was read to its end. fault: why no library can read it; "" if
    none is known.
    """

    globals: tuple[str, ...]
    sklearn: tuple[str, ...]
    complete: bool
    fault: str = ""

    @property
    def modules(self) -> set[str]:
        """The top-level modules that it imports."""
        return {name.partition(" ")[0].partition(".")[0] for name in self.globals}


def read_pickle(handle: BinaryIO) -> PickleContents | None:
    """What a file holds that is a pickle, also a compressed one or one of joblib's; None if it is none, or unreadable.

    Raises OSError.
    """
    stream = open_stream(handle)
    return run_pickle(stream) if stream else None


def run_pickle(stream: ByteStream) -> PickleContents | None:
    """What the pickle at the start of a stream holds; None if what is there is no pickle."""
    machine = _Machine(stream)
    fault = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a text of theirs is not our warning
            complete = machine.run()
    except (zlib.error, lzma.LZMAError):
        complete, fault = False, "is damaged: its compressed content cannot be read"
    except (ValueError, IndexError, KeyError, TypeError, EOFError, BudgetError, OverflowError):
        complete = False
        fault = "ends too early: the file is not complete" if stream.is_cut() else ""
    is_packed = isinstance(stream, DecompressedStream)
    if machine.steps < 2 and not complete and not (fault and is_packed):
        return None
    return PickleContents(tuple(machine.globals), tuple(machine.versions), complete, fault)


class _Thing:
    """Stands for a value of which nothing need be known."""


_THING: Final = _Thing()
_MARK: Final = _Thing()


@dataclass
class _Global:
    """A name that the program imports."""

    name: str


@dataclass
class _Made:
    """What the program makes by calling something."""

    maker: object
    arguments: object
    state: object = None


@dataclass
class _Machine:
    stream: ByteStream
    nested: int = 0
    steps: int = 0
    globals: dict[str, None] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)
    stack: list[object] = field(default_factory=list)
    memo: dict[object, object] = field(default_factory=dict)

    def run(self) -> bool:
        """Follow the program; True at its end, False if it is too long. Raises what a broken one makes arise."""
        read = self.stream.read
        while self.steps < MAX_STEPS:
            self.steps += 1
            opcode = _OPCODES[read(1)[0]]
            name = opcode.name
            if name == "STOP":
                return True
            argument: object = _THING
            if name in _LONG_BYTES:
                self.stream.skip(int.from_bytes(read(_LONG_BYTES[name]), "little"))
            elif opcode.arg:
                argument = opcode.arg.reader(self.stream)  # type: ignore[arg-type]  # it only reads
            action = _ACTIONS.get(name)
            if action:
                action(self, argument)
            else:
                self.generic(opcode)
        return False

    def generic(self, opcode: pickletools.OpcodeInfo) -> None:
        """Take off and put on as many values as the instruction does; what they are is not needed."""
        if pickletools.markobject in opcode.stack_before:
            self.since_mark()
        taken = [each for each in opcode.stack_before if each not in {pickletools.markobject, pickletools.stackslice}]
        for _ in taken:
            self.stack.pop()
        self.stack.extend(_THING for _ in opcode.stack_after)

    def since_mark(self) -> list[object]:
        """Take off everything down to the last mark, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def push(self, value: object) -> None:
        self.stack.append(value)

    def imports(self, name: str) -> _Global:
        self.globals.setdefault(name)
        return _Global(name)

    def set_items(self, target: object, values: list[object]) -> None:
        for key, value in zip(values[::2], values[1::2], strict=False):
            if not isinstance(key, str):
                continue
            if key == "_sklearn_version" and isinstance(value, str) and re.fullmatch(r"\d[\w.+!-]{0,40}", value):
                self.versions.setdefault(value)
            if isinstance(target, dict) and len(target) < 64:
                target[key] = value

    def array(self, state: Mapping[str, object]) -> None:
        """Pass over an array's data, which joblib writes right after the instruction that describes it."""
        kind, size = _item(state.get("dtype"))
        if kind == "O":
            self.embedded()
            return
        shape = state.get("shape")
        if not isinstance(shape, tuple):
            raise TypeError("no shape")
        count = 1
        for length in shape:
            count *= int(str(length))
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.skip(self.stream.read(1)[0])
        self.stream.skip(count * size)

    def embedded(self) -> None:
        """An array of objects is a pickle of its own."""
        if self.nested >= _MAX_NESTED:
            raise ValueError("nested too deeply")
        inner = _Machine(self.stream, self.nested + 1, self.steps, self.globals, self.versions)
        complete = inner.run()
        self.steps = inner.steps
        if not complete:
            raise ValueError("too long")


def _item(dtype: object) -> tuple[str, int]:
    """The kind and the bytes of an array's items: ("f", 8) for numpy.dtype("f8")."""
    if not (isinstance(dtype, _Made) and isinstance(dtype.arguments, tuple) and isinstance(dtype.arguments[0], str)):
        raise TypeError("no dtype")
    match = re.fullmatch(r"[<>|=]?([a-zA-Z?])(\d{0,9})", dtype.arguments[0])
    if not match:
        raise ValueError("unknown dtype")
    return match[1], int(match[2] or 1) * (4 if match[1] == "U" else 1)


def _global(machine: _Machine, argument: object) -> None:
    machine.push(machine.imports(str(argument)))


def _stack_global(machine: _Machine, _: object) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push(machine.imports(f"{module} {name}") if isinstance(module, str) and isinstance(name, str) else _THING)


def _instance(machine: _Machine, argument: object) -> None:
    machine.since_mark()
    machine.push(_Made(machine.imports(str(argument)), ()))


def _memoize(machine: _Machine, _: object) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _put(machine: _Machine, argument: object) -> None:
    machine.memo[argument] = machine.stack[-1]


def _get(machine: _Machine, argument: object) -> None:
    machine.push(machine.memo[argument])


def _tuple(count: int) -> Callable[[_Machine, object], None]:
    def make(machine: _Machine, _: object) -> None:
        if len(machine.stack) < count:
            raise IndexError("the stack is empty")
        values = machine.stack[-count:] if count else []
        del machine.stack[len(machine.stack) - count :]
        machine.push(tuple(values))

    return make


def _dict(machine: _Machine, _: object) -> None:
    target: dict[str, object] = {}
    machine.set_items(target, machine.since_mark())
    machine.push(target)


def _set_item(machine: _Machine, _: object) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: object) -> None:
    values = machine.since_mark()
    machine.set_items(machine.stack[-1], values)


def _make(machine: _Machine, _: object) -> None:
    arguments, maker = machine.stack.pop(), machine.stack.pop()
    machine.push(_Made(maker, arguments))


def _make_with_keywords(machine: _Machine, _: object) -> None:
    machine.stack.pop()
    _make(machine, _)


def _build(machine: _Machine, _: object) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, _Made):
        target.state = state
        if isinstance(target.maker, _Global) and target.maker.name == _ARRAY and isinstance(state, dict):
            machine.array(state)


def _value(machine: _Machine, argument: object) -> None:
    machine.push(argument)


_ACTIONS: Final[dict[str, Callable[[_Machine, object], None]]] = {
    **dict.fromkeys(
        ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"), _value
    ),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _value),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "BUILD": _build,
    "DICT": _dict,
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_TUPLE": _tuple(0),
    "GLOBAL": _global,
    "INST": _instance,
    "MARK": lambda machine, _: machine.push(_MARK),
    "MEMOIZE": _memoize,
    "NEWOBJ": _make,
    "NEWOBJ_EX": _make_with_keywords,
    "NONE": lambda machine, _: machine.push(None),
    "REDUCE": _make,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "STACK_GLOBAL": _stack_global,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
}
"""The instructions whose values matter; of all others it is enough how many values they take and give."""
