from __future__ import annotations

import pytest
import torch

from porting.inputs.roles import takes_made_by

IDS = torch.tensor([[5, 7, 2], [8, 3, 0]])


@pytest.mark.parametrize(
    ("inputs", "tokenizer", "processor"),
    [
        ({"input_ids": IDS, "attention_mask": IDS.bool().long()}, True, False),
        ({"pixel_values": torch.rand(2, 3, 8, 8)}, False, True),
        ({"input_features": torch.rand(2, 80, 30), "decoder_input_ids": IDS}, True, True),
        ({"inputs_embeds": torch.rand(2, 3, 4), "attention_mask": torch.ones(2, 3).long()}, False, False),
    ],
)
def test_tokens_need_a_tokenizer_and_images_and_sounds_a_processor(
    inputs: dict[str, torch.Tensor], tokenizer: bool, processor: bool
) -> None:
    assert takes_made_by("tokenizer", inputs) == tokenizer
    assert takes_made_by("processor", inputs) == processor
