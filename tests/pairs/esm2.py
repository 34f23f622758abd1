"""ESM-2 of fair-esm and `EsmForMaskedLM`: time first, rotary positions, rescaling for masked tokens, padding."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.stubs import stubbed
from pairs.weights import load, randomize
from transformers import EsmConfig, EsmForMaskedLM

from porting.runs import Inputs

with stubbed():
    from esm.data import Alphabet
    from esm.model.esm2 import ESM2 as Original

LAYERS, WIDTH, HEADS = 3, 48, 4


def build() -> Pair:
    """Two proteins, one with a masked token, the other padded."""
    alphabet = Alphabet.from_architecture("ESM-1b")
    original = Original(LAYERS, WIDTH, HEADS, alphabet, token_dropout=True)
    randomize(original)
    with torch.no_grad():
        original.embed_tokens.weight[alphabet.padding_idx] = 0
    ported = EsmForMaskedLM(_config(alphabet))
    state = original.state_dict()
    load(ported, converted("esm2", state, ported.config))
    modules = renamed_modules("esm2", state)
    del modules["contact_head.regression"]  # never called
    tokens = torch.randint(4, 24, (2, 14), generator=torch.Generator().manual_seed(0))
    tokens[:, 0], tokens[0, 13], tokens[0, 5] = alphabet.cls_idx, alphabet.eos_idx, alphabet.mask_idx
    tokens[1, 10:] = alphabet.padding_idx
    keep = tokens.ne(alphabet.padding_idx)
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"tokens": tokens}),
        Inputs(kwargs={"input_ids": tokens, "attention_mask": keep.long()}),
        {**modules, **{f"layers.{i}": f"esm.encoder.layer.{i}" for i in range(LAYERS)}, "lm_head": "lm_head"},
        lambda old, new: [("logits", old["logits"][keep], new.logits[keep])],
    )


def _config(alphabet: Alphabet) -> EsmConfig:
    return EsmConfig(
        vocab_size=len(alphabet),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        pad_token_id=alphabet.padding_idx,
        mask_token_id=alphabet.mask_idx,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
