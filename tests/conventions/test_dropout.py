"""Dropout that drops in eval mode is found by reading, however it was imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from porting.conventions.dropout import unfollowing
from porting.conventions.files import Source


def lines(text: str) -> list[int]:
    return [line for line, _ in unfollowing(Source(Path("modeling_first.py"), text))]


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("import torch", "torch.nn.functional.dropout"),
        ("import torch.nn.functional as F", "F.dropout"),
        ("import torch.nn.functional", "torch.nn.functional.dropout"),
        ("from torch.nn import functional as f", "f.dropout2d"),
        ("from torch import nn", "nn.functional.alpha_dropout"),
        ("import torch.nn as layers", "layers.functional.feature_alpha_dropout"),
        ("from torch.nn.functional import dropout as drop", "drop"),
    ],
)
@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("x", True),
        ("x, 0.1", True),
        ("x, p=self.p", True),
        ("x, 0.1, True", True),
        ("x, 0.1, training=True", True),
        ("x, inplace=True", True),
        ("x, 0.1, self.training", False),
        ("x, p=self.p, training=self.training", False),
        ("x, p=self.p, training=training", False),
        ("x, 0.1, training=False", False),
        ("x, 0.0", False),
        ("x, p=0", False),
        ("x, **options", False),
        ("*given", False),
    ],
)
def test_functional_dropout_needs_training(imports: str, name: str, arguments: str, wrong: bool) -> None:
    text = f"{imports}\n\nclass A:\n    def forward(self, x):\n        return {name}({arguments})\n"
    assert lines(text) == ([5] if wrong else [])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)", True),
        ("F.scaled_dot_product_attention(q, k, v, None, 0.1)", True),
        ("F.scaled_dot_product_attention(q, k, v, dropout_p=0.0)", False),
        ("F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)", False),
        ("F.scaled_dot_product_attention(q, k, v, dropout_p=0.1 if self.training else 0.0)", False),
        ("F.scaled_dot_product_attention(q, k, v)", False),
        ("nn.Dropout(0.1)(x)", True),
        ("nn.Dropout(0.1)", False),
        ("self.dropout(x)", False),
        ("F.dropout(x, 0.1) if self.training else x", False),
        ("self.dropout(F.relu(x))", False),
        ("mine.dropout(x)", False),
        ("dropout(x)", False),
    ],
)
def test_other_ways_to_drop(text: str, wrong: bool) -> None:
    assert lines(f"import torch.nn.functional as F\nfrom torch import nn\nresult = {text}\n") == ([3] if wrong else [])


def test_what_stands_under_a_test_of_the_mode_follows_it() -> None:
    text = (
        "import torch.nn.functional as F\n\ndef f(self, x):\n    if {}:\n        x = F.dropout(x, 0.5)\n    return x\n"
    )
    assert lines(text.format("self.training and self.p")) == []
    assert lines(text.format("self.p > 0")) == [5]


def test_a_name_cannot_reach_the_terminal_raw() -> None:
    text = "import torch.nn.functional as F\nF.dropout('\x1b[31m')\n"
    assert all("\x1b" not in words for _, words in unfollowing(Source(Path("x.py"), text)))
