"""A torch function mode that can be told to look away while torch does other work than the model's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.overrides import TorchFunctionMode


class PausableMode(TorchFunctionMode):
    """Base of modes whose ``__torch_function__`` does nothing of its own while it is paused."""

    def __init__(self) -> None:
        super().__init__()
        self._paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let torch do as it is asked, unseen."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before
