"""Small decoders of Transformers with mistakes that show only where there is a cache."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": None,
}


class Decoder(LlamaForCausalLM):  # type: ignore[misc]
    """Without a mistake; ``read`` tells how many tokens are in the cache."""

    @staticmethod
    def read(cache: Any) -> int:
        return 0 if cache is None else int(cache.get_seq_length())


class PositionsRestart(Decoder):
    def forward(
        self, input_ids: Any = None, past_key_values: Any = None, position_ids: Any = None, **rest: Any
    ) -> Any:
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1])[None]
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, position_ids=position_ids, **rest)


class PositionsOneTooFar(Decoder):
    def forward(
        self, input_ids: Any = None, past_key_values: Any = None, position_ids: Any = None, **rest: Any
    ) -> Any:
        read = self.read(past_key_values)
        if position_ids is None:
            position_ids = torch.arange(read, read + input_ids.shape[1])[None] + (read > 0)
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, position_ids=position_ids, **rest)


class Forgets(Decoder):
    def forward(
        self, input_ids: Any = None, past_key_values: Any = None, attention_mask: Any = None, **rest: Any
    ) -> Any:
        mask = None if attention_mask is None else attention_mask[:, -input_ids.shape[1] :]
        return super().forward(input_ids=input_ids, attention_mask=mask, **rest)


class MaskHalved(Decoder):
    """Lets a token see only half of those that are in the cache."""

    def forward(
        self, input_ids: Any = None, past_key_values: Any = None, attention_mask: Any = None, **rest: Any
    ) -> Any:
        read = self.read(past_key_values)
        if attention_mask is not None and read:
            attention_mask = attention_mask.clone()
            attention_mask[:, : read // 2] = 0
        return super().forward(
            input_ids=input_ids, past_key_values=past_key_values, attention_mask=attention_mask, **rest
        )


class PreparesWrongly(Decoder):
    """Right in its forward; generation gives it positions that do not go on."""

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super().prepare_inputs_for_generation(*args, **kwargs)
        if self.read(prepared.get("past_key_values")):
            prepared["position_ids"] = torch.zeros_like(prepared["input_ids"])
        return prepared


class Refuses(Decoder):
    def forward(self, input_ids: Any = None, past_key_values: Any = None, **rest: Any) -> Any:
        if self.read(past_key_values):
            raise TypeError("a tuple of tuples is expected")
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, **rest)


class WindowLost(MistralForCausalLM):  # type: ignore[misc]
    """Has no window where there is a cache."""

    def forward(self, input_ids: Any = None, past_key_values: Any = None, **rest: Any) -> Any:
        window = self.config.sliding_window
        self.model.config.sliding_window = 4096 if Decoder.read(past_key_values) else window
        try:
            return super().forward(input_ids=input_ids, past_key_values=past_key_values, **rest)
        finally:
            self.model.config.sliding_window = window


def decoder(kind: type[Any] = Decoder, **settings: Any) -> Any:
    """A decoder with weights that tell tokens and places apart."""
    torch.manual_seed(0)
    config = MistralConfig if issubclass(kind, MistralForCausalLM) else LlamaConfig
    model = kind(config(**{**SIZES, **settings})).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model


def text(rows: int = 2, length: int = 10) -> dict[str, torch.Tensor]:
    """A text, and a mask of ones."""
    torch.manual_seed(1)
    tokens = torch.randint(1, SIZES["vocab_size"], (rows, length))
    return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
