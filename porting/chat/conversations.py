"""The conversations on which prompts are compared: turns of every kind, and contents that bring out mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from porting.errors import PortfileError
from porting.kinds import kind_of

Messages = list[dict[str, Any]]
"""Turns as Transformers takes them: dicts with ``role`` and ``content``."""

ROLES = {"s": "system", "u": "user", "a": "assistant"}
CONTENTS = {
    "surrounding whitespace": "  two spaces before, a newline after \n",
    "lines": "a first line\n\n\tand a third\r\nand a fourth",
    "no content": "",
    "whitespace alone": " \n ",
    "unicode": "naïve café 東京 👩🏽‍🚀 e\u0301 \u200b\u05e9\u05dc\u05d5\u05dd",
    "markup": "{{ content }} {% if x %} <b>&amp; \"quoted\" 'quoted'</b> \\n %s {0}",
    "length": "All work and no play makes a dull prompt. " * 120,
}
TURNS = ("u", "su", "uau", "suau", "uauau", "ua", "sua")
ODD_TURNS = ("uu", "s", "au", "usu", "uaa")
MARKS = ("[INST]", "[/INST]", "<<SYS>>", "<|im_end|>", "</s>", "<|end_of_text|>")
"""Control tokens of common formats, for contents that a user could write."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation.

    Attributes:
        label: what is special about it.
        messages: its turns.
        in_parts: whether contents are lists of parts, which a format may take or not.
        odd: whether turns are in no order in which chats go, or say nothing.
    """

    label: str
    messages: Messages
    in_parts: bool = False
    odd: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Turns and characters: what makes one smaller than another."""
        return len(self.messages), sum(len(str(message["content"])) for message in self.messages)


def conversations(special_tokens: Sequence[str] = ()) -> list[Conversation]:
    """The built-in bank.

    Args:
        special_tokens: of the tokenizer, which are then written into contents, too.
    """
    bank = [Conversation(f"turns {turns}", _turns(turns)) for turns in TURNS]
    bank += [Conversation(f"turns {turns}", _turns(turns), odd=True) for turns in ODD_TURNS]
    marks = " and ".join(dict.fromkeys((*special_tokens[:40], *MARKS)))
    for label, content in {**CONTENTS, "control tokens": f"I write {marks} myself"}.items():
        bank += [
            Conversation(
                f"{label} in the {ROLES[turns[place]]}'s turn", _with(turns, place, content), odd=not content.strip()
            )
            for turns, place in (("u", 0), ("su", 0), ("uau", 1), ("ua", 1))
        ]
    parts = [{"type": "text", "text": "a part"}]
    return [*bank, Conversation("content in parts", [{"role": "user", "content": parts}], in_parts=True)]


def given_conversations(value: Any) -> list[Conversation]:
    """The conversations that the portfile's ``conversations()`` returned.

    Raises:
        PortfileError: it is not a list of lists of dicts with ``role`` and ``content``.
    """
    wanted = "conversations() must return a list of conversations, each a list of {'role': ..., 'content': ...}"
    if not isinstance(value, list) or not all(isinstance(messages, list) and messages for messages in value):
        raise PortfileError(f"{wanted}, and returned {kind_of(value)}")
    for number, messages in enumerate(value):
        for message in messages:
            if not isinstance(message, dict) or not {"role", "content"} <= set(message):
                raise PortfileError(f"{wanted}, and a message of conversation {number} is {kind_of(message)}")
    return [Conversation(f"conversations()[{number}]", messages) for number, messages in enumerate(value)]


def sentinels(messages: Messages) -> Messages:
    """The same turns with short contents that occur nowhere else."""
    return [{**message, "content": f"Q{number}Z"} for number, message in enumerate(messages)]


def _turns(turns: str) -> Messages:
    texts = {"s": "You answer briefly.", "u": "What is {}?", "a": "It is number {}."}
    return [{"role": ROLES[turn], "content": texts[turn].format(place)} for place, turn in enumerate(turns)]


def _with(turns: str, place: int, content: str) -> Messages:
    messages = _turns(turns)
    messages[place]["content"] = content
    return messages
