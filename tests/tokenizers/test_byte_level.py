"""Byte-level BPE of openai-whisper's files: tiktoken against what Transformers makes of the ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizing import (
    Bug,
    byte_level_backend,
    byte_level_original,
    exchange_ids,
    in_file,
    parity_under,
    ranks,
    require_found,
    with_stage,
)

from porting.tokenizers import compare_tokenizers

FEW = 6000
"""Of the ranks of GPT-2: enough for merges to compete, and quick."""
END = "<|endoftext|>"


def original(text: str) -> list[int]:
    ids: list[int] = byte_level_original("gpt2", FEW).encode(text, allowed_special="all")
    return ids


def ended(text: str) -> list[int]:
    return [*original(text), len(ranks("gpt2", FEW))]


def split_by(*stages: Any) -> Any:
    return with_stage("pre_tokenizer", pre_tokenizers.Sequence(list(stages)))


def byte_level(**settings: Any) -> Any:
    return pre_tokenizers.ByteLevel(**{"add_prefix_space": False, "use_regex": True, **settings})


def merges(change: Any) -> Any:
    def damage(data: dict[str, Any]) -> None:
        data["model"]["ignore_merges"] = False
        data["model"]["merges"] = change(data["model"]["merges"])

    return in_file(damage)


CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BUGS = (
    Bug("NFC too much", ("normalise",), with_stage("normalizer", normalizers.NFC())),
    Bug("lower case", ("normalise",), with_stage("normalizer", normalizers.Lowercase())),
    Bug("prefix space", ("pre-tokenise",), split_by(byte_level(add_prefix_space=True))),
    Bug("no pattern", ("pre-tokenise",), split_by(byte_level(use_regex=False))),
    Bug("pattern of another model", ("pre-tokenise",), split_by(
        pre_tokenizers.Split(Regex(CL100K), "isolated"), byte_level(use_regex=False))),
    Bug("single digits", ("pre-tokenise",), split_by(pre_tokenizers.Digits(individual_digits=True), byte_level())),
    Bug("spaces lost", ("pre-tokenise",), split_by(pre_tokenizers.WhitespaceSplit(), byte_level())),
    Bug("merges in wrong order", ("merge",), merges(lambda found: found[::-1])),
    Bug("merges lost", ("merge",), merges(lambda found: found[:2000])),
    Bug("two ids exchanged", ("vocabulary",), exchange_ids("Ġthe", "Ġand")),
    Bug("special token unknown", ("special tokens",), in_file(lambda data: data.update(added_tokens=[]))),
)  # fmt: skip


@pytest.fixture(scope="module")
def backend() -> Tokenizer:
    return byte_level_backend("gpt2", FEW)


@pytest.mark.parametrize("name", ["gpt2", "multilingual"])
def test_the_port_of_transformers_gives_the_same_ids(name: str) -> None:
    encoding = byte_level_original(name)
    parity = parity_under(lambda text: encoding.encode(text, allowed_special="all"), byte_level_backend(name), None)
    assert parity.ok, parity.failure_message()
    assert parity.compared > 1000
    assert parity.total("skipped") == 0


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found_and_its_stage_named(bug: Bug, backend: Tokenizer) -> None:
    require_found(parity_under(original, backend, bug), bug)


def test_a_missing_end_is_found(backend: Tokenizer) -> None:
    bug = Bug("no end", ("special tokens",), lambda _: None)
    parity = parity_under(ended, backend, bug, eos_token=END)
    require_found(parity, bug)
    assert parity.added == (f"… {END}", "")


def test_a_port_that_adds_what_the_original_leaves_to_its_caller_is_compared_without(backend: Tokenizer) -> None:
    number = len(ranks("gpt2", FEW))
    template = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, number)])
    parity = parity_under(original, backend, Bug("end", (), with_stage("post_processor", template)), eos_token=END)
    assert parity.ok
    assert (parity.special, parity.added) == (False, ("", f"… {END}"))


@pytest.mark.parametrize(
    "wrap",
    [np.array, torch.tensor, tuple, lambda ids: torch.tensor([ids]), lambda ids: {"input_ids": [ids]}],
    ids=["array", "tensor", "tuple", "batch of one", "dict"],
)
def test_ids_may_come_as(wrap: Any, backend: Tokenizer) -> None:
    parity = compare_tokenizers(lambda text: wrap([int(number) for number in original(text)]), backend)
    assert parity.ok


def test_an_original_that_never_reads_control_tokens_is_no_difference(backend: Tokenizer) -> None:
    encoding = byte_level_original("gpt2", FEW)
    parity = compare_tokenizers(encoding.encode_ordinary, backend)
    assert parity.ok
    assert "plain text" in parity.noted[0].reason


def test_texts_on_which_the_original_raises_are_counted(backend: Tokenizer) -> None:
    encoding = byte_level_original("gpt2", FEW)
    parity = compare_tokenizers(encoding.encode, backend)
    assert parity.ok
    assert parity.total("skipped") > 2
    assert sum(parity.skipped.values()) == parity.total("skipped")
    assert "disallowed special token" in next(iter(parity.skipped))
