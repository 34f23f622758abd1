"""Unigram of SentencePiece, trained here, against T5's tokenizer of Transformers."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizing import (
    Bug,
    in_file,
    normalizer_map,
    parity_under,
    pieces,
    require_found,
    sentencepiece_model,
    with_stage,
)

from porting.tokenizers import compare_tokenizers

IDS = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}


def original(text: str) -> list[int]:
    model = sentencepiece_model("unigram", **IDS)
    return [*model.encode(text), model.eos_id()]


def port(*, with_map: bool = True) -> Any:
    from transformers import T5Tokenizer

    model = sentencepiece_model("unigram", **IDS)
    compiled = normalizer_map(model) if with_map else None
    return T5Tokenizer(vocab=pieces(model), _spm_precompiled_charsmap=compiled, extra_ids=0)


def split_by(*stages: Any) -> Any:
    return with_stage("pre_tokenizer", pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), *stages]))


def metaspace(scheme: str) -> Any:
    return pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=scheme)


def then(normalizer: Any) -> Any:
    def damage(backend: Tokenizer) -> None:
        backend.normalizer = normalizers.Sequence([backend.normalizer, normalizer])

    return damage


def exchange(data: dict[str, Any]) -> None:
    entries = data["model"]["vocab"]
    one, other = [at for at, (piece, _) in enumerate(entries) if len(piece) > 1 and piece.isalpha()][:2]
    entries[one][0], entries[other][0] = entries[other][0], entries[one][0]


def equal_scores(data: dict[str, Any]) -> None:
    data["model"]["vocab"] = [[piece, -1.0 - at % 3] for at, (piece, _) in enumerate(data["model"]["vocab"])]


BUGS = (
    Bug("lower case", ("normalise",), then(normalizers.Lowercase())),
    Bug("decomposed", ("normalise",), then(normalizers.NFD())),
    Bug("no normaliser", ("normalise",), with_stage("normalizer", None), proven=False),
    Bug("no prefix", ("pre-tokenise",), split_by(metaspace("never"))),
    Bug("prefix for the first word only", ("pre-tokenise",), split_by(metaspace("first"))),
    Bug("punctuation split", ("pre-tokenise",), split_by(pre_tokenizers.Punctuation(), metaspace("always"))),
    Bug("digits split", ("pre-tokenise",), split_by(pre_tokenizers.Digits(True), metaspace("always"))),
    Bug("scores lost", ("merge",), in_file(equal_scores), proven=False),
    Bug("two pieces exchanged", ("vocabulary",), in_file(exchange)),
    Bug("no end", ("special tokens",), with_stage("post_processor", processors.TemplateProcessing(single="$A"))),
)


def test_the_port_of_transformers_gives_the_same_ids() -> None:
    parity = compare_tokenizers(original, port())
    assert parity.ok, parity.failure_message()
    assert parity.total("skipped") == 0
    assert {each.category for each in parity.noted} >= {"control tokens"}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found_and_its_stage_named(bug: Bug) -> None:
    special = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    require_found(parity_under(original, port().backend_tokenizer, bug, **special), bug)


def test_what_mends_most_is_named_where_nothing_mends_all() -> None:
    parity = compare_tokenizers(original, port(with_map=False))
    assert parity.stage == "normalise"
    assert parity.repair.startswith("not proven: ")
    assert "NFKC" in parity.repair
