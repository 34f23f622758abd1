"""What the checks of chat templates share: the tokenizer, the conversations, and what both sides make of them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from porting.checks.shared.outcomes import ClaimRefuted, Figures, Lacking, Skip
from porting.checks.shared.wording import MOST_LINES
from porting.errors import PortfileError
from porting.kinds import kind_of
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.chat import Conversation, Prompt, Tokens, Unbounded
    from porting.chat.ids import Tokenize
    from porting.checks.shared.context import CheckContext

TRY_ONE = "call original_prompt() and apply_chat_template() with one user turn, and see what they raise"


def chat_tokenizer(context: CheckContext) -> Any:
    """The port's tokenizer, which can write prompts.

    Raises:
        Skip: there is none, or none of chats.
        ClaimRefuted: the original has a prompt builder, and the tokenizer no template.
    """
    from transformers import PreTrainedTokenizerBase

    tokenizer = context.returned("ported_tokenizer")
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        if callable(getattr(tokenizer, "encode", None)) and "original_prompt" not in context.portfile.functions:
            raise Skip(f"{type(tokenizer).__name__} is no tokenizer of Transformers, which alone write prompts")
        raise PortfileError(
            f"ported_tokenizer() must return a tokenizer of Transformers, and returned {kind_of(tokenizer)}"
        )
    writes = template_of(tokenizer) is not None or _overridden(tokenizer)
    if not writes and "original_prompt" in context.portfile.functions:
        raise ClaimRefuted(
            "the port's tokenizer has no chat template, and the original builds prompts",
            hint="set tokenizer.chat_template to a Jinja template, and save the tokenizer",
        )
    if not writes:
        raise Skip("the port's tokenizer has no chat template, and the portfile no original_prompt()")
    return tokenizer


def template_of(tokenizer: Any) -> str | None:
    """The Jinja source of a tokenizer's chat template; None without one."""
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None


def _overridden(tokenizer: Any) -> bool:
    from transformers import PreTrainedTokenizerBase

    base: object = PreTrainedTokenizerBase.apply_chat_template
    return getattr(type(tokenizer), "apply_chat_template", None) is not base


def bank_of(context: CheckContext, tokenizer: Any) -> Sequence[Conversation]:
    """The built-in conversations, and those of the portfile's ``conversations()``.

    Raises:
        PortfileError: it does not keep its contract.
    """
    from porting.chat import conversations, given_conversations

    given = context.portfile.call("conversations") if "conversations" in context.portfile.functions else []
    return [*conversations(tokenizer.all_special_tokens), *given_conversations(given)]


def unbounded(tokenizer: Any, bank: Sequence[Conversation]) -> Unbounded | None:
    """The first rendering that meets a limit in the child process; None if all come to an end."""
    from porting.chat import render_bounded

    source = template_of(tokenizer)
    return render_bounded(source, bank, tokenizer.special_tokens_map) if source is not None else None


def bounded_tokenizer(context: CheckContext) -> Any:
    """The tokenizer, once its template is known to come to an end.

    Raises:
        Skip: it does not come to one, or there is none.
    """
    tokenizer = chat_tokenizer(context)
    bank = bank_of(context, tokenizer)
    if context.shared("chat bounded", lambda: unbounded(tokenizer, bank)):
        raise Lacking("the chat template is not rendered here: see check_chat_template_bounded")
    return tokenizer


def prompts_on_both_sides(context: CheckContext) -> list[Prompt]:
    """Every conversation on both sides.

    Raises:
        ClaimRefuted: the port refuses all of them.
        PortfileError: ``original_prompt`` raises for all of them.
    """
    from porting.chat import Refusal, original_builder, ported_builder, prompts_of

    tokenizer = chat_tokenizer(context)
    if "original_prompt" not in context.portfile.functions:
        raise Lacking("the portfile has no original_prompt(messages, add_generation_prompt)")
    tokenizer = bounded_tokenizer(context)
    bank = bank_of(context, tokenizer)
    original = original_builder(context.portfile)
    prompts = context.shared("chat prompts", lambda: prompts_of(bank, original, ported_builder(tokenizer)))
    first = prompts[0]
    if isinstance(first.original, Refusal) and all(isinstance(prompt.original, Refusal) for prompt in prompts):
        raise PortfileError(f"for every conversation, {first.original.said}", hint=TRY_ONE)
    if isinstance(first.ported, Refusal) and all(isinstance(prompt.ported, Refusal) for prompt in prompts):
        raise ClaimRefuted(f"the chat template refuses every conversation: {first.ported.said}", hint=TRY_ONE)
    return prompts


