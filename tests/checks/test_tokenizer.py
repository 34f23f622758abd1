from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from porting.checks import CheckContext, CheckResult, iterate_checks, run_check
from porting.portfile import Portfile

WORDS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "the", "quick", "brown", "fox", "hello", "world", "a", "b", "##s", "##b"]
LETTERS = [chr(ord("a") + at) for at in range(2, 26)] + ["##" + chr(ord("a") + at) for at in range(26) if at != 1]


def tokenizer(**changes: Any) -> Any:
    """A small WordPiece tokenizer of Transformers."""
    from transformers import TokenizersBackend

    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys([*WORDS, *LETTERS]))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = changes.get("normalizer", normalizers.BertNormalizer())
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = changes.get("decoder", decoders.WordPiece())
    single = changes.get("single", "[CLS] $A [SEP]")
    pair = changes.get("pair", "[CLS] $A [SEP] $B [SEP]")
    special = [("[CLS]", 1), ("[SEP]", 2)]
    backend.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    backend.add_special_tokens([AddedToken(word, special=True) for word in WORDS[:4]])
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    made = changes.get("made", TokenizersBackend)
    return made(tokenizer_object=backend, **names)


def original_tokenize(text: str) -> list[int]:
    ids: list[int] = tokenizer_once()(text, verbose=False).input_ids
    return ids


ONCE: list[Any] = []


def tokenizer_once() -> Any:
    if not ONCE:
        ONCE.append(tokenizer())
    return ONCE[0]


@pytest.fixture
def results_of(tmp_path: Path) -> Callable[..., dict[str, CheckResult]]:
    """What the checks of step 9 say, by name, of a portfile with these functions and constants."""

    def results(**given: Any) -> dict[str, CheckResult]:
        functions = {name: value for name, value in given.items() if not name.isupper()}
        constants = {name: value for name, value in given.items() if name.isupper()}
        context = CheckContext(Portfile(tmp_path / "portfile.py", functions, constants))
        checks = [check for check in iterate_checks() if check.function.__module__ == "porting.checks.tokenizer"]
        return {check.name.removeprefix("check_"): run_check(check, context) for check in checks}

    return results


Results = Callable[..., dict[str, CheckResult]]


def test_a_right_tokenizer_passes_or_says_what_is_missing(results_of: Results) -> None:
    results = results_of(original_tokenize=original_tokenize, ported_tokenizer=tokenizer)
    said = {name: result.failure_message() for name, result in results.items() if not result.ok}
    assert said == {}
    skipped = {name for name, result in results.items() if result.status == "skipped"}
    assert skipped == {"slow_and_fast_agree", "vocabulary_fits_model"}
    assert results["token_ids_equal"].figures["compared_texts"] > 400  # type: ignore[operator]


def test_without_an_original_what_needs_none_is_checked(results_of: Results) -> None:
    results = results_of(ported_tokenizer=tokenizer)
    assert results["token_ids_equal"].message == "the portfile has no original_tokenize(text)"
    assert results["token_offsets"].status == results["decoding_round_trip"].status == "passed"


def test_a_port_of_images_needs_no_tokenizer_and_no_original_one(results_of: Results) -> None:
    results = results_of(inputs=lambda: {"pixel_values": torch.zeros(2, 3, 8, 8)})
    assert {result.status for result in results.values()} == {"skipped"}
    assert not any(result.lacking for result in results.values())
    results = results_of(inputs=lambda: {"input_ids": torch.ones(2, 8, dtype=torch.long)})
    assert results["token_ids_equal"].lacking


def test_without_a_tokenizer_all_is_skipped(results_of: Results) -> None:
    results = results_of(original_tokenize=original_tokenize)
    assert {result.status for result in results.values()} == {"skipped"}
    assert "ported_tokenizer" in results["token_offsets"].message


def test_ids_that_differ_name_stage_text_and_repair(results_of: Results) -> None:
    cased = normalizers.BertNormalizer(lowercase=False)
    results = results_of(original_tokenize=original_tokenize, ported_tokenizer=lambda: tokenizer(normalizer=cased))
    found = results["token_ids_equal"]
    assert found.status == "failed"
    assert (found.figures["stage"], found.figures["repair"]) == ("normalise", "proven: BertNormalizer(lowercase=True)")
    assert "The shortest text that still differs" in found.message
    assert found.hint.startswith("proven: BertNormalizer(lowercase=True); then: porting tokenizer")
    assert results["special_tokens_equal"].status == "passed"


def test_missing_special_tokens_are_named(results_of: Results) -> None:
    results = results_of(original_tokenize=original_tokenize, ported_tokenizer=lambda: tokenizer(single="$A [SEP]"))
    said = results["special_tokens_equal"].message
    assert said == "the original adds [CLS] … [SEP] to a text, and the port … [SEP]"


