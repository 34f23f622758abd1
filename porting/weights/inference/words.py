"""The words of the field: what is called differently and means the same."""

from __future__ import annotations

import re
from functools import lru_cache

NORM = r"_?(?:layer_?norm|rms_?norm|norm|ln)"
ATTENTION = r"(?:self_)?att(?:entio)?n"
FEED = r"(?:mlp|ffn|ff|feed_?forward)"
NORMS = (
    (rf"post_(?:{ATTENTION}){NORM}", "firstpost_norm"),
    (rf"post_{FEED}{NORM}", "secondpost_norm"),
    (rf"(?<![a-z_])(?:input|(?:pre_)?{ATTENTION}){NORM}(?![a-z])", "first_norm"),
    (rf"(?<![a-z_])(?:pre_)?{FEED}{NORM}(?![a-z])", "second_norm"),
    (r"(?<![a-z_])(?:layer_?norm_?(?:1|before)|norm_?1|ln_?1)(?![a-z\d])", "first_norm"),
    (r"(?<![a-z_])(?:layer_?norm_?(?:2|after)|norm_?2|ln_?2)(?![a-z\d])", "second_norm"),
    (r"(?<=\d\.)final_?layer_?norm", "second_norm"),
)
"""The norms of a layer by their place: before its attention, before its feed-forward part, and after each."""

PHRASES = (
    *NORMS,
    (
        r"enc(?:oder)?_?dec(?:oder)?_?att(?:entio)?n|encoder_att(?:entio)?n|multihead_attn|cross_?att(?:entio)?n",
        "crossattn",
    ),
    (r"self_?att(?:entio)?n|attention\.self\b", "attn"),
    (r"token_type|segment", "kind"),
    (r"query_key_value|in_proj(?=_|$)|c_attn|w_?qkv", "qkv"),
    (r"key_value", "kv"),
    (r"layer_?norm|lay(?:e)?rnorm|batch_?norm|group_?norm|rms_?norm|normalization", "norm"),
    (r"layer_?scale(?:_parameter)?|\blambda(?=_?\d)|\bgamma(?=_?\d)", "scale"),
    (r"dense_h_to_4h|pw_?conv_?1|lin(?:ear)?_?1|c_fc|intermediate(?:_dense|\.dense)?|\bwi\b|\bfc_?in\b|\bfc1\b", "up"),
    (r"dense_4h_to_h|pw_?conv_?2|lin(?:ear)?_?2|output_dense|\bfc_?out\b|\bfc2\b", "down"),
    (r"\bwi_?0\b", "gate"),
    (r"\bwi_?1\b", "up"),
    (r"(?<=mlp\.)(?:c_)?proj|(?<=ffn\.)(?:c_)?proj", "down"),
    (r"lm_head|embed_out|proj_out|classifier|unembed", "head"),
    (r"in_proj_(?=weight|bias)", "qkv"),
    (r"feed_?forward|dense_?relu_?dense|block_sparse_moe", "mlp"),
    (r"parametrizations\.weight\.original0", "weight_g"),
    (r"parametrizations\.weight\.original1", "weight_v"),
)
"""Parts of names, as they stand between dots, and what they become before the names are cut into words."""

SYNONYMS = {
    "q": ("query", "queries", "wq"),
    "k": ("key", "keys", "wk"),
    "v": ("value", "values", "wv"),
    "out": ("o", "output", "wo", "dense", "proj", "projection"),
    "attn": ("attention", "att", "mha", "sa"),
    "crossattn": ("cross", "ca", "xattn"),
    "mlp": ("ffn", "ff", "moe"),
    "norm": ("ln", "bn", "gn", "rms"),
    "embed": ("embedding", "embeddings", "emb", "embedder", "embd"),
    "token": ("tok", "word", "words", "tokens", "vocab"),
    "position": ("pos", "positional", "positions"),
    "wte": (),
    "vision": ("visual", "image", "img", "vit"),
    "text": ("language", "txt"),
    "encoder": ("enc",),
    "decoder": ("dec",),
    "conv": ("convolution", "conv1d", "conv2d", "convtr", "dwconv", "dw"),
    "layer": ("layers", "blocks", "block", "resblocks", "h", "stages"),
    "post": ("after", "final", "last"),
    "pre": ("before", "input"),
    "downsample": ("shortcut", "downsampling"),
    "class": ("cls",),
    "expert": ("experts",),
    "scale": ("gamma", "lambda"),
    "wpe": (),
}
SPELT = {
    "wte": ("token", "embed"),
    "wpe": ("position", "embed"),
    "qkv": ("q", "k", "v", "qkv"),
    "kv": ("k", "v", "kv"),
}
"""Words that stand for several."""

MOST = 48
"""Words of a name that are read, the last ones."""
LEAVES = {
    "weight": "weight",
    "kernel": "weight",
    "scale": "weight",
    "gamma": "weight",
    "g": "weight",
    "bias": "bias",
    "beta": "bias",
    "b": "bias",
    "offset": "bias",
    "mean": "mean",
    "var": "var",
    "tracked": "count",
}
FILLERS = frozenset({"model", "module", "transformer", "net", "backbone", "weight", "bias", "running"})
"""Words that tell little wherever they stand."""

BLOCKS = {
    "attn": frozenset({"attn", "crossattn", "q", "k", "v", "qkv"}),
    "mlp": frozenset({"mlp", "up", "down", "gate", "expert", "router"}),
}
"""Words that say in which half of a layer a tensor is."""

_CANONICAL = {other: word for word, others in SYNONYMS.items() for other in (word, *others)}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PIECE = re.compile(r"[a-z]+|\d+")


@lru_cache(maxsize=1 << 16)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in their order, each in its usual form; without numbers."""
    found: list[str] = []
    for word in _PIECE.findall(normal(name)):
        if not word.isdigit():
            usual = _CANONICAL.get(word, word)
            found += SPELT.get(usual, (usual,))
    return tuple(found[-MOST:])


@lru_cache(maxsize=1 << 16)
def normal(name: str) -> str:
    """A name in small letters, words of several parts in their usual form."""
    text = _CAMEL.sub("_", name).lower()
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    return text


_COMPILED = [(re.compile(pattern), replacement) for pattern, replacement in PHRASES]


@lru_cache(maxsize=1 << 16)
def leaf(name: str) -> str:
    """What a tensor is to its module: ``weight``, ``bias``, ``mean``, ``var``, ``count``, ``g``, ``v``, or nothing."""
    last = normal(name).rsplit(".", 1)[-1]
    pieces = re.findall(r"[a-z]+", last)
    if last.endswith(("weight_g", "weight_v")):
        return last[-1]
    return LEAVES.get(pieces[-1], "") if pieces else ""


@lru_cache(maxsize=1 << 16)
def block(name: str) -> str:
    """``attn`` or ``mlp`` if the name says that a tensor is there, and nothing if it says neither or both."""
    found = set(words(name))
    said = [block for block, telling in BLOCKS.items() if found & telling]
    return said[0] if len(said) == 1 else ""


def nearness(one: str, other: str) -> float:
    """0 to 1, how much two words are one: equal, or one the beginning of the other."""
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    return 0.6 if len(short) >= 3 and long.startswith(short) else 0.0
