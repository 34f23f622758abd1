"""The causes that diagnosis knows: every `Cause` in the modules of this folder.

To add one, write a module here with a subclass of `porting.diagnosis.cause.Cause`, and a test.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import TypeGuard

from porting.diagnosis.cause import Cause


def all_causes() -> Iterator[Cause]:
    """One of each cause, by the name of its module and then as they are written there."""
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for found in vars(module).values():
            if _is_whole(found) and found.__module__ == module.__name__:
                yield found()


def _is_whole(found: object) -> TypeGuard[type[Cause]]:
    return inspect.isclass(found) and issubclass(found, Cause) and not inspect.isabstract(found)
