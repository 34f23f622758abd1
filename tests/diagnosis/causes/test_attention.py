from __future__ import annotations

from typing import Any

import pytest
import torch
from attending import HEADS, SIZE, WIDTH, Steps, found, verified
from torch import nn
from toys import make_inputs, make_pair

from porting import verify

ONE_WRONG: list[tuple[str, dict[str, Any]]] = [
    ("attention-scale", {"scale": WIDTH**-0.5}),
    ("attention-scale", {"scale": 1.0}),
    ("attention-scale", {"scale": 1.7 * SIZE**-0.5}),
    ("causal-mask", {"mask": "none"}),
    ("causal-mask", {"mask": "shifted"}),
    ("attention-window", {"mask": "window"}),
    ("attention-mask", {"padded": False}),
    ("attention-mask", {"closed": -2.0}),
    ("attention-mask", {"mask": "inverted"}),
    ("rope-layout", {"layout": "interleaved"}),
    ("rope-applied", {"turned": SIZE // 2}),
    ("rope-applied", {"turns": "keys back"}),
    ("rope-applied", {"turns": "queries"}),
    ("rope-applied", {"turns": "values"}),
    ("rope-applied", {"turns": "none"}),
    ("rope-theta", {"theta": 10000.0}),
    ("kv-repeat-order", {"repeat": "tile"}),
    ("head-reshape", {"split": "size"}),
    ("head-reshape", {"merge": "not transposed"}),
    ("qkv-order", {"order": "qvk"}),
    ("softmax-axis", {"axis": -2}),
    ("compute-dtype", {"dtype": torch.bfloat16}),
    ("softcap", {"cap": 3.0}),
    ("relative-bias", {"slopes": 1.0}),
]


@pytest.mark.parametrize(("code", "wrong"), ONE_WRONG, ids=lambda value: str(value))
def test_one_wrong_step_is_named_and_proven(code: str, wrong: dict[str, Any]) -> None:
    assert found(Steps(), **wrong)[0] == (code, True)


@pytest.mark.parametrize("kernel", ["fused", "einsum", "modules"])
@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("attention-scale", {"scale": 1.0}),
        ("causal-mask", {"mask": "none"}),
        ("rope-layout", {"layout": "interleaved"}),
        ("kv-repeat-order", {"repeat": "tile"}),
        ("head-reshape", {"merge": "not transposed"}),
    ],
)
def test_any_kernel_is_understood(kernel: str, code: str, wrong: dict[str, Any]) -> None:
    if (kernel, code) == ("modules", "kv-repeat-order"):
        pytest.skip("scores and result are wrong at once, and a softmax module lies between them")
    assert found(Steps(kernel=kernel), **wrong)[0] == (code, True)


@pytest.mark.parametrize(
    ("code", "original", "wrong"),
    [
        ("softcap", Steps(cap=2.0), {"cap": None}),
        ("softcap", Steps(cap=2.0), {"cap": 7.0}),
        ("relative-bias", Steps(slopes=1.0), {"slopes": 0.0}),
        ("relative-bias", Steps(slopes=1.0), {"slopes": -1.0}),
        ("relative-bias", Steps(slopes=1.0), {"slopes": 2.0}),
        ("missing-norm", Steps(normed=True), {"normed": False}),
        ("attention-window", Steps(mask="window"), {"mask": "causal"}),
        ("causal-mask", Steps(mask="none"), {"mask": "causal"}),
        ("rope-applied", Steps(turns="none"), {"turns": "both"}),
        ("rope-layout", Steps(layout="interleaved"), {"layout": "halves"}),
    ],
    ids=str,
)
def test_what_the_port_lacks_is_named_and_proven(code: str, original: Steps, wrong: dict[str, Any]) -> None:
    assert found(original, **wrong)[0] == (code, True)


def test_a_cause_says_what_both_sides_do() -> None:
    cause = verified(Steps(), Steps(scale=1.0)).culprits[0].causes[0]
    assert cause.summary == f"the attention scores are scaled by 1, the original's by {SIZE**-0.5:.6g}"
    assert "0.353553" in cause.fix


def test_heads_of_a_wrong_number_are_counted() -> None:
    original, ported = make_pair()
    attention: Any = ported.model.layers[1].self_attn

    def forward(hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, None]:
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        query, key, value = (p(hidden_states).unflatten(-1, (HEADS, -1)).transpose(1, 2) for p in projections)
        mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return attention.o_proj(mixed.transpose(1, 2).flatten(2)), None

    attention.forward = forward
    first, second = make_inputs()
    cause = verify(original, ported, second, original_inputs=first).culprits[0].causes[0]
    assert (cause.code, cause.verified) == ("head-count", True)
    assert "4 heads, the original's 3" in cause.summary


def test_a_softmax_module_along_another_axis_is_found_by_its_setting() -> None:
    original, ported = nn.Sequential(nn.Linear(6, 6), nn.Softmax(-1)), nn.Sequential(nn.Linear(6, 6), nn.Softmax(-2))
    ported[0].load_state_dict(original[0].state_dict())
    cause = verify(original, ported, ((torch.randn(2, 5, 6),))).culprits[0].causes[0]
    assert (cause.code, cause.verified) == ("softmax-axis", True)
    assert cause.summary == "the softmax runs along axis -2, the original's along axis -1"


def test_a_scaled_result_is_not_laid_to_the_attention() -> None:
    assert not [code for code, proven in found(Steps(), out=1.1) if proven and code.startswith(("attention", "rope"))]


def test_what_is_not_understood_of_the_scores_is_not_called_a_bias() -> None:
    causes = found(Steps(), curved=0.3)
    assert not [code for code, proven in causes if proven and code == "relative-bias"]


def test_two_wrong_steps_at_once_are_not_explained_by_one() -> None:
    assert not [code for code, proven in found(Steps(), scale=1.0, repeat="tile") if proven]


def test_the_port_is_left_as_it_was() -> None:
    original, ported = make_pair()
    attention: Any = ported.model.layers[1].self_attn
    attention.scaling *= 2
    first, second = make_inputs()
    before = ported(**second)["logits"]
    verify(original, ported, second, original_inputs=first)
    assert torch.equal(ported(**second)["logits"], before)
    assert "forward" not in vars(attention)
