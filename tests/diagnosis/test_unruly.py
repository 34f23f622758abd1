"""Diagnosis on unruly ports: odd tensors, non-finite values, interrupts; the port stays as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from porting import verify

Change = Callable[[torch.Tensor], torch.Tensor]


class Odd(nn.Module):
    """Holds tensors that are sparse, on meta, empty, complex, of small integers; called in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.first, self.norm = nn.Embedding(40, 16), nn.Linear(16, 16), nn.LayerNorm(16)
        self.head = nn.Linear(16, 40)
        self.register_buffer("small", torch.randint(0, 99, (16, 16), dtype=torch.int8))
        self.register_buffer("sparse", torch.eye(16).to_sparse())
        self.register_buffer("absent", torch.empty(3, 3, device="meta"))
        self.register_buffer("empty", torch.empty(0, 4))
        self.register_buffer("complex", torch.ones(4, dtype=torch.complex64))
        self.register_buffer("flag", torch.tensor([True]))

    def forward(self, ids: torch.Tensor) -> dict[str, Any]:
        x = self.embed(ids)
        x = x @ (self.get_buffer("small") / 100) + x
        for _ in range(2):
            x = self.norm(x + torch.tanh(self.first(x)))
        return {"logits": self.head(x), "none": None, "more": [x, (x.mean(-1),)]}


def changed(module: nn.Module, change: Change) -> None:
    """Let a module's class return something else, as a port's own code would."""

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = super(type(self), self).forward(*args, **kwargs)
        return change(result) if isinstance(result, torch.Tensor) else {**result, "logits": change(result["logits"])}

    module.__class__ = type(type(module).__name__, (type(module),), {"forward": forward})


def mixed(x: torch.Tensor) -> torch.Tensor:
    return x @ torch.linspace(-1, 1, x.shape[-1] ** 2).sin().reshape(x.shape[-1], -1)


CHANGES: dict[str, tuple[str, Change]] = {
    "code of the model": ("", mixed),
    "code of a module": ("first", mixed),
    "nan everywhere": ("norm", lambda x: x * torch.nan),
    "nan somewhere": ("norm", lambda x: x.masked_fill(x > 0, torch.nan)),
    "infinite somewhere": ("first", lambda x: x.masked_fill(x > 0, torch.inf)),
    "huge": ("norm", lambda x: x * 1e30),
    "zero": ("first", torch.zeros_like),
    "rounded to integers": ("norm", torch.round),
    "nan in the model": ("", lambda x: x * torch.nan),
    "moved": ("first", lambda x: x.roll(1, -1)),
}
SHAPES = ((2, 7), (1, 5), (1, 1))


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    original = Odd().eval()
    torch.manual_seed(0)
    ported = Odd().eval()
    path, change = CHANGES[name]
    changed(ported.get_submodule(path), change)
    return original, ported


def state(model: nn.Module) -> dict[str, Any]:
    """All that a run may have changed, in comparable form."""
    tensors = {
        name: (id(tensor), tensor.dtype, "" if tensor.is_meta else tensor.to_dense().tolist())
        for name, tensor in model.state_dict(keep_vars=True).items()
    }
    own = {name: sorted(vars(module)) for name, module in model.named_modules()}
    hooks = {
        name: [len(value) for key, value in sorted(vars(module).items()) if key.endswith("_hooks")]
        for name, module in model.named_modules()
    }
    kinds = {name: (type(module), module.training) for name, module in model.named_modules()}
    return {"tensors": tensors, "own": own, "hooks": hooks, "kinds": kinds, "random": torch.get_rng_state().tolist()}


@pytest.mark.parametrize("name", CHANGES)
def test_no_cause_raises_and_the_port_is_left_as_it_was(name: str) -> None:
    for shape in SHAPES:
        original, ported = pair(name)
        before = state(ported)
        ids = torch.arange(shape[0] * shape[1]).reshape(shape)
        verification = verify(original, ported, {"ids": ids})
        assert [message for code, message in verification.warnings if code == "cause-failed"] == []
        assert verification.verdict in ("mismatch", "inconclusive")
        assert verification.failure_message()
        assert state(ported) == before


@contextmanager
def raising(kind: type[BaseException], at: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Raise at the module call with this number; counts the calls."""
    calls = [0]
    inner = nn.Module._call_impl

    def called(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == at:
            raise kind("injected")
        return inner(self, *args, **kwargs)  # type: ignore[no-untyped-call]

    with monkeypatch.context() as patch:
        patch.setattr(nn.Module, "__call__", called)
        yield calls


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_anywhere_leaves_the_port_as_it_was(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, ported = pair("code of a module")
    before, inputs = state(ported), {"ids": torch.arange(14).reshape(2, 7)}
    with raising(kind, 0, monkeypatch) as calls:
        verify(original, ported, inputs)
    interrupted = 0
    for at in range(1, calls[0] + 1, max(1, calls[0] // 8)):
        with raising(kind, at, monkeypatch):
            try:
                verify(original, ported, inputs)
            except (kind, Exception):
                interrupted += 1
        assert state(ported) == before
    assert interrupted
