"""Components that tokenizers are made of, as the JSON of a tokenizer file, and the split patterns of known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
PATTERNS: Mapping[str, str] = {
    "GPT-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "Qwen2": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "CLIP": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
}
"""Patterns that part a text into words before byte-level BPE, by the tokenizer that they come from."""

_BERT: State = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
_UNCASED: State = {**_BERT, "strip_accents": None, "lowercase": True}
_CASED: State = {**_BERT, "strip_accents": None, "lowercase": False}
_MARK = "\u2581"

NORMALIZERS: Mapping[str, Sequence[State]] = {
    "Lowercase": [{"type": "Lowercase"}],
    "StripAccents": [{"type": "NFD"}, {"type": "StripAccents"}],
    **{name: [{"type": name}] for name in ("NFC", "NFKC", "NFD", "NFKD", "Nmt")},
    "Nmt and NFKC": [{"type": "Nmt"}, {"type": "NFKC"}],
    "NFKC and Lowercase": [{"type": "NFKC"}, {"type": "Lowercase"}],
    "BertNormalizer(lowercase=True)": [_UNCASED],
    "BertNormalizer(lowercase=False)": [_CASED],
    "Strip": [{"type": "Strip", "strip_left": True, "strip_right": True}],
    "Strip(left=False)": [{"type": "Strip", "strip_left": False, "strip_right": True}],
    "runs of spaces as one": [{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}],
    "runs of whitespace as one space": [{"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}],
    "Prepend(space)": [{"type": "Prepend", "prepend": " "}],
    "Prepend(\u2581)": [{"type": "Prepend", "prepend": _MARK}],
    "Replace(space, \u2581)": [{"type": "Replace", "pattern": {"String": " "}, "content": _MARK}],
    "Prepend(\u2581) and Replace(space, \u2581)": [
        {"type": "Prepend", "prepend": _MARK},
        {"type": "Replace", "pattern": {"String": " "}, "content": _MARK},
    ],
}
"""Normalisers by name."""


def _digits(individual: bool) -> State:
    return {"type": "Digits", "individual_digits": individual}


def _metaspace(scheme: str, split: bool) -> State:
    return {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": scheme, "split": split}


PRE_TOKENIZERS: Mapping[str, Sequence[State]] = {
    "Digits(individual_digits=True)": [_digits(True)],
    "Digits(individual_digits=False)": [_digits(False)],
    "Split(three digits)": [
        {"type": "Split", "pattern": {"Regex": r"\p{N}{1,3}"}, "behavior": "Isolated", "invert": False}
    ],
    "Punctuation": [{"type": "Punctuation", "behavior": "Isolated"}],
    "Punctuation(Contiguous)": [{"type": "Punctuation", "behavior": "Contiguous"}],
    "WhitespaceSplit": [{"type": "WhitespaceSplit"}],
    "Whitespace": [{"type": "Whitespace"}],
    "BertPreTokenizer": [{"type": "BertPreTokenizer"}],
    "UnicodeScripts": [{"type": "UnicodeScripts"}],
    "Split(CJK)": [
        {
            "type": "Split",
            "pattern": {"Regex": r"[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff]"},
            "behavior": "Isolated",
            "invert": False,
        }
    ],
    "Split(newlines)": [{"type": "Split", "pattern": {"String": "\n"}, "behavior": "Isolated", "invert": False}],
}
"""Pre-tokenizers that may be added to others, by name."""

WHOLE: Mapping[str, Sequence[State]] = {
    "BertPreTokenizer": [{"type": "BertPreTokenizer"}],
    "Whitespace": [{"type": "Whitespace"}],
    "WhitespaceSplit": [{"type": "WhitespaceSplit"}],
    **{
        f"Metaspace(prepend_scheme={scheme}, split={split})": [_metaspace(scheme, split)]
        for scheme in ("always", "first", "never")
        for split in (True, False)
    },
    "WhitespaceSplit and Metaspace": [{"type": "WhitespaceSplit"}, _metaspace("always", True)],
}
"""Pre-tokenizers to have instead of all others, by name."""


def byte_level(pattern: str, *, prefix: bool) -> list[State]:
    """A split by a pattern, then bytes as characters."""
    return [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": False},
    ]
