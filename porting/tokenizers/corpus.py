"""The texts on which two tokenizers are held against each other: hard ones by category, and those of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.text import show
from porting.tokenizers.strings import FAMILIES, HARD, OTHER_TOKENS

CONTROL, GLUED, OTHERS, OWN = (
    "control tokens",
    "control tokens within words",
    "control tokens of others",
    "your own",
)
NOTED: Mapping[str, str] = {
    GLUED: "where a control token is found within a word is the library's own rule",
    "unassigned": "what becomes of unassigned characters depends on the library's Unicode version",
    "stacked marks": "libraries compose stacked marks, jamo and half-width marks differently",
    "context-dependent": "libraries differ in final sigma and in whether U+0085 and U+001C are spaces",
}
"""Categories in which right ports differ as the libraries do, and why: differences are told, and fail nothing."""
SIZES = (1_000, 10_000, 100_000)
MOST_CONTROL_TOKENS = 24
LARGEST_FILE = 16 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One text of the corpus.

    Attributes:
        category: what makes it hard.
        text: what both sides tokenize.
        family: texts of one family are the same at other lengths; empty for most.
    """

    category: str
    text: str
    family: str = ""


def build_corpus(
    control_tokens: Sequence[str] = (), own: Sequence[Sample] = (), vocabulary: Sequence[Sample] = ()
) -> list[Sample]:
    """The whole corpus: the user's own texts first, then the hard ones in turn by category, the long ones last.

    Args:
        control_tokens: special tokens of the port, as they are written in a text.
        own: more texts.
        vocabulary: texts from the port's vocabulary, see `porting.tokenizers.vocabulary`.
    """
    by_category = [[Sample(category, text) for text in texts] for category, texts in HARD.items()]
    others = [Sample(OTHERS, text) for text in OTHER_TOKENS if text not in control_tokens]
    by_category += [others, list(_with_control_tokens(control_tokens)), list(_glued(control_tokens))]
    in_turn = [each for row in zip_longest(*by_category) for each in row if each is not None]
    return list(dict.fromkeys([*own, *in_turn, *vocabulary, *_long()]))


def samples_of_file(path: str | Path) -> list[Sample]:
    """A text file's lines as samples, without their line ends.

    Raises:
        PortfileError: it is missing, no regular file, too large or not UTF-8.
    """
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise PortfileError(f"{show(file)} is no file", hint="give a text file in UTF-8, a text a line")
        if file.stat().st_size > LARGEST_FILE:
            raise PortfileError(f"{show(file)} is larger than 16 MiB", hint="a few thousand lines are enough")
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise PortfileError(
            f"{show(file)} cannot be read: {show(error)}", hint="give a text file in UTF-8, a text a line"
        ) from None
    return [Sample(OWN, line.removesuffix("\r")) for line in lines if line]


def samples_of(value: Any) -> list[Sample]:
    """What ``tokenizer_corpus()`` returned: a list of texts, texts by category, or the path of a text file.

    Raises:
        PortfileError: it is something else.
    """
    if isinstance(value, (str, Path)):
        return samples_of_file(value)
    groups = value if isinstance(value, Mapping) else {OWN: value}
    samples = []
    for category, texts in groups.items():
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            raise PortfileError(
                "tokenizer_corpus() must return a list of texts, a dict of such lists by category, or a path, "
                f"and returned {kind_of(value)} with {kind_of(texts)}"
            )
        samples += [Sample(str(category), text) for text in texts]
    return samples


def _with_control_tokens(tokens: Sequence[str]) -> Iterator[Sample]:
    for token in tokens[:MOST_CONTROL_TOKENS]:
        yield Sample(CONTROL, token)
        yield Sample(CONTROL, f"one {token} two")
    for one, other in pairwise(tokens[:MOST_CONTROL_TOKENS]):
        yield Sample(CONTROL, f"{one} {other}")


def _glued(tokens: Sequence[str]) -> Iterator[Sample]:
    for token in tokens[:MOST_CONTROL_TOKENS]:
        yield Sample(GLUED, f"one{token}two")
        yield Sample(GLUED, f"{token}{token}")
        yield Sample(GLUED, f"one  {token}  two")


def _long() -> Iterator[Sample]:
    for size in SIZES:
        for family, unit in FAMILIES.items():
            if size < SIZES[-1] or family in ("words", "one word"):
                yield Sample("very long", (unit * (size // len(unit) + 1))[:size], family)
