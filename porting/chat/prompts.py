"""The two builders of prompts, and what each makes of a bank of conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from porting.chat.conversations import Conversation, Messages
from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.portfile import Portfile
from porting.text import show


@dataclass(frozen=True, slots=True)
class Refusal:
    """A builder raised.

    Attributes:
        said: type and text of the exception.
    """

    said: str


Builder = Callable[[Messages, bool], str | Refusal]
"""Messages and whether to add the generation prompt to the prompt."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What both sides make of a conversation.

    Attributes:
        conversation: the turns.
        generation: whether with generation prompt.
        original: the original's text.
        ported: the port's.
    """

    conversation: Conversation
    generation: bool
    original: str | Refusal
    ported: str | Refusal

    @property
    def comparable(self) -> bool:
        """Whether both wrote a text; of contents in parts, the parts' texts."""
        texts = (self.original, self.ported)
        written = all(isinstance(text, str) for text in texts)
        # A builder that knows no parts writes the list as Python shows it.
        return written and not (self.conversation.in_parts and any("'type'" in str(text) for text in texts))

    @property
    def equal(self) -> bool:
        """Whether both wrote the same text."""
        return self.comparable and self.original == self.ported

    @property
    def odd(self) -> bool:
        """Whether the conversation is odd, or an answer is asked for after an answer."""
        return self.conversation.odd or (self.generation and self.conversation.messages[-1]["role"] == "assistant")

    @property
    def refused_once(self) -> bool:
        """Whether one side alone refuses; contents in parts may be taken or not."""
        refused = [isinstance(text, Refusal) for text in (self.original, self.ported)]
        return refused[0] != refused[1] and not self.conversation.in_parts

    @property
    def label(self) -> str:
        """The conversation in words."""
        return f"{self.conversation.label}, {'with' if self.generation else 'without'} generation prompt"


def original_builder(portfile: Portfile) -> Builder:
    """The portfile's ``original_prompt``.

    Raises:
        PortfileError: when it is called, and returns something else than text.
    """

    def build(messages: Messages, generation: bool) -> str | Refusal:
        try:
            text = portfile.call("original_prompt", _copied(messages), generation)
        except PortfileError as error:
            return Refusal(error.message)
        if not isinstance(text, str):
            raise PortfileError(f"original_prompt() must return a str, and returned {kind_of(text)}")
        return text

    return build


def ported_builder(tokenizer: Any) -> Builder:
    """The chat template of a tokenizer of Transformers."""

    def build(messages: Messages, generation: bool) -> str | Refusal:
        try:
            return str(
                tokenizer.apply_chat_template(_copied(messages), tokenize=False, add_generation_prompt=generation)
            )
        except Exception as error:
            return Refusal(f"{type(error).__name__}: {show(error, 300)}")

    return build


def prompts_of(bank: Iterable[Conversation], original: Builder, ported: Builder) -> list[Prompt]:
    """Every conversation on both sides, without and with generation prompt."""
    return [
        Prompt(each, generation, original(each.messages, generation), ported(each.messages, generation))
        for each in bank
        for generation in (False, True)
    ]


def _copied(messages: Messages) -> Messages:
    copied: Messages = json.loads(json.dumps(messages))
    return copied
