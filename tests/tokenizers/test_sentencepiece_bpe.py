"""BPE of SentencePiece with bytes for unknown characters, trained here, against Llama's tokenizer of Transformers."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import normalizers, pre_tokenizers, processors
from tokenizing import Bug, in_file, parity_under, pieces, require_found, sentencepiece_model, with_stage

from porting.tokenizers import compare_tokenizers

SETTINGS: dict[str, Any] = {
    "vocab_size": 600, "byte_fallback": True, "split_digits": True, "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
}  # fmt: skip
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def original(text: str) -> list[int]:
    model = sentencepiece_model("bpe", **SETTINGS)
    return [model.bos_id(), *model.encode(text)]


def llama(**settings: Any) -> Any:
    from transformers import LlamaTokenizer
    from transformers.tokenization_utils_base import generate_merges

    vocabulary = {piece: at for at, (piece, _) in enumerate(pieces(sentencepiece_model("bpe", **SETTINGS)))}
    return LlamaTokenizer(vocab=vocabulary, merges=generate_merges(vocabulary), add_bos_token=True, **settings)


def port() -> Any:
    """With the normaliser of the original, which puts a mark before every text."""
    tokenizer = llama()
    backend = tokenizer.backend_tokenizer
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    backend.pre_tokenizer = None
    return tokenizer


def in_model(**settings: Any) -> Any:
    return in_file(lambda data: data["model"].update(settings))


BUGS = (
    Bug("bytes off", ("merge",), in_model(byte_fallback=False)),
    Bug("merges in the wrong order", ("merge",), in_file(
        lambda data: data["model"].update(merges=data["model"]["merges"][::-1]))),
    Bug("no prefix", ("normalise", "pre-tokenise"), with_stage("normalizer", normalizers.Replace(" ", "\u2581"))),
    Bug("line ends lost", ("pre-tokenise",), with_stage("pre_tokenizer", pre_tokenizers.WhitespaceSplit())),
    Bug("no beginning", ("special tokens",), with_stage(
        "post_processor", processors.TemplateProcessing(single="$A"))),
)  # fmt: skip


def test_a_port_with_the_originals_normaliser_gives_the_same_ids() -> None:
    parity = compare_tokenizers(original, port())
    assert parity.ok, parity.failure_message()
    assert parity.added == ("<s> …", "<s> …")


def test_the_mark_that_the_class_leaves_out_before_a_space_is_found() -> None:
    parity = compare_tokenizers(original, llama())
    assert parity.exit_code == 1
    assert parity.repair == "proven: Prepend(space)"
    assert {each.text[:1] for each in parity.differences} <= {" ", "\u2581"}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found_and_its_stage_named(bug: Bug) -> None:
    require_found(parity_under(original, port().backend_tokenizer, bug, **SPECIAL), bug)
