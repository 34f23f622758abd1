"""The machine that a pickle is a program for, with inert stand-ins: it reads, remembers and never calls."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from porting.pickles.standins import Global, Opaque, RefusedError, Storage, Tensor, call, is_known, storage

MAX_STEPS = 5_000_000
"""A state dict of 100,000 tensors takes about 3,500,000."""
MOST_FOREIGN = 50

_RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "UserDict": "collections",
    "torch.tensor": "torch._tensor",
}
_PLAIN = (str, int, float, bool, bytes, type(None), Tensor, Global, Opaque)
STOP = ord(".")


class Machine:
    """One pickle being read.

    Attributes:
        at: the place of the next opcode; after `run`, the end of the pickle.
        foreign: the names of code that a plain state dict does not need, in the order in which they come.
        storages: every storage that is referred to.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.foreign: dict[str, None] = {}
        self.storages: list[Storage] = []
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Interpret the pickle and return what it describes, in lists, tuples, dictionaries and stand-ins.

        Raises:
            RefusedError: it is damaged, too long, or does what no state dict needs.
        """
        try:
            for _ in range(MAX_STEPS):
                code = self.data[self.at]
                self.at += 1
                if code == STOP:
                    return self._stack.pop()
                _OPERATIONS[code](self)
        except KeyError:
            raise RefusedError(f"it uses what no state dict needs, at byte {self.at:,}") from None
        except (IndexError, ValueError, TypeError, AttributeError, OverflowError, struct.error):
            raise RefusedError(f"it is damaged at byte {self.at:,}") from None
        raise RefusedError(f"it has more than {MAX_STEPS:,} steps")

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take a value off the stack."""
        return self._stack.pop()

    def number(self, length: int) -> int:
        """Read an unsigned number of so many bytes."""
        return int.from_bytes(self.take(length), "little")

    def take(self, length: int) -> bytes:
        """Read so many bytes."""
        taken = self.data[self.at : self.at + length]
        if len(taken) != length:
            raise ValueError
        self.at += length
        return taken

    def line(self) -> str:
        """Read the rest of the line."""
        end = self.data.index(b"\n", self.at, self.at + 1000)
        taken = self.data[self.at : end]
        self.at = end + 1
        return taken.decode()

    def name(self, module: str, name: str) -> None:
        """Put a global on the stack."""
        path = f"{_RENAMED.get(module, module)}.{name}"
        if not is_known(path) and len(self.foreign) < MOST_FOREIGN:
            self.foreign[path] = None
        self.push(Global(path))

    def stack_name(self) -> None:
        """Put the global on the stack that the two texts there name."""
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError
        self.name(module, name)

    def mark(self) -> None:
        """Start a group of values."""
        self._below.append(self._stack)
        self._stack = []

    def marked(self) -> list[Any]:
        """End the group, and return it."""
        values, self._stack = self._stack, self._below.pop()
        return values

    def tuple_of(self, count: int) -> None:
        """Make a tuple of the last values."""
        if len(self._stack) < count:
            raise ValueError
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def extend(self, values: list[Any]) -> None:
        """Append values to the list on the stack; other things take them in silence."""
        target = self._stack[-1]
        if type(target) is list:
            target.extend(values)
        elif not isinstance(target, Opaque):
            raise ValueError

    def update(self, values: list[Any]) -> None:
        """Set items of the dictionary on the stack; other things take them in silence."""
        target = self._stack[-1]
        if not isinstance(target, dict | Opaque) or len(values) % 2:
            raise ValueError
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not _is_key(key):
                raise RefusedError("it has a dictionary with keys of an unusual type")
            if isinstance(target, dict):
                if key in target:
                    raise RefusedError("it gives a key twice")
                target[key] = value

    def reduce(self) -> None:
        """What a call gives takes the place of the function and its arguments."""
        args, function = self._stack.pop(), self._stack.pop()
        self.push(call(function, args))

    def build(self) -> None:
        """A state is given to an object: attributes, which nothing here has."""
        self._stack.pop()
        if not isinstance(self._stack[-1], dict | Tensor | Opaque):
            raise ValueError

    def persistent(self) -> None:
        """Put the storage on the stack that an identifier names."""
        found = storage(self._stack.pop())
        self.storages.append(found)
        self.push(found)

    def remember(self, index: int) -> None:
        """Remember the top of the stack under a number."""
        self._memo[index] = self._stack[-1]

    def recall(self, index: int) -> None:
        """Put on the stack what is remembered."""
        if index not in self._memo:
            raise ValueError
        self.push(self._memo[index])

    def memoize(self) -> None:
        """Remember the top of the stack under the next number."""
        self.remember(len(self._memo))

    def drop(self) -> None:
        """Drop the top of the stack, or an empty group."""
        if self._stack:
            self._stack.pop()
        else:
            self.marked()

    def instance(self) -> None:
        """Make an instance in the way of the oldest pickles, which is never a state dict's."""
        self.name(self.line(), self.line())
        raise RefusedError("it makes an object in a way that no state dict needs")

    def long(self, size: int) -> None:
        """Put an integer of any length up to 255 bytes on the stack."""
        self.push(int.from_bytes(self.take(self.number(size)), "little", signed=True))