def right_prompts(context: CheckContext) -> tuple[list[Prompt], Any]:
    """Prompts on which both sides agree, and the tokenizer; without ``original_prompt`` all that the port writes.

    Raises:
        Skip: there is no chat template that can be rendered.
    """
    from porting.chat import Prompt, ported_builder

    tokenizer = bounded_tokenizer(context)
    if "original_prompt" in context.portfile.functions:
        return [prompt for prompt in prompts_on_both_sides(context) if prompt.equal], tokenizer
    build = ported_builder(tokenizer)
    texts = [(each, build(each.messages, True)) for each in bank_of(context, tokenizer)]
    return [Prompt(each, True, text, text) for each, text in texts if isinstance(text, str)], tokenizer


def original_tokenize(context: CheckContext, tokenizer: Any, prompts: Sequence[Prompt]) -> Tokenize | None:
    """The original's tokenizer, if the portfile has it and it reads control tokens in a text."""
    from porting.chat import takes_control_tokens

    if "original_tokenize" not in context.portfile.functions:
        return None

    def tokenize(text: str) -> list[int]:
        return [int(number) for number in context.returned("original_tokenize", text)]

    try:
        return tokenize if takes_control_tokens(tokenizer, prompts, tokenize) else None
    except PortfileError:
        return None


def described(
    context: CheckContext, prompts: Sequence[Prompt], wrong: Sequence[Prompt], figures: Figures
) -> dict[str, Any]:
    """Message, hint and figures of texts that differ."""
    from porting.chat import Renderer, bounded_builder, explain, original_builder, ported_builder

    tokenizer = context.returned("ported_tokenizer")
    original, ported = original_builder(context.portfile), ported_builder(tokenizer)
    source = template_of(tokenizer)
    with nullcontext() if source is None else Renderer(source, tokenizer.special_tokens_map) as renderer:
        if renderer is not None:
            ported = bounded_builder(ported, renderer)  # explaining asks for other conversations than the bank has
        found = explain(prompts, original, ported, _tokens(tokenizer))
    turns = ", ".join(show(message["role"], 40) for message in found.prompt.conversation.messages[:MOST_LINES])
    around = found.context()
    compared = sum(prompt.comparable for prompt in prompts)
    lines = (
        f"{found.kind}: {found.text}",
        "",
        f"Prompts that differ: {len(wrong)} of {compared}",
        f"The smallest conversation: {turns} ({show(found.prompt.label)}); first difference at {found.place}:",
        f"  original: {around[0]}",
        f"  ported:   {around[1]}",
    )
    return {
        "message": "\n".join(lines),
        "hint": f"mend the {found.kind} in the chat template, then: {context.command('tokenizer')}",
        "figures": {**figures, "kind": found.kind},
    }


def _tokens(tokenizer: Any) -> Tokens:
    from porting.chat import Tokens

    return Tokens(tokenizer.bos_token, tokenizer.eos_token, tuple(tokenizer.all_special_tokens))


def refusal_line(prompt: Prompt) -> str:
    """Which side alone refuses which turns, and what it says."""
    sides = ("original", "port") if not isinstance(prompt.original, str) else ("port", "original")
    said = prompt.ported if isinstance(prompt.original, str) else prompt.original
    reason = said.said if not isinstance(said, str) else ""
    roles = ", ".join(show(message["role"], 40) for message in prompt.conversation.messages[:MOST_LINES])
    return f"refusal: the {sides[0]} refuses {roles} ({show(prompt.label)}), the {sides[1]} does not: {show(reason)}"
