"""Mamba of mambapy and `MambaForCausalLM`: a state space, scanned by other algorithms."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted, renamed_modules
from pairs.stubs import stubbed
from pairs.weights import load, randomize
from transformers import MambaConfig, MambaForCausalLM

from porting.runs import Inputs

with stubbed("mamba_ssm", "causal_conv1d", "triton"):
    from mambapy.lm import LM
    from mambapy.mamba import MambaConfig as OriginalConfig

VOCABULARY, WIDTH, LAYERS, STATES = 97, 32, 3, 8


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
    state = original.state_dict()
    load(ported, converted("mamba", state, ported.config))
    ids = torch.randint(3, VOCABULARY, (2, 14), generator=torch.Generator().manual_seed(0))
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"tokens": ids}),
        Inputs(kwargs={"input_ids": ids, "use_cache": False}),
        _known(renamed_modules("mamba", state)),
        lambda old, new: [("logits", old, new.logits)],
        attentions=(),
    )


def _special(name: str, noise: torch.Tensor) -> torch.Tensor | None:
    """States that decay, at several speeds."""
    return 0.5 * noise if name.endswith("A_log") else None


def _known(modules: dict[str, str]) -> dict[str, str]:
    """Without what is not called: the original's projection of step sizes, the port's convolution."""
    called = {old: new for old, new in modules.items() if not old.endswith(("dt_proj", "conv1d"))}
    ends = ("", ".mixer")
    return called | {f"mamba.layers.{i}{end}": f"backbone.layers.{i}{end}" for i in range(LAYERS) for end in ends}
