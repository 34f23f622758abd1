"""Prompts of conversations: what the original's own builder writes, held against the port's chat template.

A template is foreign code: it is first rendered in a child process with limits (`bounded`), in the sandbox of
Transformers.
"""

from __future__ import annotations

from porting.chat.bounded import Renderer, Unbounded, bounded_builder, render_bounded
from porting.chat.conversations import Conversation, Messages, conversations, given_conversations
from porting.chat.difference import Difference, explain
from porting.chat.ids import IdDifference, differing_ids, split_tokens, takes_control_tokens
from porting.chat.prompts import Builder, Prompt, Refusal, original_builder, ported_builder, prompts_of
from porting.chat.segments import Tokens

__all__ = [
    "Builder",
    "Conversation",
    "Difference",
    "IdDifference",
    "Messages",
    "Prompt",
    "Refusal",
    "Renderer",
    "Tokens",
    "Unbounded",
    "bounded_builder",
    "conversations",
    "differing_ids",
    "explain",
    "given_conversations",
    "original_builder",
    "ported_builder",
    "prompts_of",
    "render_bounded",
    "split_tokens",
    "takes_control_tokens",
]
