"""Seven ways to load a wrong model with a clean report of Transformers: each is found and named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import PermuteForRope, WeightConverter
from weights.audit.silent import InTree, State, Tiny, TinyConfig, WithPlainTensor, loaded, rewrite, saved_llama

from porting.weights import Convert, Finding, PermuteRope, Rename, WeightsReport, audit_loaded

ATTENTION = "model.layers.0.self_attn"


def failures(report: WeightsReport) -> dict[str, tuple[str, str]]:
    return {finding.name: (finding.status, finding.cause) for finding in report.failures()}


def note(report: WeightsReport, name: str) -> str:
    return next(finding.note for finding in report.findings if finding.name == name)


class PermutedLlama(LlamaForCausalLM):  # type: ignore[misc]
    """Loads checkpoints whose rotation takes pairs."""


register_checkpoint_conversion_mapping(
    "PermutedLlama",
    [WeightConverter(f"{name}.weight", f"{name}.weight", [PermuteForRope()]) for name in ("q_proj", "k_proj")],
)


def test_query_and_key_exchanged_in_a_conversion(tmp_path: Path) -> None:
    original = saved_llama(tmp_path)
    exchanged = {"q_proj": "k_proj", "k_proj": "q_proj"}
    rewrite(tmp_path, {re.sub("[qk]_proj", lambda m: exchanged[m[0]], name): each for name, each in original.items()})
    report = audit_loaded(loaded(LlamaForCausalLM, tmp_path), original)
    wrong = {name for name in original if "q_proj" in name or "k_proj" in name}
    assert failures(report) == dict.fromkeys(wrong, ("VALUE", "swapped"))
    finding = report.of("VALUE")[0]
    assert finding.name == f"{ATTENTION}.k_proj.weight"
    assert finding.other == (f"{ATTENTION}.q_proj.weight",)
    assert "the two are exchanged" in finding.note


def test_two_names_for_one_target(tmp_path: Path) -> None:
    original = saved_llama(tmp_path)
    original["model.final.weight"] = original["model.norm.weight"] + 1
    rewrite(tmp_path, original)
    model = loaded(LlamaForCausalLM, tmp_path, key_mapping={r"model\.final": "model.norm"})
    report = audit_loaded(model, original, {"model.final.weight": "model.norm.weight"})
    assert failures(report) == {"model.norm.weight": ("COLLISION", "")}
    norm = model.model.norm.weight
    held = next(name for name in ("model.final", "model.norm") if torch.equal(original[f"{name}.weight"], norm))
    assert note(report, "model.norm.weight") == f"the model holds {held}.weight of the checkpoint"


def tiny(kind: type[Tiny], folder: Path) -> tuple[Tiny, State]:
    torch.manual_seed(3)
    made = kind(TinyConfig())
    torch.nn.init.uniform_(made.layer.weight)
    made.save_pretrained(folder)
    return loaded(kind, folder), {name: tensor.clone() for name, tensor in made.state_dict().items()}


def test_weights_initialised_again_after_they_were_loaded(tmp_path: Path) -> None:
    model, original = tiny(InTree, tmp_path)
    report = audit_loaded(model, original)
    assert failures(report) == {"layer.weight": ("VALUE", "not-loaded")}
    assert "looks like a normal random start" in note(report, "layer.weight")
    assert "initialised again" in note(report, "layer.weight")


def test_a_buffer_that_is_not_saved_and_was_not_computed_again(tmp_path: Path) -> None:
    model, original = tiny(Tiny, tmp_path)
    assert not torch.equal(model.angles, Tiny(TinyConfig()).angles)
    report = audit_loaded(model, original)
    assert failures(report) == {"angles": ("VALUE", "buffer-wrong")}
    assert "not what the class computes" in note(report, "angles")


def test_a_plain_tensor_left_on_meta(tmp_path: Path) -> None:
    model, original = tiny(WithPlainTensor, tmp_path)
    assert failures(audit_loaded(model, original))["table"] == ("META", "buffer-wrong")


def test_a_rope_permutation_with_the_number_of_query_heads(tmp_path: Path) -> None:
    original = saved_llama(tmp_path, num_key_value_heads=2, head_dim=16)
    names = {name: f"model.layers.{{}}.self_attn.{name}.weight" for name in ("q_proj", "k_proj")}
    rules = [
        Convert(names[name].format("{i:d}"), names[name].format("{i}"), PermuteRope(heads, "halves"))
        for name, heads in (("q_proj", 8), ("k_proj", "num_key_value_heads"))
    ]
    rules.append(Rename("{rest:*}", "{rest}"))
    model = loaded(PermutedLlama, tmp_path)
    report = audit_loaded(model, original, rules)
    keys = [f"model.layers.{layer}.self_attn.k_proj.weight" for layer in range(2)]
    assert failures(report) == dict.fromkeys(keys, ("VALUE", "permuted"))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_tied_config_over_a_head_of_its_own(tmp_path: Path, layers: int) -> None:
    original = saved_llama(tmp_path, tie_word_embeddings=True, num_hidden_layers=layers)
    original["lm_head.weight"] = original["model.embed_tokens.weight"] + 1
    rewrite(tmp_path, original)
    report = audit_loaded(loaded(LlamaForCausalLM, tmp_path), original)
    assert [(finding.status, finding.name, finding.cause) for finding in report.findings] == [
        ("UNTIED", "lm_head.weight", "untied")
    ]
    assert report.findings[0].other == ("model.embed_tokens.weight",)


def test_what_was_loaded_rightly_has_no_finding(tmp_path: Path) -> None:
    original = saved_llama(tmp_path)
    report = audit_loaded(loaded(LlamaForCausalLM, tmp_path), original)
    assert report.ok
    assert report.findings == tuple[Finding]()
