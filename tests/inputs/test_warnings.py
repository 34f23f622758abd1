from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from blindness import HEADS, Decoder, Pooled, Seer, ids, padded
from torch import nn

from porting import verify
from porting.inputs import CODES
from porting.verification import Verification

Model = nn.Module


def warned(verification: Verification) -> dict[str, str]:
    return dict(verification.warnings)


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


FULL = torch.ones(2, 8, dtype=torch.long)
WINDOW = {"sliding_window": 8}
DYNAMIC = {"rope_parameters": {"rope_type": "dynamic", "original_max_position_embeddings": 16}}
HEADS_ALIKE = {"num_attention_heads": HEADS, "num_key_value_heads": HEADS}
CASES: dict[str, tuple[Model, Model, dict[str, Any], str]] = {
    "causal mask, constant tokens": (
        Decoder(),
        Decoder(causal=False),
        {"input_ids": torch.full((2, 8), 5), "attention_mask": FULL},
        "constant-input",
    ),
    "padding mask ignored, no padding": (
        Decoder(),
        Decoder(padding=False),
        {"input_ids": ids(2, 8), "attention_mask": FULL},
        "no-padding",
    ),
    "padding mask ignored, no mask": (Decoder(), Decoder(padding=False), {"input_ids": ids(2, 8)}, "no-padding"),
    "window missing, short": (Decoder(window=8), Decoder(config=WINDOW), padded(2, 8), "short-sequence"),
    "dynamic scaling missing, short": (Decoder(start=16), Decoder(config=DYNAMIC), padded(2, 16), "unscaled-rotation"),
    "rotation of the other pairs, one token": (
        Decoder(),
        Decoder(rotate="pairs"),
        {"input_ids": ids(2, 1), "attention_mask": FULL[:, :1]},
        "one-position",
    ),
    "repeated in the other order, no shared heads": (
        Decoder(),
        Decoder(shared=-HEADS, config=HEADS_ALIKE),
        padded(2, 8),
        "key-value-heads",
    ),
    "masked mean ignored, equal lengths": (
        Pooled(),
        Pooled(masked=False),
        {"input_ids": ids(2, 8), "attention_mask": FULL},
        "no-padding",
    ),
    "channels exchanged, gray": (
        Seer(),
        Seer(exchanged=True),
        {"pixel_values": image(2, 1, 9, 12).expand(-1, 3, -1, -1).clone()},
        "gray-image",
    ),
    "padded as TensorFlow does, odd size": (
        Seer(),
        Seer(same=True),
        {"pixel_values": image(2, 3, 9, 11)},
        "same-padding",
    ),
}
SEEING: dict[str, dict[str, Any]] = {
    "causal mask, constant tokens": padded(2, 8),
    "padding mask ignored, no padding": padded(3, 8),
    "padding mask ignored, no mask": padded(3, 8),
    "window missing, short": padded(2, 12),
    "dynamic scaling missing, short": padded(2, 24),
    "rotation of the other pairs, one token": padded(2, 8),
    "masked mean ignored, equal lengths": padded(2, 8),
    "channels exchanged, gray": {"pixel_values": image(2, 3, 9, 12)},
    "padded as TensorFlow does, odd size": {"pixel_values": image(2, 3, 8, 12)},
}


@pytest.mark.parametrize("case", CASES)
def test_inputs_that_cannot_see_a_bug_say_so(case: str) -> None:
    original, ported, inputs, code = CASES[case]
    if case == "repeated in the other order, no shared heads":
        original.load_state_dict(ported.state_dict())
    verification = verify(original, ported, inputs)
    numbers = verification.comparison.outputs[0].numbers
    if case.startswith(("causal", "padding", "masked")):
        assert numbers.max_abs < 1e-5  # blind indeed
    assert numbers.allclose
    assert code in warned(verification)


@pytest.mark.parametrize("case", SEEING)
def test_inputs_that_see_it_do_not_warn_and_find_it(case: str) -> None:
    original, ported, _, code = CASES[case]
    verification = verify(original, ported, SEEING[case])
    assert code not in warned(verification)
    assert verification.verdict in ("mismatch", "suspicious")


def test_good_inputs_bring_no_warning() -> None:
    config = {"sliding_window": 8, "num_attention_heads": 4, "num_key_value_heads": 2}
    assert verify(Decoder(), Decoder(config=config), padded(2, 12)).warnings == ()


