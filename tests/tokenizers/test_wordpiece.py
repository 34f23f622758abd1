"""MiniLM's WordPiece: the BERT tokenizer of 2019 against that of Transformers."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizing import (
    Bug,
    exchange_ids,
    in_file,
    parity_under,
    require_found,
    with_stage,
    with_template,
    wordpiece_folder,
    wordpiece_original,
)

from porting.tokenizers import compare_tokenizers

SPECIAL = {
    "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]",
}  # fmt: skip


def bert(**other: Any) -> Any:
    settings = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True, **other}
    return with_stage("normalizer", normalizers.BertNormalizer(**settings))


def in_model(**settings: Any) -> Any:
    return in_file(lambda data: data["model"].update(settings))


BUGS = (
    Bug("lowercase dropped", ("normalise",), bert(lowercase=False)),
    Bug("accents kept", ("normalise",), bert(strip_accents=False)),
    Bug("control characters kept", ("normalise",), bert(clean_text=False)),
    Bug("CJK not split", ("normalise", "pre-tokenise"), bert(handle_chinese_chars=False)),
    Bug("NFKC too much", ("normalise",), with_stage(
        "normalizer", normalizers.Sequence([normalizers.NFKC(), normalizers.BertNormalizer()]))),
    Bug("punctuation not split", ("pre-tokenise",), with_stage("pre_tokenizer", pre_tokenizers.WhitespaceSplit())),
    Bug("digits split", ("pre-tokenise",), with_stage("pre_tokenizer", pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]))),
    Bug("short words only", ("merge",), in_model(max_input_chars_per_word=10)),
    Bug("another unknown", ("vocabulary",), in_model(unk_token="[PAD]")),
    Bug("two ids exchanged", ("vocabulary",), exchange_ids("dog", "cat")),
    Bug("two rare ids exchanged", ("vocabulary",), exchange_ids("mississippi", "screenplay")),
    Bug("two continuations exchanged", ("vocabulary",), exchange_ids("##s", "##ing")),
    Bug("no [CLS]", ("special tokens",), with_template("$A [SEP]", SEP=102)),
    Bug("no [SEP]", ("special tokens",), with_template("[CLS] $A", CLS=101)),
    Bug("[SEP] and [CLS] exchanged", ("special tokens",), with_template("[SEP] $A [CLS]", CLS=101, SEP=102)),
)  # fmt: skip


@pytest.fixture(scope="module")
def backend() -> Tokenizer:
    found = Tokenizer.from_file(str(wordpiece_folder() / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


def test_the_port_of_transformers_gives_the_same_ids() -> None:
    from transformers import AutoTokenizer

    parity = compare_tokenizers(wordpiece_original(), AutoTokenizer.from_pretrained(wordpiece_folder()))
    assert parity.ok
    assert (parity.total("different"), parity.total("skipped"), parity.special) == (0, 0, True)
    assert parity.compared > 1000
    assert parity.added == ("[CLS] … [SEP]", "[CLS] … [SEP]")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found_and_its_stage_named(bug: Bug, backend: Tokenizer) -> None:
    require_found(parity_under(wordpiece_original(), backend, bug, **SPECIAL), bug)


def test_two_bugs_are_mended_together(backend: Tokenizer) -> None:
    def both(copied: Tokenizer) -> None:
        with_template("$A [SEP]", SEP=102)(copied)
        bert(lowercase=False)(copied)

    parity = parity_under(wordpiece_original(), backend, Bug("two", (), both), **SPECIAL)
    assert parity.proof is not None
    assert parity.proof.proven
    assert {repair.stage for repair in parity.proof.repairs} == {"special tokens", "normalise"}
    assert set(parity.stages) == {"special tokens", "normalise"}
