from __future__ import annotations

import pytest
import torch
from blindness import padded

from porting import Inputs
from porting.probes.deriving import Underivable, derive, source_of

GIVEN = padded(2, 8)
MADE = padded(3, 12)
MASK, NEW = GIVEN["attention_mask"], MADE["attention_mask"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MASK, NEW),
        (MASK.bool(), NEW.bool()),
        (MASK == 0, NEW == 0),
        (MASK.float().T, NEW.float().T),
        (MASK[:, None, None], NEW[:, None, None]),
        (MASK.sum(1), NEW.sum(1)),
        (torch.arange(8), torch.arange(12)),
        (torch.arange(8)[None], torch.arange(12)[None]),
        (torch.zeros(2, 8), torch.zeros(3, 12)),
    ],
)
def test_a_tensor_of_the_originals_is_made_as_the_given_one_is(value: torch.Tensor, expected: torch.Tensor) -> None:
    made = derive(Inputs((value, "kept")), GIVEN, MADE, set())
    assert torch.equal(made.args[0], expected)
    assert made.args[0].dtype == value.dtype
    assert made.args[1] == "kept"


def test_of_several_equal_tensors_that_of_the_same_name_is_taken() -> None:
    tensors = {"other": MASK, "mine": MASK.clone()}
    found = source_of("mine", MASK, tensors)
    assert found is not None
    assert found[0] == "mine"


def test_what_was_added_for_the_port_is_added_for_the_original() -> None:
    given = {"input_ids": GIVEN["input_ids"]}
    made = derive(Inputs((), given), given, MADE, {"attention_mask"})
    assert torch.equal(made.kwargs["attention_mask"], NEW)


def test_what_is_none_of_the_ports_is_refused() -> None:
    with pytest.raises(Underivable, match="noise"):
        derive(Inputs((), {"noise": torch.randn(2, 8)}), GIVEN, MADE, set())
    with pytest.raises(Underivable, match="cache"):
        derive(Inputs((), {"cache": [torch.randn(2, 8)]}), GIVEN, MADE, set())
