"""What differs between two builders of prompts: the smallest conversation that shows it, the place, and its kind.

Kinds are found by trial where that is possible: the builders are run on changed conversations (without surrounding
whitespace, with a system turn, with contents that occur nowhere else), and what then agrees tells what differed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from porting.chat.conversations import Conversation, Messages, sentinels
from porting.chat.prompts import Builder, Prompt
from porting.chat.segments import Control, Tokens, segment_difference
from porting.text import show

Kind = Literal["generation prompt", "system prompt", "trimming", "content", "order"] | Control
CONTEXT = 40
"""Characters shown on each side of the first difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of two prompts.

    Attributes:
        kind: of what differs.
        text: what differs, in a sentence.
        prompt: the smallest one that shows it.
        place: index of the first character that differs.
    """

    kind: Kind
    text: str
    prompt: Prompt
    place: int

    def context(self) -> tuple[str, str]:
        """Both texts around the place, made safe to show."""
        original, ported = str(self.prompt.original), str(self.prompt.ported)
        return _around(original, self.place), _around(ported, self.place)


@dataclass(frozen=True, slots=True)
class Builders:
    """Both sides, and how the tokenizer marks sequences."""

    original: Builder
    ported: Builder
    tokens: Tokens

    def prompt(self, messages: Messages, generation: bool, label: str) -> Prompt:
        """Both texts of a conversation."""
        return Prompt(
            Conversation(label, messages), generation, self.original(messages, generation),
            self.ported(messages, generation),
        )  # fmt: skip

    def differs(self, messages: Messages, generation: bool) -> bool:
        """Whether both write a text, and not the same."""
        prompt = self.prompt(messages, generation, "")
        return prompt.comparable and not prompt.equal

    def agree(self, messages: Messages, generation: bool) -> bool:
        """Whether both write the same text."""
        return self.prompt(messages, generation, "").equal


def explain(prompts: Sequence[Prompt], original: Builder, ported: Builder, tokens: Tokens) -> Difference:
    """Name what differs in the smallest of some prompts that differ.

    Args:
        prompts: of which at least one is comparable and not equal.
        original: the builder of the original's side.
        ported: the builder of the port's.
        tokens: the special tokens.
    """
    builders = Builders(original, ported, tokens)
    wrong = [prompt for prompt in prompts if prompt.comparable and not prompt.equal]
    smallest = min(wrong, key=lambda prompt: (prompt.conversation.size, prompt.generation))
    prompt = _shrunk(builders, smallest)
    for rule in RULES:
        for kind, text in rule(builders, prompt):
            return Difference(kind, text, prompt, first_difference(str(prompt.original), str(prompt.ported)))
    kind, text, found = _by_segments(builders, prompt)
    return Difference(kind, text, found, first_difference(str(found.original), str(found.ported)))


def first_difference(one: str, other: str) -> int:
    """Index of the first character that differs; the shorter length where one begins with the other."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


Found = Iterator[tuple[Kind, str]]


def _generation(builders: Builders, prompt: Prompt) -> Found:
    messages = prompt.conversation.messages
    plain, asked = (builders.prompt(messages, generation, "") for generation in (False, True))
    if not (plain.comparable and asked.comparable) or plain.equal == asked.equal:
        return
    if plain.equal:
        added = [
            _suffix(str(one), str(two))
            for one, two in ((plain.original, asked.original), (plain.ported, asked.ported))
        ]
        yield "generation prompt", f"the original adds {added[0]}, the port {added[1]}"
        return
    extra, more = _extra(plain), len(str(plain.ported)) > len(str(plain.original))
    kind: Kind = "eos" if extra.strip() == builders.tokens.eos else "generation prompt"
    yield kind, f"where none is asked for, {'the port' if more else 'the original'} alone writes {_quoted(extra)}"


def _default_system(builders: Builders, prompt: Prompt) -> Found:
    messages, generation = prompt.conversation.messages, prompt.generation
    if any(message["role"] == "system" for message in messages):
        return
    if builders.agree([{"role": "system", "content": "Q9Z"}, *messages], generation):
        original, ported = len(str(prompt.original)), len(str(prompt.ported))
        does = "writes one that the original does not" if ported > original else "does not write the original's"
        if original == ported:
            does = "writes another one"
        yield "system prompt", f"where a conversation has no system turn, the port {does}: {_quoted(_extra(prompt))}"


def _trimming(builders: Builders, prompt: Prompt) -> Found:
    messages = prompt.conversation.messages
    roles = {each["role"] for each in messages if isinstance(each["content"], str)}
    padded = [role for role in sorted(roles) if _stripped(messages, role) != messages]
    for chosen in (*([role] for role in padded), padded):
        stripped = messages
        for role in chosen:
            stripped = _stripped(stripped, role)
        if stripped != messages and builders.agree(stripped, prompt.generation):
            trimmed = builders.ported(messages, prompt.generation) == builders.ported(stripped, prompt.generation)
            does = (
                "the port strips it, the original does not" if trimmed else "the original strips it, the port does not"
            )
            yield "trimming", f"whitespace around the content of {' and '.join(chosen)} turns: {does}"


