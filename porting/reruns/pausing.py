"""A torch function mode that can be told to look away while torch does other work than the model's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.overrides import TorchFunctionMode


class PausableMode(TorchFunctionMode):
    """Base of modes that do nothing of their own while they are paused; subclasses say what else they do."""

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

    @abstractmethod
    def called(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A torch function is called; what it is to return."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return func(*args, **(kwargs or {})) if self._paused else self.called(func, args, kwargs or {})
