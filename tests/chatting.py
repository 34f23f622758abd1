"""Prompt builders as originals have them, in plain Python, and right chat templates for each; a tokenizer of bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Format:
    """A way to write conversations.

    Attributes:
        build: the original's function.
        template: the port's.
        bos: the token that begins a sequence.
        eos: the token that ends one.
        special: further special tokens.
    """

    build: Callable[[Messages, bool], str]
    template: str
    bos: str | None
    eos: str
    special: tuple[str, ...] = ()

    def tokenizer(self, template: str | None = None, special: tuple[str, ...] | None = None) -> Any:
        """A tokenizer with one id for every byte and special token."""
        return byte_tokenizer(self.template if template is None else template, self.bos, self.eos,
                              self.special if special is None else special)  # fmt: skip


def byte_tokenizer(template: str | None, bos: str | None, eos: str, special: tuple[str, ...] = ()) -> Any:
    """One id for every byte, and one for each special token."""
    names = [name for name in dict.fromkeys((bos, eos, *special)) if name]
    vocabulary = {symbol: number for number, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=eos, additional_special_tokens=[name for name in special if name != eos],
        **({"bos_token": bos} if bos else {}),
    )  # fmt: skip
    tokenizer.chat_template = template
    return tokenizer


def _chatml(messages: Messages, generation: bool) -> str:
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": "You are a helpful assistant."}, *messages]
    text = "".join(f"<|im_start|>{each['role']}\n{each['content']}<|im_end|>\n" for each in messages)
    return text + ("<|im_start|>assistant\n" if generation else "")


CHATML = """
{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def _llama2(messages: Messages, generation: bool) -> str:
    if messages[0]["role"] == "system":
        system, first, *rest = messages  # refuses a lone system turn by a ValueError
        merged = f"<<SYS>>\n{system['content']}\n<</SYS>>\n\n{first['content']}"
        messages = [{"role": first["role"], "content": merged}, *rest]
    assert all(each["role"] == "user" for each in messages[::2]), "user first, then in turns"
    assert all(each["role"] == "assistant" for each in messages[1::2]), "user first, then in turns"
    text = ""
    for each in messages:
        content = each["content"].strip()
        text += f"<s>[INST] {content} [/INST]" if each["role"] == "user" else f" {content} </s>"
    return text


LLAMA2 = """
{%- if messages[0]['role'] == 'system' %}
    {%- set loop_messages = messages[1:] %}
    {%- set system_message = messages[0]['content'] %}
    {%- if not loop_messages %}{{ raise_exception('a system turn alone') }}{% endif %}
{%- else %}
    {%- set loop_messages = messages %}
    {%- set system_message = none %}
{%- endif %}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) or message['role'] == 'system' %}
        {{- raise_exception('user first, then in turns') }}
    {%- endif %}
    {%- if loop.index0 == 0 and system_message is not none %}
        {%- set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}
    {%- else %}
        {%- set content = message['content'] %}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- else %}
        {{- ' ' + content.strip() + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}
"""


def _llama3(messages: Messages, generation: bool) -> str:
    def header(role: str) -> str:
        return f"<|start_header_id|>{role}<|end_header_id|>\n\n"

    text = "<|begin_of_text|>"
    for each in messages:
        text += header(each["role"]) + each["content"].strip() + "<|eot_id|>"
    return text + (header("assistant") if generation else "")


LLAMA3 = """
{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""


def _mistral(messages: Messages, generation: bool) -> str:
    roles = [each["role"] for each in messages]
    if roles != [("user", "assistant")[number % 2] for number in range(len(roles))]:
        raise ValueError("user and assistant must alternate")
    return "<s>" + "".join(
        f"[INST] {each['content']} [/INST]" if each["role"] == "user" else f"{each['content']}</s>"
        for each in messages
    )


MISTRAL = """
{{- bos_token }}
{%- for message in messages %}
    {%- if message['role'] != ['user', 'assistant'][loop.index0 % 2] %}
        {{- raise_exception('user and assistant must alternate') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- '[INST] ' + message['content'] + ' [/INST]' }}
    {%- else %}
        {{- message['content'] + eos_token }}
    {%- endif %}
{%- endfor %}
"""


def _zephyr(messages: Messages, generation: bool) -> str:
    turns = [f"<|{each['role']}|>\n{each['content']}</s>\n" for each in messages]
    return "".join(turns) + ("<|assistant|>\n" if generation else "")


ZEPHYR = """
{%- for message in messages %}
    {{- '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\\n' }}
{%- endif %}
"""


def _phi(messages: Messages, generation: bool) -> str:
    text = "".join(f"<|{each['role']}|>\n{each['content']}<|end|>\n" for each in messages)
    return text + ("<|assistant|>\n" if generation else "<|endoftext|>")


PHI = """
{%- for message in messages %}
    {{- '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}
{%- endfor %}
{{- '<|assistant|>\\n' if add_generation_prompt else eos_token }}
"""


def _vicuna(messages: Messages, generation: bool) -> str:
    text = "<s>A chat between a curious user and an AI. "
    if messages[0]["role"] == "system":
        text, messages = f"<s>{messages[0]['content']} ", messages[1:]
    for each in messages:
        assert each["role"] != "system", "a system turn comes first"
        content = each["content"]
        text += f"USER: {content} " if each["role"] == "user" else f"ASSISTANT: {content}</s>"
    return text + ("ASSISTANT:" if generation else "")


VICUNA = """
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {{- messages[0]['content'] + ' ' }}
    {%- set turns = messages[1:] %}
{%- else %}
    {{- 'A chat between a curious user and an AI. ' }}
    {%- set turns = messages %}
{%- endif %}
{%- for message in turns %}
    {%- if message['role'] == 'user' %}
        {{- 'USER: ' + message['content'] + ' ' }}
    {%- elif message['role'] == 'assistant' %}
        {{- 'ASSISTANT: ' + message['content'] + eos_token }}
    {%- else %}
        {{- raise_exception('a system turn comes first') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- 'ASSISTANT:' }}
{%- endif %}
"""

FORMATS = {
    "chatml": Format(_chatml, CHATML, None, "<|im_end|>", ("<|im_start|>", "<|im_end|>")),
    "llama2": Format(_llama2, LLAMA2, "<s>", "</s>"),
    "llama3": Format(_llama3, LLAMA3, "<|begin_of_text|>", "<|eot_id|>", ("<|start_header_id|>", "<|end_header_id|>")),
    "mistral": Format(_mistral, MISTRAL, "<s>", "</s>", ("[INST]", "[/INST]")),
    "phi": Format(_phi, PHI, None, "<|endoftext|>", ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")),
    "vicuna": Format(_vicuna, VICUNA, "<s>", "</s>"),
    "zephyr": Format(_zephyr, ZEPHYR, "<s>", "</s>"),
}
