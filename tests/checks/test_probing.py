"""What the given inputs do not reach: windows, longer texts, padding, images of other sizes."""

from __future__ import annotations

import pytest
import torch
from behaving import context_for, llama, said
from blindness import Decoder, Pooled, Seer, ids
from torch import nn


def _status(name: str, original: nn.Module, ported: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[str, str]:
    result = said(name, context_for(original, ported, inputs))
    return result.status, result.message


def test_right_ports_pass() -> None:
    context = llama()
    assert said("check_longer_sequences", context).status == "passed"
    assert set(said("check_other_inputs", context).figures) == {"batch_max_abs", "single-token_max_abs"}


def test_a_missing_window_is_found_past_it() -> None:
    ported = Decoder(config={"sliding_window": 8})
    status, message = _status("check_longer_sequences", Decoder(window=8), ported, {"input_ids": ids(2, 8)})
    assert status == "failed"
    assert "past the window of 8 the port is not the original" in message


def test_a_forgotten_mask_is_found_on_padded_rows() -> None:
    inputs = {"input_ids": ids(2, 8), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
    status, message = _status("check_padded_sequences", Pooled(), Pooled(masked=False), inputs)
    assert status == "failed"
    assert "padded on the right" in message


def test_an_order_of_axes_that_square_images_hide_is_found() -> None:
    inputs = {"pixel_values": torch.ones(2, 3, 9, 9)}
    status, _ = _status("check_other_inputs", Seer(), Seer(exchanged=True), inputs)
    assert status == "failed"


def test_an_output_of_another_shape_has_no_difference_that_is_a_number() -> None:
    class First(nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden)[:2]

    ported = First(3, 3).eval()
    original = nn.Linear(3, 3).eval()
    original.load_state_dict(ported.state_dict())
    inputs = torch.ones(2, 3)
    result = said("check_other_inputs", context_for(original, ported, {"hidden": inputs}, {"input": inputs}))
    assert result.status == "failed"
    assert "an output has another shape, or NaN or Inf at other places" in result.message
    assert "nan" not in result.message


@pytest.mark.parametrize(
    ("constant", "where"),
    [("ORIGINAL_TRACE", "is a recorded one"), ("ORIGINAL_PYTHON", "runs in another interpreter")],
)
@pytest.mark.parametrize("name", ["check_longer_sequences", "check_padded_sequences", "check_other_inputs"])
def test_where_the_original_is_not_live_a_person_is_told_what_to_do(name: str, constant: str, where: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3)).eval()
    result = said(name, context_for(model, model, {"input": torch.ones(2, 3)}, **{constant: "elsewhere"}))
    assert (result.lacking, where in result.message, constant in result.message) == (True, True, True)
    assert "by hand: porting verify --portfile of a copy" in result.message
    assert f"checklist --tick {name} --by NAME" in result.hint


def test_a_recorded_original_and_inputs_without_a_text_are_skipped() -> None:
    model = nn.Sequential(nn.Linear(3, 3)).eval()
    context = context_for(model, model, {"input": torch.ones(2, 3)}, ORIGINAL_TRACE="traces")
    assert said("check_longer_sequences", context).status == "skipped"
    assert said("check_padded_sequences", context_for(model, model, {"input": torch.ones(2, 3)})).status == "skipped"