def test_an_original_that_adds_nothing_leaves_special_tokens_open(results_of: Results) -> None:
    results = results_of(original_tokenize=lambda text: original_tokenize(text)[1:-1], ported_tokenizer=tokenizer)
    assert results["token_ids_equal"].status == "passed"
    assert results["special_tokens_equal"].status == "skipped"
    assert "[CLS] … [SEP]" in results["special_tokens_equal"].message


def test_a_control_token_that_one_side_splits_is_named(results_of: Results) -> None:
    def unread(text: str) -> list[int]:
        return original_tokenize(text.replace("[SEP]", "s"))

    results = results_of(original_tokenize=unread, ported_tokenizer=tokenizer)
    assert results["special_tokens_equal"].status == "failed"
    assert "[SEP]" in results["special_tokens_equal"].message


def test_a_decoder_that_is_missing_is_found(results_of: Results) -> None:
    results = results_of(ported_tokenizer=lambda: tokenizer(decoder=decoders.Fuse()))
    assert results["decoding_round_trip"].status == "failed"
    assert "decodes to" in results["decoding_round_trip"].message


@pytest.mark.parametrize(("suffix", "status"), [("", "passed"), ("!", "failed")])
def test_decoding_is_held_against_the_originals(suffix: str, status: str, results_of: Results) -> None:
    def original_decode(ids: list[int]) -> str:
        return str(tokenizer_once().decode(ids, skip_special_tokens=True)) + suffix

    functions = {"original_tokenize": original_tokenize, "ported_tokenizer": tokenizer}
    assert results_of(**functions, original_decode=original_decode)["decoding_round_trip"].status == status


def test_a_stage_that_is_not_saved_is_found(results_of: Results) -> None:
    from transformers import BertTokenizer

    def edited() -> Any:
        made = BertTokenizer(vocab={piece: at for at, piece in enumerate(dict.fromkeys([*WORDS, *LETTERS]))})
        made.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        return made

    found = results_of(ported_tokenizer=edited)["tokenizer_saved_and_loaded"]
    assert found.status == "failed"
    assert "once saved and loaded" in found.message


def test_slow_and_fast_are_compared_where_there_are_both(results_of: Results) -> None:
    from transformers import BertTokenizer

    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(["[MASK]", *WORDS, *LETTERS]))}
    found = results_of(ported_tokenizer=lambda: BertTokenizer(vocab=vocabulary))["slow_and_fast_agree"]
    assert (found.status, found.message) == ("passed", "")


def test_a_pair_template_in_the_wrong_order_is_found(results_of: Results) -> None:
    found = results_of(ported_tokenizer=lambda: tokenizer(pair="[CLS] $B [SEP] $A"))["tokenizer_batches"]
    assert found.status == "failed"
    assert "in a pair" in found.message


def test_a_tokenizer_that_raises_in_a_batch_is_at_fault_and_not_the_check(results_of: Results) -> None:
    from transformers import TokenizersBackend

    class Alone(TokenizersBackend):  # type: ignore[misc]
        def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(text, list):
                raise IndexError("one text at a time")
            if text.startswith("the "):
                raise ValueError("not this one")
            return super().__call__(text, *args, **kwargs)

    found = results_of(ported_tokenizer=lambda: tokenizer(made=Alone))["tokenizer_batches"]
    assert found.status == "failed"
    assert "in a batch, with 7 others, the tokenizer raised IndexError: one text at a time" in found.message


def test_other_ids_in_a_batch_are_found_though_there_are_as_many(results_of: Results) -> None:
    from transformers import TokenizersBackend

    class Turned(TokenizersBackend):  # type: ignore[misc]
        def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
            encoded = super().__call__(text, *args, **kwargs)
            if isinstance(text, list):
                encoded["input_ids"] = [ids[::-1] for ids in encoded["input_ids"]]
            return encoded

    found = results_of(ported_tokenizer=lambda: tokenizer(made=Turned))["tokenizer_batches"]
    assert found.status == "failed"
    assert "has other ids in a batch than alone: [2, " in found.message


def test_offsets_that_point_elsewhere_are_found(results_of: Results) -> None:
    from transformers import TokenizersBackend

    class Shifted(TokenizersBackend):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            encoded = super().__call__(*args, **kwargs)
            if "offset_mapping" in encoded:
                encoded["offset_mapping"] = [(start + 1, end + 1) for start, end in encoded["offset_mapping"]]
            return encoded

    found = results_of(ported_tokenizer=lambda: tokenizer(made=Shifted))["token_offsets"]
    assert found.status == "failed"
    assert "offset" in found.message


Spans = list[tuple[int, int]]


