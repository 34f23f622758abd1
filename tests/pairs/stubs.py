"""Imports of originals without their heavy dependencies, which their forward never uses."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


@contextmanager
def stubbed(*names: str, bare: str | None = None) -> Iterator[None]:
    """Answer imports of these top-level names with inert modules where they are not installed, and forget them after.

    ``bare`` names a package that is entered without running its ``__init__``. What an original warns of while it is
    imported is not this project's business.
    """
    finder = _Finder(names)
    sys.meta_path.append(finder)
    if bare is not None and bare not in sys.modules:
        sys.modules[bare] = _without_init(bare)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Inert)]:
            del sys.modules[name]


class _Anything(type):
    """A class whose attributes are such classes again, and which can be subclassed, called and used to decorate."""

    def __getattr__(cls, name: str) -> _Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return _anything(name)


def _anything(name: str) -> _Anything:
    def create(cls: type, *args: Any, **kwargs: Any) -> Any:
        decorates = len(args) == 1 and callable(args[0]) and not kwargs
        return args[0] if decorates else object.__new__(cls)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if args else None

    body = {"__new__": create, "__init__": lambda self, *args, **kwargs: None, "__call__": call}
    return _Anything(name, (), body)


class _Inert(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _anything(name)
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    """Finds what no finder before it found."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.split(".")[0] in self.names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _Inert(spec.name)
        vars(module).update(__path__=[], __version__="0.0.0")
        return module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


def _without_init(name: str) -> ModuleType:
    spec = PathFinder.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = ModuleType(name)
    module.__path__ = list(spec.submodule_search_locations or [])
    return module