def _is_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(isinstance(part, _PLAIN) for part in key)
    return isinstance(key, _PLAIN)


def _integer(machine: Machine) -> None:
    machine.push(int.from_bytes(machine.take(4), "little", signed=True))


def _float(machine: Machine) -> None:
    machine.push(struct.unpack(">d", machine.take(8))[0])


def _protocol(machine: Machine) -> None:
    if machine.number(1) > 5:
        raise ValueError


_OPERATIONS: dict[int, Callable[[Machine], object]] = {
    0x80: _protocol,
    0x95: lambda m: m.take(8),
    ord("("): Machine.mark,
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("J"): _integer,
    ord("K"): lambda m: m.push(m.number(1)),
    ord("M"): lambda m: m.push(m.number(2)),
    0x8A: lambda m: m.long(1),
    ord("G"): _float,
    ord("U"): lambda m: m.push(m.take(m.number(1)).decode()),
    ord("T"): lambda m: m.push(m.take(m.number(4)).decode()),
    0x8C: lambda m: m.push(m.take(m.number(1)).decode()),
    ord("X"): lambda m: m.push(m.take(m.number(4)).decode()),
    0x8D: lambda m: m.push(m.take(m.number(8)).decode()),
    ord("C"): lambda m: m.push(m.take(m.number(1))),
    ord("B"): lambda m: m.push(m.take(m.number(4))),
    0x8E: lambda m: m.push(m.take(m.number(8))),
    ord("]"): lambda m: m.push([]),
    ord("a"): lambda m: m.extend([m.pop()]),
    ord("e"): lambda m: m.extend(m.marked()),
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    ord("t"): lambda m: m.push(tuple(m.marked())),
    ord("}"): lambda m: m.push({}),
    ord("s"): lambda m: m.update([m.pop(), m.pop()][::-1]),
    ord("u"): lambda m: m.update(m.marked()),
    0x8F: lambda m: m.push(Opaque("a set")),
    0x90: lambda m: m.extend(m.marked()),
    0x91: lambda m: m.push(Opaque("a set") if m.marked() else Opaque("an empty set")),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: Machine.stack_name,
    ord("R"): Machine.reduce,
    0x81: Machine.reduce,
    ord("b"): Machine.build,
    ord("Q"): Machine.persistent,
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    0x94: Machine.memoize,
    ord("0"): Machine.drop,
    ord("1"): lambda m: m.marked(),
    ord("i"): Machine.instance,
}
"""What each opcode does; those of protocol 0, of extensions and of buffers are no part of a state dict."""
