"""Another summary of a sequence."""

from __future__ import annotations

import pytest
import torch
from gluing import pieced, proven
from torch import nn

X = torch.randn(3, 9, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "right", [lambda h: h[:, 0], lambda h: h[:, -1], lambda h: h.amax(1)], ids=["first", "last", "largest"]
)
def test_the_mean_for_another_pooling(right: object) -> None:
    assert callable(right)
    modules = {"body": nn.Linear(8, 16), "head": nn.Linear(16, 5)}
    verification = pieced(
        lambda m, x: m.head(right(m.body(x))),
        lambda m, x: m.head(m.body(x).mean(1)),
        modules,
        X,
    )
    assert proven(verification) == [("", "pooling")]


def test_padding_counted_in_the_mean() -> None:
    mask = (torch.arange(9)[None] < torch.tensor([9, 5, 7])[:, None]).long()
    verification = pieced(
        lambda m, x, mask: m.head((m.body(x) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)),
        lambda m, x, mask: m.head(m.body(x).mean(1)),
        {"body": nn.Linear(8, 16), "head": nn.Linear(16, 5)},
        X,
        mask,
    )
    assert proven(verification) == [("", "pooling")]
