"""What a capture changes of the whole process while a model runs, shared by captures in several threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_lock = threading.Lock()
_inside = 0
_changes = ExitStack()


@contextmanager
def prepared() -> Iterator[None]:
    """Have every module called in Python, with frames to spare.

    Modules are neither fused by torch's fast path nor compiled, where that is known. A module that is listened to
    takes a few frames more, so the recursion limit is doubled: deep models still run. The first capture to come
    changes the process, and the last one to go changes it back.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _change()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _changes.close()


def _change() -> None:
    limit, fast = sys.getrecursionlimit(), torch.backends.mha.get_fastpath_enabled()
    _changes.callback(sys.setrecursionlimit, limit)
    _changes.callback(torch.backends.mha.set_fastpath_enabled, fast)
    sys.setrecursionlimit(2 * limit)
    torch.backends.mha.set_fastpath_enabled(False)
    if "torch._dynamo" in sys.modules:
        _changes.enter_context(torch.compiler.set_stance("force_eager"))
