"""Leave a model and the process as they were found, also when a run raises or is interrupted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def preserved(model: torch.nn.Module) -> Iterator[None]:
    """Restore buffers (running statistics, counters), modes, and the random state of Python, NumPy and torch."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (buffer, buffer.detach().clone())
        for buffer in model.buffers()
        if buffer.layout == torch.strided and not buffer.is_meta and not buffer.is_quantized
    ]
    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count())
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, saved in buffers:
                if not torch.equal(buffer, saved):
                    buffer.copy_(saved)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch; used inside `preserved`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
