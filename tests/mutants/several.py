"""Bugs that are seeded together, each in a layer of its own."""

from __future__ import annotations

from mutants.catalogue import of
from mutants.mutant import Mutant

TOGETHER = {
    "bert": (
        ("norms.eps_large", "attention.merge_heads"),
        ("norms.eps_large", "attention.merge_heads", "attention.fewer_heads"),
    ),
    "minilm": (
        ("positions.token_types_missing", "weights.layers_exchanged"),
        ("positions.token_types_missing", "positions.off_by_one", "weights.layers_exchanged"),
    ),
    "whisper": (
        ("convolutions.padding_replicated", "attention.scale_twice"),
        ("blocks.tanh_for_erf", "weights.bias_missing", "norms.mean_kept"),
    ),
    "vit": (
        ("norms.eps_large", "weights.qk_swapped"),
        ("attention.split_heads", "blocks.residual_from_norm", "attention.scale_missing"),
    ),
    "llama": (
        ("weights.kv_swapped", "weights.transposed"),
        ("norms.eps_outside_root", "weights.gate_up_swapped", "attention.kv_repeated_in_blocks"),
    ),
    "pythia": (
        ("blocks.tanh_for_erf", "attention.causal_shifted"),
        ("blocks.tanh_for_erf", "blocks.in_sequence", "weights.gamma_beta_swapped"),
    ),
    "esm2": (
        ("norms.eps_large", "weights.bias_zero"),
        ("attention.mask_weak", "weights.bias_zero", "norms.final_missing"),
    ),
    "resnet": (
        ("weights.running_stats_not_loaded", "convolutions.dilated"),
        ("norms.eps_large", "weights.running_stats_not_loaded", "modes.batch_norm_training"),
    ),
    "encodec": (
        ("convolutions.padding_mode", "weights.lstm_gates"),
        ("weights.weight_norm_forgotten", "convolutions.causal_missing", "convolutions.trimmed_at_the_front"),
    ),
    "mixtral": (
        ("routing.one_expert", "blocks.residual_missing_around_mlp"),
        ("attention.kv_repeated_in_blocks", "routing.not_normalised", "weights.kv_swapped"),
    ),
    "gemma2": (
        ("weights.gate_up_swapped", "windows.window_missing"),
        ("attention.softcap_missing", "norms.one_forgotten", "weights.rows_interleaved"),
    ),
    "mamba": (
        ("states.b_c_swapped", "states.skip_missing"),
        ("states.gate_first", "blocks.residual_missing_around_mixer", "states.step_not_positive"),
    ),
    "clip": (
        ("weights.bias_missing", "weights.kv_swapped"),
        ("attention.mask_missing", "blocks.layer_repeated", "towers.text_positions_zero"),
    ),
    "swin": (
        ("norms.eps_large", "windows.relative_bias_missing"),
        ("windows.relative_bias_transposed", "windows.merged_by_row", "weights.bias_zero"),
    ),
    "convnext": (
        ("convolutions.dilated", "towers.layer_scale_missing"),
        ("convolutions.dilated", "norms.eps_slightly_large", "weights.kernel_transposed"),
    ),
}


def groups(pair: str) -> list[list[Mutant]]:
    """The mutants of one pair that are seeded together."""
    by_name = {mutant.name: mutant for mutant in of(pair)}
    return [[by_name[name] for name in names] for names in TOGETHER.get(pair, ())]
