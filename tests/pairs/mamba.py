"""Mamba of mambapy and `MambaForCausalLM`: a state space, scanned by other algorithms."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.stubs import stubbed
from pairs.weights import load, randomize, renamed
from transformers import MambaConfig, MambaForCausalLM

from porting.runs import Inputs

with stubbed("mamba_ssm", "causal_conv1d", "triton"):
    from mambapy.lm import LM
    from mambapy.mamba import MambaConfig as OriginalConfig

VOCABULARY, WIDTH, LAYERS, STATES = 97, 32, 3, 8
PARTS = ("norm", "mixer.in_proj", "mixer.conv1d", "mixer.x_proj", "mixer.dt_proj", "mixer.out_proj")


def build() -> Pair:
    """Two rows of 14 tokens."""
    original = LM(OriginalConfig(d_model=WIDTH, n_layers=LAYERS, d_state=STATES), VOCABULARY)
    randomize(original, _special)
    ported = MambaForCausalLM(
        MambaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            state_size=STATES,
            tie_word_embeddings=False,
            residual_in_fp32=False,
        )
    )
    modules = _modules()
    mixers = {f"mamba.layers.{i}.mixer": f"backbone.layers.{i}.mixer" for i in range(LAYERS)}
    load(ported, renamed(original.state_dict(), {**modules, **mixers}))
    ids = torch.randint(3, VOCABULARY, (2, 14), generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"tokens": ids}),
        Inputs(kwargs={"input_ids": ids, "use_cache": False}),
        _known(modules, mixers),
        lambda old, new: [("logits", old, new.logits)],
        attentions=(),
    )


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    """States that decay, at several speeds."""
    return 0.5 * noise if name.endswith("A_log") else None


def _modules() -> dict[str, str]:
    modules = {"embedding": "backbone.embeddings", "norm_f": "backbone.norm_f", "lm_head": "lm_head"}
    return modules | {
        f"mamba.layers.{i}.{part}": f"backbone.layers.{i}.{part}" for i in range(LAYERS) for part in PARTS
    }


def _known(modules: dict[str, str], mixers: dict[str, str]) -> dict[str, str]:
    """Without what is not called: the original's projection of step sizes, the port's convolution."""
    layers = {f"mamba.layers.{i}": f"backbone.layers.{i}" for i in range(LAYERS)}
    called = {old: new for old, new in modules.items() if not old.endswith(("dt_proj", "conv1d"))}
    return {**called, **mixers, **layers}
