"""Models of Transformers are built without memory, and no further than a limit of time and of tensors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


class _TooMuchError(Exception):
    """What is built goes beyond the limits."""


@dataclass
class Limits:
    """How much may be built.

    Attributes:
        until: when it must be over, by `time.thread_time`: what others use of a machine does not count.
        tensors: that one model may have.
    """

    until: float
    tensors: int
    made: int = field(default=0, init=False)

    @property
    def over(self) -> bool:
        """Whether there is no time left."""
        return time.thread_time() > self.until

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have the constructors of this thread end with an error where they go beyond them.

        Whatever a config says, a constructor's loop cannot go on for ever: each module and each tensor is counted.
        """
        from torch.nn.modules import module

        thread, self.made = threading.get_ident(), 0

        def count(*_: Any) -> None:
            if threading.get_ident() != thread:
                return
            self.made += 1
            if self.made > self.tensors or self.over:
                raise _TooMuchError("a constructor went on for too long, or made too many tensors")

        handles = [
            module.register_module_module_registration_hook(count),
            module.register_module_parameter_registration_hook(count),
            module.register_module_buffer_registration_hook(count),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