def _shortened(spans: Spans) -> Spans:
    """Where two pieces of a word meet, the first one is a letter shorter."""
    ends = [end - (end in {start for start, _ in spans} and end - start > 1) for start, end in spans]
    starts = [start - (start - 1 in ends) for start, _ in spans]
    return list(zip(starts, ends, strict=True))


def _emptied(spans: Spans) -> Spans:
    return [(start, start) for start, _ in spans]


@pytest.mark.parametrize(
    ("change", "words"),
    [(_shortened, "and the id spells"), (_emptied, "lies in no offset")],
)
def test_offsets_within_the_text_that_leave_out_or_misplace_are_found(
    change: Callable[[Spans], Spans], words: str, results_of: Results
) -> None:
    from transformers import TokenizersBackend

    class Changed(TokenizersBackend):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            encoded = super().__call__(*args, **kwargs)
            if "offset_mapping" in encoded:
                plain = all(number != self.unk_token_id for number in encoded["input_ids"])
                spans = [(start, end) for start, end in encoded["offset_mapping"]]
                encoded["offset_mapping"] = change(spans) if plain == (change is _shortened) else spans
            return encoded

    found = results_of(ported_tokenizer=lambda: tokenizer(made=Changed))["token_offsets"]
    assert found.status == "failed"
    assert words in found.message


def test_special_tokens_that_decoding_leaves_behind_are_found(results_of: Results) -> None:
    from transformers import TokenizersBackend

    class Keeps(TokenizersBackend):  # type: ignore[misc]
        def decode(self, ids: Any, **kwargs: Any) -> Any:
            return super().decode(ids)

    found = results_of(ported_tokenizer=lambda: tokenizer(made=Keeps))["decoding_round_trip"]
    assert found.status == "failed"
    assert "with special tokens left out" in found.message


SIZE = len({*WORDS, *LETTERS})


@pytest.mark.parametrize(("rows", "status"), [(20, "failed"), (SIZE - 1, "failed"), (SIZE, "passed")])
def test_every_id_needs_a_row_of_the_embedding(rows: int, status: str, results_of: Results) -> None:
    from torch import nn

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(rows, 2)

        def get_input_embeddings(self) -> nn.Module:
            return self.words

    found = results_of(ported_tokenizer=tokenizer, ported=Model)["vocabulary_fits_model"]
    assert found.status == status
    assert found.figures["embedding_rows"] == rows


def test_an_original_that_always_raises_is_an_error(results_of: Results) -> None:
    def broken(text: str) -> list[int]:
        raise KeyError(text)

    given = {"original_tokenize": broken, "ported_tokenizer": tokenizer}
    found = results_of(**given)["token_ids_equal"]
    assert (found.status, found.exit_code) == ("error", 4)
    assert "original_tokenize() raised for each of" in found.message
    elsewhere = results_of(**given, ORIGINAL_PYTHON="/elsewhere/python")["token_ids_equal"]
    assert elsewhere.status == "skipped"
    assert "ORIGINAL_PYTHON" in elsewhere.message
    assert "subprocess" in elsewhere.hint


def test_an_original_that_returns_no_ids_is_an_error(results_of: Results) -> None:
    results = results_of(original_tokenize=lambda text: text.split(), ported_tokenizer=tokenizer)
    assert results["token_ids_equal"].status == "error"
    assert "must return a list of ids" in results["token_ids_equal"].message


def test_what_is_no_tokenizer_is_an_error(results_of: Results) -> None:
    found = results_of(original_tokenize=original_tokenize, ported_tokenizer=lambda: 3)["token_offsets"]
    assert found.status == "error"
    assert "ported_tokenizer() must return a tokenizer" in found.message


def test_a_port_that_raises_on_some_texts_differs_on_them(results_of: Results) -> None:
    class Raising:
        def encode(self, text: str) -> list[int]:
            if "fox" in text:
                raise ValueError("no foxes")
            return original_tokenize(text)

    found = results_of(original_tokenize=original_tokenize, ported_tokenizer=Raising)["token_ids_equal"]
    assert found.status == "failed"
    assert "no foxes" in found.message


def test_a_panic_on_some_texts_is_told_with_the_texts(results_of: Results) -> None:
    from transformers import TokenizersBackend

    class Panic(BaseException):
        """As the tokenizers library raises it."""

    class Panicking(TokenizersBackend):  # type: ignore[misc]
        def __call__(self, text: Any, *args: Any, **kwargs: Any) -> Any:
            if "fox" in str(text):
                raise Panic("over")
            return super().__call__(text, *args, **kwargs)

    port = tokenizer(made=Panicking)
    found = results_of(original_tokenize=original_tokenize, ported_tokenizer=lambda: port)
    assert "Panic: over" in found["token_ids_equal"].message
    assert "2 of " in found["tokenizer_batches"].message
