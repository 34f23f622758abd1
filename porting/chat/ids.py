"""The ids of prompts: what `apply_chat_template` gives, against its own text and against the original's tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from porting.chat.conversations import Conversation
from porting.chat.prompts import Prompt
from porting.chat.segments import MARKS
from porting.text import show

Tokenize = Callable[[str], list[int]]
CONTEXT = 4
"""Ids shown on each side of the first that differs."""


@dataclass(frozen=True, slots=True)
class IdDifference:
    """Ids of a prompt that are not what they should be.

    Attributes:
        kind: ``doubled``: the beginning token comes twice; ``missing``: not at all; ``other``: anything else.
        text: what differs, in a sentence.
        conversation: that shows it.
    """

    kind: Literal["doubled", "missing", "other"]
    text: str
    conversation: Conversation


def differing_ids(tokenizer: Any, prompts: Sequence[Prompt], tokenize: Tokenize | None) -> Iterator[IdDifference]:
    """Yield the prompts whose ids are wrong.

    Args:
        tokenizer: of Transformers, with a chat template.
        prompts: those on which both sides agree.
        tokenize: the original's tokenizer, where it gives control tokens one id each.
    """
    around = tokenize("") if tokenize else []
    for prompt in prompts:
        text = str(prompt.ported)
        found = chat_ids(tokenizer, prompt)
        encoded = _encoded(tokenizer, text)
        if found != encoded:
            yield _described(prompt, encoded, found, tokenizer, "encoding the text without adding special tokens")
        elif tokenize:
            expected = _without_second_beginning(tokenize(text), around[:1])
            if not _agree(expected, found, around):
                yield _described(prompt, expected, found, tokenizer, "the original's tokenizer")


def chat_ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """What `apply_chat_template` gives for a conversation, as ids."""
    ids = tokenizer.apply_chat_template(
        prompt.conversation.messages, tokenize=True, add_generation_prompt=prompt.generation, return_dict=False
    )
    return [int(number) for number in ids]


def split_tokens(tokenizer: Any, prompts: Sequence[Prompt], tokenize: Tokenize | None) -> dict[str, list[int]]:
    """The control tokens in some prompts that do not become one id, and what they become.

    A control token is a special token of the tokenizer; any other stretch counts if the original has one id for it.

    Args:
        tokenizer: of Transformers.
        prompts: texts to look into.
        tokenize: the original's tokenizer.
    """
    texts = [str(prompt.ported) for prompt in prompts]
    special = [token for token in tokenizer.all_special_tokens if any(token in text for text in texts)]
    split = {}
    for token in dict.fromkeys((*special, *_looking_special(texts))):
        ids = _encoded(tokenizer, token)
        known = token in special or (tokenize is not None and len(_bare(tokenize, token)) == 1)
        if known and len(ids) != 1:
            split[token] = ids
    return split


def takes_control_tokens(tokenizer: Any, prompts: Sequence[Prompt], tokenize: Tokenize) -> bool:
    """Whether the original's tokenizer reads the special tokens in a text as such.

    It does if one of them becomes a single id there, or if there are none in these prompts.
    """
    texts = [str(prompt.ported) for prompt in prompts]
    special = [token for token in tokenizer.all_special_tokens if any(token in text for text in texts)]
    return not special or any(len(_bare(tokenize, token)) == 1 for token in special)


def _looking_special(texts: Sequence[str]) -> list[str]:
    return sorted({mark for text in texts for mark in re.findall(MARKS, text)})


def _encoded(tokenizer: Any, text: str) -> list[int]:
    return [int(number) for number in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _bare(tokenize: Tokenize, text: str) -> list[int]:
    """The ids of a text without those that the original puts around every text."""
    around, ids = tokenize(""), tokenize(text)
    shared = 0
    while shared < min(len(around), len(ids)) and around[shared] == ids[shared]:
        shared += 1
    rest = len(around) - shared
    return ids[shared : len(ids) - rest] if around[shared:] == ids[len(ids) - rest :] else ids


def _without_second_beginning(ids: list[int], begins: list[int]) -> list[int]:
    """Without the beginning token that the original adds to a text that has it already."""
    return ids[1:] if begins and ids[:2] == begins * 2 else ids


def _agree(expected: list[int], found: list[int], around: list[int]) -> bool:
    """Whether ids are the same, up to what the original puts at the end of every text."""
    rest = expected[len(found) :]
    return expected[: len(found)] == found and (not rest or rest in [around[at:] for at in range(len(around))])


def _described(
    prompt: Prompt, expected: Sequence[int], found: Sequence[int], tokenizer: Any, source: str
) -> IdDifference:
    if list(found[1:]) == list(expected) and found[:1] == found[1:2]:
        text = f"the beginning token {_token(tokenizer, found[0])} comes twice"
        return IdDifference("doubled", text, prompt.conversation)
    if list(expected[1:]) == list(found):
        text = f"the beginning token {_token(tokenizer, expected[0])} of {source} is missing"
        return IdDifference("missing", text, prompt.conversation)
    pairs = enumerate(zip(expected, found, strict=False))
    place = next((at for at, (one, two) in pairs if one != two), min(len(expected), len(found)))
    near = slice(max(place - CONTEXT, 0), place + CONTEXT)
    text = f"at id {place}, {list(found[near])} are not those of {source}, {list(expected[near])}"
    return IdDifference("other", text, prompt.conversation)


def _token(tokenizer: Any, number: int) -> str:
    return f"{show(tokenizer.convert_ids_to_tokens(number), 60)} ({number})"
