"""Step 9 of the recipe: the port's chat template writes the prompts that the original's own builder writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porting.checks.shared.chatting import (
    TRY_ONE,
    bank_of,
    bounded_tokenizer,
    chat_tokenizer,
    described,
    original_tokenize,
    prompts_on_both_sides,
    refusal_line,
    right_prompts,
    template_of,
    unbounded,
)
from porting.checks.shared.outcomes import ClaimRefuted, Figures, Inconclusive, Lacking, Skip
from porting.checks.shared.wording import MOST_LINES, more
from porting.text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from porting.chat import Prompt
    from porting.checks.shared.context import CheckContext

STEP = 9


def check_chat_template_bounded(context: CheckContext) -> Figures:
    """The chat template renders every conversation in the sandbox, in little time and memory.

    A template is foreign code that comes with a checkpoint: it is tried in a child process with 5 seconds and 1 GiB
    before any other check renders it here.

    Raises:
        ClaimRefuted: a rendering met a limit.
        Skip: there is no chat template.
    """
    tokenizer = chat_tokenizer(context)
    bank = bank_of(context, tokenizer)
    if template_of(tokenizer) is None:
        raise Skip("the tokenizer writes prompts by code of its own, not by a Jinja template")
    figures: Figures = {"conversations": len(bank)}
    if found := context.shared("chat bounded", lambda: unbounded(tokenizer, bank)):
        raise ClaimRefuted(
            f"the chat template cannot be rendered: {found.reason} ({show(found.conversation.label)})",
            hint="look at the template's loops and powers: tokenizer.chat_template; do not use it as it is",
            figures=figures,
        )
    return figures


def check_chat_prompts_equal(context: CheckContext) -> Figures:
    """`apply_chat_template` writes the text that the original's prompt builder writes, for every kind of turn.

    Recipe, "chat templates": system, user and assistant turns, with and without generation prompt, against
    ``original_prompt``. Where the original's tokenizer adds the beginning token by itself, ids decide.

    Raises:
        ClaimRefuted: a text differs.
        Inconclusive: no conversation is taken by both.
        Skip: the portfile lacks one side.
    """
    return _compared(context, [prompt for prompt in prompts_on_both_sides(context) if not prompt.odd])


def check_chat_odd_prompts_equal(context: CheckContext) -> Figures:
    """The same texts come where turns follow in no usual order or are empty: two users in a row, a system turn later.

    Recipe, "chat templates", where original and port most easily part: judged by itself, so that a known difference
    can be expected (``EXPECTED_FAILURES``).

    Raises:
        ClaimRefuted: a text differs.
        Skip: the portfile lacks one side, both take none of these conversations, or usual ones differ already.
    """
    prompts = prompts_on_both_sides(context)
    usual = [prompt for prompt in prompts if prompt.comparable and not prompt.equal and not prompt.odd]
    if usual and not _equal_as_ids(context, usual):
        raise Lacking("usual conversations differ already: see check_chat_prompts_equal")
    odd = [prompt for prompt in prompts if prompt.odd]
    if not any(prompt.comparable for prompt in odd):
        raise Skip("no odd conversation is taken by both sides")
    return _compared(context, odd)


def check_chat_refusals_equal(context: CheckContext) -> Figures:
    """The port refuses the conversations that the original refuses, and no other.

    As two user turns in a row, or a system turn: a template refuses with ``raise_exception``, a builder raises.

    Raises:
        ClaimRefuted: one side alone refuses.
        Skip: the portfile lacks one side.
    """
    prompts = prompts_on_both_sides(context)
    once = [prompt for prompt in prompts if prompt.refused_once]
    both = sum(not isinstance(prompt.original, str) and not isinstance(prompt.ported, str) for prompt in prompts)
    figures: Figures = {"prompts": len(prompts), "refused_by_both": both, "refused_by_one": len(once)}
    if once:
        lines = [refusal_line(prompt) for prompt in once]
        head = f"{lines[0]}\n\nConversations that one side alone refuses: {len(once)} of {len(prompts)}"
        raise ClaimRefuted(
            "\n".join((head, *(f"  {line}" for line in lines[1:MOST_LINES]), *more(len(once)))),
            hint="let the template raise_exception(...) where the original raises, and write the turn where it does",
            figures=figures,
        )
    return figures


def check_chat_generation_prompt(context: CheckContext) -> Figures:
    """The generation prompt is added to the end of the prompt, and changes nothing before it.

    It may stand in place of the token that ends a text. Judged after a user turn, and not where the original itself
    does otherwise.

    Raises:
        ClaimRefuted: with a generation prompt, the text before it is another one.
        Skip: there is no chat template, or nothing to judge.
    """
    from porting.chat import original_builder, ported_builder

    tokenizer = bounded_tokenizer(context)
    ported = ported_builder(tokenizer)
    original = original_builder(context.portfile) if "original_prompt" in context.portfile.functions else None
    judged, end = 0, tokenizer.eos_token or ""
    for conversation in bank_of(context, tokenizer):
        messages = conversation.messages
        if messages[-1]["role"] != "user" or (original and _is_suffix(original, messages, end) is False):
            continue
        suffix = _is_suffix(ported, messages, end)
        judged += suffix is not None
        if suffix is False:
            raise ClaimRefuted(
                f"with a generation prompt, the text before it changes too ({show(conversation.label)})",
                hint="write the turns alike in both cases, and the generation prompt after the last of them",
            )
    if not judged:
        raise Skip("no conversation that ends with a user turn could be judged")
    return {"judged_conversations": judged}


def check_chat_ids(context: CheckContext) -> Figures:
    """The ids of a prompt are those of its text: every control token one id, the beginning token once.

    Recipe, "control tokens never split"; usual mistakes: a doubled beginning token, a control token that is no
    special token of the tokenizer. Against ``original_tokenize`` where that reads control tokens.

    Raises:
        ClaimRefuted: ids differ, or a control token is split.
        Skip: there is no chat template, or no prompt is right as a text.
    """
    from porting.chat import differing_ids, split_tokens

    prompts, tokenizer = right_prompts(context)
    tokenize = original_tokenize(context, tokenizer, prompts)
    figures: Figures = {"compared_prompts": len(prompts), "against_original": int(tokenize is not None)}
    if not prompts:
        raise Lacking("no prompt is right as a text, so that ids say nothing yet: see check_chat_prompts_equal")
    if split := split_tokens(tokenizer, prompts, tokenize):
        token, ids = next(iter(split.items()))
        raise ClaimRefuted(
            f"the control token {show(token, 60)} becomes {len(ids)} ids: {show(ids, 80)}"
            + "".join(f"\n  so does {show(other, 60)}" for other in list(split)[1:MOST_LINES]),
            hint="add it to the tokenizer as a special token (additional_special_tokens), with the original's id",
            figures=figures,
        )
    if wrong := next(differing_ids(tokenizer, prompts, tokenize), None):
        raise ClaimRefuted(
            f"{wrong.text} ({show(wrong.conversation.label)})", hint=_ID_HINTS[wrong.kind], figures=figures
        )
    return figures


CHECKS = (
    check_chat_template_bounded,
    check_chat_prompts_equal,
    check_chat_odd_prompts_equal,
    check_chat_refusals_equal,
    check_chat_generation_prompt,
    check_chat_ids,
)

_ID_HINTS = {
    "doubled": "let either the template or the tokenizer write the beginning token, not both",
    "missing": "write bos_token in the template: apply_chat_template adds no special tokens",
    "other": "if the tokenizer's own checks pass, compare the special tokens and their ids",
}


def _compared(context: CheckContext, prompts: Sequence[Prompt]) -> Figures:
    wrong = [prompt for prompt in prompts if prompt.comparable and not prompt.equal]
    compared = sum(prompt.comparable for prompt in prompts)
    figures: Figures = {"compared_prompts": compared, "differing_prompts": len(wrong)}
    if not compared:
        raise Inconclusive("no conversation is taken by both sides", hint=TRY_ONE, figures=figures)
    if wrong and not _equal_as_ids(context, wrong):
        raise ClaimRefuted(**described(context, prompts, wrong, figures))
    return figures


def _equal_as_ids(context: CheckContext, wrong: Sequence[Prompt]) -> bool:
    """Whether texts differ by the beginning token alone, which the original's tokenizer adds by itself."""
    from porting.chat.ids import chat_ids

    tokenizer = context.returned("ported_tokenizer")
    begin = tokenizer.bos_token
    if not begin or any(str(prompt.ported) != f"{begin}{prompt.original}" for prompt in wrong):
        return False
    tokenize = original_tokenize(context, tokenizer, wrong)
    return tokenize is not None and all(
        tokenize(str(prompt.original)) == chat_ids(tokenizer, prompt) for prompt in wrong
    )


def _is_suffix(build: Any, messages: Any, end: str) -> bool | None:
    """Whether the text with generation prompt begins with the text without; None where one is refused."""
    without, asked = build(messages, False), build(messages, True)
    if not isinstance(without, str) or not isinstance(asked, str):
        return None
    bare = without.rstrip()
    return asked.startswith(without) or (bool(end) and bare.endswith(end) and asked.startswith(bare.removesuffix(end)))
