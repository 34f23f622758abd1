"""Texts that are padded, cut, masked and put in another order, with what lies beside them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from porting.behaviour import Material, Subject, Text, plain_text
from porting.behaviour.rows import batch_of, taken
from porting.behaviour.trials import part_of, row_of, rows_in_order
from porting.errors import PortfileError
from porting.runs import Inputs


class Reader(nn.Module):
    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = {"pad_token_id": 0, **config}
        self.embed = nn.Embedding(50, 4)

    def forward(self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None) -> Any:
        return self.embed(input_ids)


IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def _material(model: nn.Module | None = None, **inputs: torch.Tensor) -> Material:
    return Material.of(model or Reader(), Inputs(kwargs=inputs))


def test_a_text_is_padded_with_what_lies_beside_it() -> None:
    material = _material(input_ids=IDS, attention_mask=MASK, token_type_ids=torch.ones_like(IDS))
    text = Text.of(material)
    assert text is not None
    left = text.padded(material.found.tensors, 2, "left")
    assert left["input_ids"][0].tolist() == [0, 0, 5, 6, 7, 8, 9]
    assert left["attention_mask"][1].tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert left["token_type_ids"].shape == (2, 7)
    right = text.padded(material.found.tensors, 1, "right")
    assert right["attention_mask"][0].tolist() == [1, 1, 1, 1, 1, 0]


def test_a_mask_that_is_not_given_is_added() -> None:
    material = _material(input_ids=IDS)
    text = Text.of(material)
    assert text is not None
    assert text.mask == "attention_mask"
    assert text.padded(material.found.tensors, 1, "left")["attention_mask"].tolist() == [[0, 1, 1, 1, 1, 1]] * 2


def test_padding_is_taken_out_with_tokens_of_the_same_row() -> None:
    material = _material(input_ids=IDS, attention_mask=MASK)
    text, tensors = _plain(material, room=3, least=4)
    assert tensors["input_ids"][1].tolist() == [10, 11, 12, 12, 11]
    assert bool(tensors["attention_mask"].all())
    assert material.found.tensors["input_ids"][1].tolist() == [10, 11, 12, 0, 0]
    masked = text.masked(tensors, MASK.bool())
    assert text.overwritten(masked)["input_ids"][1].tolist() == [10, 11, 12, 12, 11]


def test_there_is_room_for_padding_or_a_reason() -> None:
    material = _material(Reader(max_position_embeddings=6), input_ids=IDS)
    text, tensors = _plain(material, room=2, least=4)
    assert text.length == 4
    assert tensors["input_ids"].shape == (2, 4)
    few = _material(Reader(max_position_embeddings=5), input_ids=IDS)
    assert plain_text(few, room=2, least=4) == "the config allows texts of 5 tokens only"
    assert plain_text(_material(hidden=torch.randn(2, 3, 4)), room=2, least=4) == "the port is given no text"


def test_a_short_text_is_made_longer() -> None:
    text, tensors = _plain(_material(input_ids=IDS[:, :1]), room=0, least=4)
    assert text.length == 8
    assert tensors["input_ids"].shape == (2, 8)


def test_a_row_is_found_in_what_came_for_its_batch() -> None:
    batch, alone = torch.arange(12.0).reshape(3, 4), torch.zeros(1, 4)
    pair = row_of(1, 3)(batch, alone)
    assert pair is not None
    assert pair[0].tolist() == [[4.0, 5.0, 6.0, 7.0]]
    flat = row_of(2, 3)(torch.arange(6.0)[:, None], torch.zeros(2, 1))
    assert flat is not None
    assert flat[0].flatten().tolist() == [4.0, 5.0]
    assert row_of(0, 3)(torch.tensor(1.0), torch.tensor(2.0)) is None
    assert rows_in_order([2, 1, 0])(torch.zeros(3, 3), torch.zeros(3, 3)) is None


@pytest.mark.parametrize(("whole", "count"), [(True, 2), (False, 1)])
def test_a_text_is_found_in_what_came_for_a_longer_one(whole: bool, count: int) -> None:
    match = part_of(4, 6, 2, whole=whole)
    tokens = match(torch.zeros(2, 4, 3), torch.arange(36.0).reshape(2, 6, 3))
    assert tokens is not None
    assert tokens[1][0, 0].tolist() == [6.0, 7.0, 8.0]
    pooled = match(torch.zeros(2, 3), torch.zeros(2, 3))
    assert sum(pair is not None for pair in (tokens, pooled)) == count
    assert match(torch.zeros(2, 4), torch.zeros(2, 5)) is None


def test_rows_are_taken_from_every_input_that_has_them() -> None:
    batch = {"a": torch.arange(6).reshape(3, 2), "labels": torch.arange(3), "positions": torch.zeros(1, 2)}
    rows = taken(batch, 3, [2, 0])
    assert rows["a"].tolist() == [[4, 5], [0, 1]]
    assert rows["labels"].tolist() == [2, 0]
    assert rows["positions"].shape == (1, 2)


def test_inputs_without_a_common_batch_axis_have_a_reason() -> None:
    def why(inputs: Inputs, valid_positions: Any = lambda _: None) -> str:
        subject = Subject("ported", Reader(), inputs, lambda model, given: given.forward(model), valid_positions)
        return batch_of(Material.of(subject.model, inputs), subject)[1]

    def only_two(inputs: Inputs) -> None:
        if len(inputs.kwargs["input_ids"]) != 1:
            raise PortfileError("valid_positions() raised IndexError")

    apart = {"pixel_values": torch.randn(3, 5, 5), "hidden": torch.randn(2, 5)}
    assert why(Inputs(kwargs=apart)) == "the inputs have no batch axis in common"
    nested = {"input_ids": IDS, "more": [torch.ones(2, 2)]}
    assert why(Inputs(kwargs=nested)) == "the input more holds tensors within it"
    assert why(Inputs(kwargs={"input_ids": IDS[:1]}), only_two) == "valid_positions() raised IndexError"


def _plain(material: Material, *, room: int, least: int) -> tuple[Text, dict[str, torch.Tensor]]:
    found = plain_text(material, room=room, least=least)
    assert not isinstance(found, str)
    return found