def test_windows_of_other_senses_and_counts_are_no_limits() -> None:
    config = {"vision_config": {"window_size": 900}, "max_window_layers": 900, "layer_types": ["full_attention"] * 2}
    other = {"sliding_window": 900, **config}
    assert "short-sequence" not in warned(verify(Decoder(), Decoder(config=other), padded(2, 8)))
    sliding = {**other, "layer_types": ["full_attention", "sliding_attention"]}
    text = warned(verify(Decoder(), Decoder(config=sliding), padded(2, 8)))["short-sequence"]
    assert "sliding_window = 900" in text
    assert "901 positions" in text


def test_rows_and_tokens_that_say_little_are_named() -> None:
    same = warned(verify(Decoder(), Decoder(), {"input_ids": ids(1, 8).repeat(2, 1), "attention_mask": FULL}))
    assert "equal-rows" in same
    tokens = torch.tensor([[5, 6, 7, 5, 5, 5, 5, 5], [8, 9, 8, 8, 8, 8, 8, 8]])
    assert "repeated-tokens" in warned(verify(Decoder(), Decoder(), {"input_ids": tokens, "attention_mask": FULL}))
    mask = FULL.clone()
    mask[:, -2:] = 0
    assert "equal-lengths" in warned(verify(Pooled(), Pooled(), {"input_ids": ids(2, 8), "attention_mask": mask}))


def test_experts_that_are_all_chosen_are_named() -> None:
    all_of_them = {"num_local_experts": 4, "num_experts_per_tok": 4}
    assert "all-experts" in warned(verify(Decoder(), Decoder(config=all_of_them), padded(2, 8)))
    some = {"num_local_experts": 4, "num_experts_per_tok": 2}
    assert "all-experts" not in warned(verify(Decoder(), Decoder(config=some), padded(2, 8)))


@pytest.mark.parametrize(
    ("module", "scale", "code"),
    [(nn.Sigmoid(), 1e3, "saturated-activations"), (nn.Hardtanh(3, 4), 1, "constant-activations")],
)
def test_results_without_information_are_named(module: nn.Module, scale: float, code: str) -> None:
    model = nn.Sequential(nn.Linear(8, 8), module)
    inputs = (scale * image(4, 8),)
    assert code in warned(verify(model, model, inputs))
    assert not {"saturated-activations", "constant-activations"} & set(warned(verify(model[0], model[0], inputs)))


def test_weights_without_information_are_named() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.lora_a, self.lora_b = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(2, 8, bias=False)
            self.norm, self.batch_norm = nn.LayerNorm(8), nn.BatchNorm1d(8)
            nn.init.zeros_(self.lora_b.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.batch_norm(self.norm(self.a(x) + self.lora_b(self.lora_a(x))))
            return result

    model = Model().eval()
    found = warned(verify(model, model, (image(4, 8),)))
    assert "first: norm.weight" in found["constant-weights"]
    assert "first: lora_b.weight" in found["zero-weights"]
    assert "first: batch_norm" in found["batch-norm-initial"]
    with torch.no_grad():
        for tensor in (*model.parameters(), model.batch_norm.running_mean, model.batch_norm.running_var):
            assert isinstance(tensor, torch.Tensor)
            tensor.uniform_(0.5, 1.5)
    assert not {"constant-weights", "zero-weights", "batch-norm-initial"} & set(
        warned(verify(model, model, (image(4, 8),)))
    )


def test_images_of_one_size_and_a_loss_alone_are_named() -> None:
    native = Seer()
    vars(native)["config"] = SimpleNamespace(image_size=8)
    assert "native-size" in warned(verify(Seer(), native, {"pixel_values": image(2, 3, 8, 8)}))
    assert "square-image" in warned(verify(Seer(), Seer(), {"pixel_values": image(2, 3, 8, 8)}))

    class Loss(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).square().mean()

    assert "loss-only" in warned(verify(Loss(8, 8), Loss(8, 8), (image(4, 8),)))


def test_a_guidance_that_does_nothing_is_named() -> None:
    class Guided(nn.Linear):
        def forward(self, x: torch.Tensor, guidance_scale: float = 7.5) -> torch.Tensor:
            return super().forward(x) * guidance_scale

    model = Guided(8, 8)
    assert "guidance-of-one" in warned(verify(model, model, {"x": image(4, 8), "guidance_scale": 1.0}))
    assert "guidance-of-one" not in warned(verify(model, model, {"x": image(4, 8), "guidance_scale": 7.5}))


def test_every_code_is_documented_and_kebab_case() -> None:
    assert all(code == code.lower() and "_" not in code and " " not in code for code in CODES)
    page = (Path(__file__).parents[2] / "docs" / "warnings.md").read_text()
    assert {code for code in CODES if f"| `{code}` | {CODES[code]} |" in page} == set(CODES)