def _contents(builders: Builders, prompt: Prompt) -> Found:
    messages = prompt.conversation.messages
    marked = sentinels(messages)
    again = builders.prompt(marked, prompt.generation, "")
    if not again.comparable:
        return
    if again.equal:
        yield "content", f"the content of a turn is written otherwise: {show(repr(_changed(prompt)))}"
        return
    orders = [_order(str(text), marked) for text in (again.original, again.ported)]
    if orders[0] != orders[1]:
        names = [_turn(messages, number) for number in range(len(messages))]
        dropped, added = (sorted(set(one) - set(two)) for one, two in (orders, orders[::-1]))
        kind: Kind = "system prompt" if messages[[*dropped, *added, 0][0]]["role"] == "system" else "content"
        if dropped:
            yield kind, f"the port leaves out the content of {names[dropped[0]]}"
        elif added:
            yield kind, f"the port writes the content of {names[added[0]]}, which the original leaves out"
        else:
            yield "order", f"the original writes the turns in the order {orders[0]}, the port {orders[1]}"


RULES: Sequence[Callable[[Builders, Prompt], Found]] = (_generation, _default_system, _trimming, _contents)


def _by_segments(builders: Builders, prompt: Prompt) -> tuple[Kind, str, Prompt]:
    """The kind of what differs around the contents, which are replaced by some that occur nowhere else."""
    marked = builders.prompt(sentinels(prompt.conversation.messages), prompt.generation, "contents replaced")
    if not marked.comparable:
        marked = prompt
    messages = marked.conversation.messages
    contents = [str(message["content"]) for message in messages]
    original, ported = (_split(str(text), contents) for text in (marked.original, marked.ported))
    number = next(
        (index for index, (one, two) in enumerate(zip(original, ported, strict=False)) if one != two),
        len(original) - 1,
    )
    ending = ""
    if number:
        until = builders.original(messages[:number], False)
        ending = until.rpartition(contents[number - 1])[2] if isinstance(until, str) else ""
    one, two = original[number], ported[min(number, len(ported) - 1)]
    kind: Kind
    kind, what = segment_difference(one, two, ending if one.startswith(ending) else "", builders.tokens)
    last = number == len(messages)
    if last and kind == "role header":
        kind = "generation prompt" if marked.generation else "end of turn"
    before = f"after {_turn(messages, number - 1)}" if last else f"before the content of {_turn(messages, number)}"
    return kind, f"{before}, {what}", marked


def _shrunk(builders: Builders, prompt: Prompt) -> Prompt:
    """The same difference with fewer turns, where turns can be left out."""
    messages = prompt.conversation.messages
    for number in range(len(messages)):
        fewer = messages[:number] + messages[number + 1 :]
        if fewer and builders.differs(fewer, prompt.generation):
            label = f"{prompt.conversation.label}, shortened".replace(", shortened, shortened", ", shortened")
            return _shrunk(builders, builders.prompt(fewer, prompt.generation, label))
    return prompt


def _stripped(messages: Messages, role: str) -> Messages:
    return [
        {**each, "content": each["content"].strip()}
        if each["role"] == role and isinstance(each["content"], str)
        else each
        for each in messages
    ]


def _order(text: str, marked: Messages) -> list[int]:
    """The turns whose contents are in a text, in the order in which they are."""
    places = [(text.find(message["content"]), number) for number, message in enumerate(marked)]
    return [number for place, number in sorted(places) if place >= 0]


def _split(text: str, contents: Sequence[str]) -> list[str]:
    """What a text holds before, between and after some contents, in their order; those not found are passed over."""
    places = sorted((text.find(content), len(content)) for content in contents if content in text)
    starts = [0, *(place + length for place, length in places)]
    ends = [*(place for place, _ in places), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _turn(messages: Messages, number: int) -> str:
    return f"the {show(messages[number]['role'], 40)} turn ({number + 1} of {len(messages)})"


def _changed(prompt: Prompt) -> str:
    place = first_difference(str(prompt.original), str(prompt.ported))
    return str(prompt.ported)[max(place - 10, 0) : place + CONTEXT]


def _extra(prompt: Prompt) -> str:
    """What the longer of two texts has that the other lacks, at the first difference."""
    one, two = str(prompt.original), str(prompt.ported)
    longer, shorter = (one, two) if len(one) > len(two) else (two, one)
    place = first_difference(one, two)
    end = first_difference(longer[place:][::-1], shorter[place:][::-1])
    return longer[place : len(longer) - end]


def _quoted(text: str) -> str:
    return show(repr(text), 120)


def _suffix(without: str, with_prompt: str) -> str:
    if with_prompt == without:
        return "nothing"
    return _quoted(with_prompt.removeprefix(without))


def _around(text: str, place: int) -> str:
    before, after = text[max(place - CONTEXT, 0) : place], text[place : place + CONTEXT]
    start, end = "…" if place > CONTEXT else "", "…" if place + CONTEXT < len(text) else ""
    return f"{start}{show(before)} >>> {show(after)}{end}"
