"""Chat templates against prompt builders of their originals: right ones pass, each seeded bug is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from chatting import FORMATS, Format, Messages, byte_tokenizer
from checked import result_of

from porting.checks import CheckContext, CheckResult
from porting.portfile import Portfile

CHECKS = (
    "check_chat_template_bounded",
    "check_chat_prompts_equal",
    "check_chat_odd_prompts_equal",
    "check_chat_refusals_equal",
    "check_chat_generation_prompt",
    "check_chat_ids",
)


def context_for(tokenizer: Any, folder: Path, **functions: Any) -> CheckContext:
    made = {"ported": lambda: torch.nn.Linear(2, 2), "ported_tokenizer": lambda: tokenizer, **functions}
    return CheckContext(Portfile(folder / "portfile.py", made, {}))


def results(style: Format, folder: Path, tokenizer: Any = None, **functions: Any) -> dict[str, CheckResult]:
    tokenizer = tokenizer or style.tokenizer()
    context = context_for(tokenizer, folder, original_prompt=style.build, **functions)
    return {name: result_of(name, context) for name in CHECKS}


@pytest.mark.parametrize("name", FORMATS)
def test_a_right_template_passes(name: str, tmp_path: Path) -> None:
    style = FORMATS[name]
    reference = style.tokenizer()

    def original_tokenize(text: str) -> list[int]:
        ids: list[int] = reference(text, add_special_tokens=False)["input_ids"]
        return ids

    found = results(style, tmp_path, original_tokenize=original_tokenize)
    assert {check: result.status for check, result in found.items()} == dict.fromkeys(CHECKS, "passed"), [
        result.failure_message() for result in found.values()
    ]
    assert found["check_chat_prompts_equal"].figures["compared_prompts"] > 15  # type: ignore[operator]
    assert found["check_chat_ids"].figures["against_original"] == 1


BUGS = [
    ("chatml", "<|im_end|>' + '\\n'", "<|im_end|>'", "separator"),
    ("chatml", "+ '<|im_end|>' + '\\n'", "+ '\\n'", "eos"),
    ("chatml", "{{- '<|im_start|>assistant\\n' }}", "{{- '<|im_start|>assistant' }}", "generation prompt"),
    ("chatml", "{%- if add_generation_prompt %}", "{%- if false %}", "generation prompt"),
    ("chatml", "{%- if add_generation_prompt %}", "{%- if true %}", "generation prompt"),
    ("chatml", "!= 'system'", "== 'none'", "system prompt"),
    ("chatml", "You are a helpful", "You are a friendly", "system prompt"),
    ("chatml", "message['content'] +", "message['content'] | trim +", "trimming"),
    ("chatml", "message['content'] +", "message['content'] | replace('<', '&lt;') +", "content"),
    ("chatml", "in messages %}", "in messages | reverse %}", "order"),
    ("llama2", "[INST] ' + content", "[INST]' + content", "separator"),
    ("llama2", "\\n<</SYS>>\\n\\n", "\\n<</SYS>>\\n", "separator"),
    ("llama2", "bos_token + '[INST]", "('' if loop.index0 else bos_token) + '[INST]", "bos"),
    ("llama2", "+ ' ' + eos_token", "", "eos"),
    ("llama2", "{{- ' ' + content.strip()", "{{- ' ' + content", "trimming"),
    ("llama2", "<<SYS>>\\n'", "<<SYSTEM>>\\n'", "role header"),
    ("llama2", "system_message is not none", "false", "system prompt"),
    ("llama3", "{{- bos_token }}", "", "bos"),
    ("llama3", "message['role'] +", "message['role'] | upper +", "role header"),
    ("llama3", "<|end_header_id|>\\n\\n' }}\n    {{- m", "<|end_header_id|>\\n' }}\n    {{- m", "separator"),
    ("llama3", " | trim", "", "trimming"),
    ("mistral", "' [/INST]'", "'[/INST]'", "separator"),
    ("mistral", "message['content'] + eos_token", "message['content'] | trim + eos_token", "trimming"),
    ("mistral", "+ eos_token", "+ (eos_token if loop.last else '')", "eos"),
    ("mistral", "{{- bos_token }}", "{{- bos_token + bos_token }}", "bos"),
    ("phi", " if add_generation_prompt else eos_token", " if add_generation_prompt else ''", "eos"),
    ("phi", "<|end|>\\n'", "</s>\\n'", "end of turn"),
    ("vicuna", "'USER: '", "'USER:'", "separator"),
    ("vicuna", "'USER: '", "'HUMAN: '", "role header"),
    ("vicuna", "'ASSISTANT:' }}", "'ASSISTANT: ' }}", "generation prompt"),
    ("vicuna", "messages[0]['content'] + ' '", "messages[0]['content']", "separator"),
    ("vicuna", "a curious user", "a human", "system prompt"),
    ("zephyr", "'|>\\n' + message", "'|> ' + message", "separator"),
    ("zephyr", "message['content'] +", "message['content'] | replace('café', 'cafe') +", "content"),
    ("zephyr", "<|assistant|>\\n' }}", "<|model|>\\n' }}", "generation prompt"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "kind"), BUGS)
def test_a_seeded_bug_is_found_and_named(name: str, right: str, wrong: str, kind: str, tmp_path: Path) -> None:
    style = FORMATS[name]
    assert style.template.count(right) == 1
    tokenizer = style.tokenizer(style.template.replace(right, wrong))
    context = context_for(tokenizer, tmp_path, original_prompt=style.build)
    context.shared("chat bounded", lambda: None)  # these templates come to an end
    result = result_of("check_chat_prompts_equal", context)
    assert result.status == "failed"
    assert result.figures["kind"] == kind, result.message
    assert ">>>" in result.message


def test_a_difference_on_odd_conversations_alone_is_judged_by_itself(tmp_path: Path) -> None:
    style = FORMATS["zephyr"]
    template = style.template.replace("in messages %}", "in messages if message['content'] %}")
    found = results(style, tmp_path, style.tokenizer(template))
    assert found["check_chat_prompts_equal"].status == "passed"
    assert found["check_chat_odd_prompts_equal"].status == "failed"
    assert found["check_chat_odd_prompts_equal"].figures["kind"] == "content"


def test_a_template_that_refuses_what_the_original_takes_is_found(tmp_path: Path) -> None:
    style = FORMATS["zephyr"]
    strict = (
        "{%- if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + style.template
    )
    found = results(style, tmp_path, style.tokenizer(strict))
    assert found["check_chat_prompts_equal"].status == "passed"
    assert found["check_chat_refusals_equal"].status == "failed"
    assert "the port refuses system, user" in found["check_chat_refusals_equal"].message


def test_a_template_that_takes_what_the_original_refuses_is_found(tmp_path: Path) -> None:
    style = FORMATS["mistral"]
    lax = style.template.replace("message['role'] != ['user', 'assistant'][loop.index0 % 2]", "false")
    result = results(style, tmp_path, style.tokenizer(lax))["check_chat_refusals_equal"]
    assert result.status == "failed"
    assert "user and assistant must alternate" in result.message


def test_a_generation_prompt_that_changes_the_turns_is_found_without_an_original(tmp_path: Path) -> None:
    style = FORMATS["chatml"]
    template = style.template.replace("+ '<|im_end|>' +", "+ ('' if add_generation_prompt else '<|im_end|>') +")
    context = context_for(style.tokenizer(template), tmp_path)
    assert result_of("check_chat_generation_prompt", context).status == "failed"
    assert result_of("check_chat_prompts_equal", context).status == "skipped"


def test_a_generation_prompt_that_changes_the_turns_of_the_original_too_is_no_fault(tmp_path: Path) -> None:
    style = FORMATS["chatml"]
    template = style.template.replace("+ '<|im_end|>' +", "+ ('' if add_generation_prompt else '<|im_end|>') +")
    tokenizer = style.tokenizer(template)

    def original(messages: Any, add_generation_prompt: bool) -> str:
        return str(
            style.tokenizer(template).apply_chat_template(
                messages, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        )

    result = result_of("check_chat_generation_prompt", context_for(tokenizer, tmp_path, original_prompt=original))
    assert result.status == "passed"


def test_a_control_token_that_is_split_is_found(tmp_path: Path) -> None:
    style = FORMATS["chatml"]
    right = style.tokenizer()
    found = results(
        style,
        tmp_path,
        style.tokenizer(special=("<|im_end|>",)),
        original_tokenize=lambda text: right(text, add_special_tokens=False)["input_ids"],
    )
    assert found["check_chat_prompts_equal"].status == "passed"
    assert found["check_chat_ids"].status == "failed"
    assert "<|im_start|> becomes 12 ids" in found["check_chat_ids"].message


def test_a_beginning_token_that_only_the_original_adds_is_found(tmp_path: Path) -> None:
    style = FORMATS["llama3"]
    reference = style.tokenizer()

    def build(messages: Messages, generation: bool) -> str:
        return style.build(messages, generation).removeprefix("<|begin_of_text|>")

    def original_tokenize(text: str) -> list[int]:
        return [reference.bos_token_id, *reference(text, add_special_tokens=False)["input_ids"]]

    without = style.tokenizer(style.template.replace("{{- bos_token }}", ""))
    context = context_for(without, tmp_path, original_prompt=build, original_tokenize=original_tokenize)
    assert result_of("check_chat_prompts_equal", context).status == "passed"
    result = result_of("check_chat_ids", context)
    assert result.status == "failed"
    assert "the beginning token <|begin_of_text|>" in result.message
    assert "is missing" in result.message

    context = context_for(reference, tmp_path, original_prompt=build, original_tokenize=original_tokenize)
    assert result_of("check_chat_prompts_equal", context).status == "passed"


def test_a_beginning_token_that_comes_twice_is_found(tmp_path: Path) -> None:
    style = FORMATS["mistral"]

    class Doubling(type(style.tokenizer())):  # type: ignore[misc]
        def apply_chat_template(self, conversation: Any, tokenize: bool = True, **more: Any) -> Any:
            text = super().apply_chat_template(conversation, tokenize=False, **{**more, "return_dict": False})
            return [self.bos_token_id, *self(text, add_special_tokens=False)["input_ids"]] if tokenize else text

    tokenizer = style.tokenizer()
    tokenizer.__class__ = Doubling
    result = results(style, tmp_path, tokenizer)["check_chat_ids"]
    assert result.status == "failed"
    assert "the beginning token <s>" in result.message
    assert "comes twice" in result.message


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ 'a' * 10**10 }}", "GB"),
        ("{{ 'a' * (20 * 1000 * 1000) }}", "characters"),
    ],
)
def test_a_template_without_end_is_not_rendered_here(template: str, why: str, tmp_path: Path) -> None:
    found = results(FORMATS["zephyr"], tmp_path, byte_tokenizer(template, "<s>", "</s>"))
    assert found["check_chat_template_bounded"].status == "failed"
    assert why in found["check_chat_template_bounded"].message
    assert {found[name].status for name in CHECKS[1:]} == {"skipped"}


def test_a_template_that_reaches_out_of_the_sandbox_refuses_everything(tmp_path: Path) -> None:
    template = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    found = results(FORMATS["zephyr"], tmp_path, byte_tokenizer(template, "<s>", "</s>"))
    assert found["check_chat_template_bounded"].status == "passed"
    assert found["check_chat_prompts_equal"].status == "failed"
    assert "refuses every conversation" in found["check_chat_prompts_equal"].message


def test_a_template_that_is_missing_is_a_failure_where_the_original_builds_prompts(tmp_path: Path) -> None:
    found = results(FORMATS["zephyr"], tmp_path, byte_tokenizer(None, "<s>", "</s>"))
    assert found["check_chat_prompts_equal"].status == "failed"
    context = context_for(byte_tokenizer(None, "<s>", "</s>"), tmp_path)
    assert {result_of(name, context).status for name in CHECKS} == {"skipped"}


def test_conversations_of_the_portfile_are_compared_too(tmp_path: Path) -> None:
    style = FORMATS["zephyr"]
    template = style.template.replace("'|>\\n' + m", "('|>\\n' if 'rare' not in message['content'] else '|>') + m")
    rare = [[{"role": "user", "content": "a rare word"}]]
    found = results(style, tmp_path, style.tokenizer(template))
    assert found["check_chat_prompts_equal"].status == "passed"
    found = results(style, tmp_path, style.tokenizer(template), conversations=lambda: rare)
    assert found["check_chat_prompts_equal"].status == "failed"
    assert "conversations()[0]" in found["check_chat_prompts_equal"].message


def test_a_builder_that_always_raises_is_an_error_and_not_a_difference(tmp_path: Path) -> None:
    def build(messages: Messages, generation: bool) -> str:
        raise ImportError("no module named original")

    context = context_for(FORMATS["zephyr"].tokenizer(), tmp_path, original_prompt=build)
    result = result_of("check_chat_prompts_equal", context)
    assert result.status == "error"
    assert "no module named original" in result.message


class Lookalike:
    """Writes prompts, and is no tokenizer of Transformers."""

    chat_template = "{{ messages }}"

    def encode(self, text: str) -> list[int]:
        return [len(text)]

    def apply_chat_template(self, *_: Any, **__: Any) -> str:
        return "text"


def test_what_only_looks_like_a_tokenizer_is_skipped_or_refused(tmp_path: Path) -> None:
    context = context_for(Lookalike(), tmp_path)
    for name in CHECKS:
        assert result_of(name, context).status == "skipped"
    found = results(FORMATS["chatml"], tmp_path, Lookalike())["check_chat_prompts_equal"]
    assert found.status == "error"
    assert "must return a tokenizer of Transformers" in found.message
