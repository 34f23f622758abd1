"""What can be tried on a tokenizer whose stages cannot be seen: another text goes in, other ids come out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

from porting.tokenizers.bank import Repair, describe_added, describe_numbers
from porting.tokenizers.comparing import Compared, Pair
from porting.tokenizers.exchanged import Ids, renamed
from porting.tokenizers.sides import PortedTokenizer, ask
from porting.tokenizers.stages import Stage

Encode = Callable[[str], Ids | None]


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def _form(name: str) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(name, text)  # type: ignore[arg-type]


TEXTS: Mapping[str, tuple[Stage, Callable[[str], str]]] = {
    "lower case": ("normalise", str.lower),
    "no accents": ("normalise", _without_accents),
    "lower case and no accents": ("normalise", lambda text: _without_accents(text.lower())),
    **{name: ("normalise", _form(name)) for name in ("NFC", "NFD", "NFKC", "NFKD")},
    "no whitespace at the ends": ("normalise", str.strip),
    "runs of spaces as one": ("normalise", lambda text: re.sub(" {2,}", " ", text)),
    "spaces around CJK characters": (
        "normalise",
        lambda text: re.sub("([\u3400-\u9fff\uf900-\ufaff])", r" \1 ", text),
    ),
    "spaces around digits": ("pre-tokenise", lambda text: re.sub(r"(\d)", r" \1 ", text)),
    "a space before the text": ("pre-tokenise", lambda text: f" {text}"),
}
"""Changes to a text before the port gets it, with the stage that they stand for."""


def outside_repairs(
    ported: PortedTokenizer, compared: Compared, numbers: Mapping[int, int]
) -> Iterator[tuple[Repair, Encode]]:
    """Each change with the ids that the port then gives for a text.

    Args:
        ported: the port, asked as it is.
        compared: both sides on the corpus.
        numbers: the port's ids that the original numbers otherwise.
    """
    ask_port = ported.encode if compared.special else ported.encode_plain
    encode: Encode = lambda text: ask(ask_port, text).ids  # noqa: E731 - one line in each way below
    before, after = compared.original_added.before, compared.original_added.after

    def readded(text: str) -> Ids | None:
        ids = encode(text)
        return None if ids is None else (*before, *compared.ported_added.without(ids), *after)

    def renumbered(text: str) -> Ids | None:
        ids = encode(text)
        return None if ids is None else renamed(ids, numbers)

    if compared.original_added != compared.ported_added:
        yield _repair("special tokens", describe_added(ported, compared.original_added)), readded
    if numbers:
        yield _repair("vocabulary", describe_numbers(ported, numbers)), renumbered
    control = re.compile(f"({'|'.join(re.escape(token) for token in ported.control_tokens) or '(?!)'})")
    for name, (stage, change) in TEXTS.items():
        yield _repair(stage, f"{name}, before the tokenizer"), _changed(encode, control, change)


def mended(encode: Encode, pairs: Sequence[Pair]) -> int:
    """How many pairs agree when the port gives these ids."""
    return sum(encode(pair.sample.text) == pair.original.ids for pair in pairs)


def _repair(stage: Stage, summary: str) -> Repair:
    return Repair(stage, summary, lambda tokenizer: tokenizer)


def _changed(encode: Encode, control: re.Pattern[str], change: Callable[[str], str]) -> Encode:
    """The ids of a text that is changed but for its control tokens."""

    def encoded(text: str) -> Ids | None:
        return encode("".join(part if at % 2 else change(part) for at, part in enumerate(control.split(text))))

    return encoded
