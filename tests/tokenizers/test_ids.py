from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from porting.errors import PortfileError
from porting.tokenizers.ids import as_ids


def encoding() -> Any:
    backend = Tokenizer(models.WordLevel({"a": 3, "b": 5}, unk_token="a"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return backend.encode("a b")


@pytest.mark.parametrize(
    "answer",
    [
        [3, 5],
        (3, 5),
        np.array([3, 5]),
        np.array([[3, 5]]),
        torch.tensor([[3, 5]]),
        {"input_ids": [[3, 5]]},
        encoding(),
    ],
    ids=["list", "tuple", "array", "row of an array", "row of a tensor", "batch encoding", "encoding"],
)
def test_ids_are_taken_out(answer: Any) -> None:
    assert as_ids(answer, "f()") == [3, 5]


@pytest.mark.parametrize(
    "answer", [[], np.array([], int), torch.zeros(1, 0), {"input_ids": []}], ids=["list", "array", "row", "dict"]
)
def test_no_ids_are_none(answer: Any) -> None:
    assert as_ids(answer, "f()") == []


@pytest.mark.parametrize("answer", ["35", b"35", None, 3, [3.5], ["a"], [True], [[3], [5]], {"ids": [3]}], ids=str)
def test_anything_else_is_refused(answer: Any) -> None:
    with pytest.raises(PortfileError, match=r"f\(\) must return a list of ids"):
        as_ids(answer, "f()")
