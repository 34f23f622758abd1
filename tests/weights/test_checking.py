from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertModel

from porting.errors import CheckpointError, MismatchError, PortingError
from porting.report.weights import render_weights
from porting.weights import WeightsReport, build_on_meta, check_weights

if TYPE_CHECKING:
    from pathlib import Path


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("positions", torch.arange(5), persistent=False)


def layers(count: int = 4) -> nn.Module:
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(count)))


def printed(report: WeightsReport, width: int = 100) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(render_weights(report))
    return capture.get()


@pytest.fixture(scope="module")
def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=16,
    )


def test_a_models_own_checkpoint_matches(tmp_path: Path) -> None:
    model = layers()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    report = check_weights(tmp_path, model)
    assert report.ok
    assert (report.matched, report.total, report.findings) == (8, 8, ())
    report.assert_ok()


def test_missing_unexpected_and_mismatched_are_all_listed() -> None:
    state = layers().state_dict()
    del state["0.weight"]
    state |= {"1.weight": torch.ones(3, 2), "old.0.x": torch.ones(1), "old.1.x": torch.ones(1)}
    report = check_weights(state, layers())
    document = report.to_dict()
    assert not report.ok
    assert document["missing"] == ["0.weight"]
    assert document["unexpected"] == ["old.0.x", "old.1.x"]
    assert document["mismatched"] == [{"name": "1.weight", "checkpoint_shape": [3, 2], "model_shape": [3, 3]}]
    assert (document["matched"], document["schema"]) == (6, 1)
    json.dumps(document, allow_nan=False)
    with pytest.raises(MismatchError, match=r"MISMATCH 1\.weight.*\n.*MISSING 0\.weight"):
        report.assert_ok()


def test_unexpected_alone_fails_only_when_strict() -> None:
    model = layers()
    state = {**model.state_dict(), "extra": torch.ones(1)}
    assert check_weights(state, model).ok
    strict = check_weights(state, model, strict=True)
    assert not strict.ok
    assert "UNEXPECTED extra" in strict.failure_message()


def test_nothing_matched_is_never_ok() -> None:
    report = check_weights({"other": torch.ones(1)}, nn.Identity())
    assert not report.ok
    assert report.summary().startswith("no weight matched")


def test_another_dtype_is_told_and_does_not_fail() -> None:
    model = layers(1)
    report = check_weights({name: value.half() for name, value in model.state_dict().items()}, model)
    assert report.ok
    assert report.to_dict()["dtype"][0] == {
        "name": "0.weight",
        "checkpoint_dtype": "float16",
        "model_dtype": "float32",
    }


def test_a_transposed_matrix_is_suspected() -> None:
    report = check_weights({"weight": torch.ones(3, 2)}, nn.Linear(3, 2, bias=False))
    assert report.of("MISMATCH")[0].note == "transposed?"


def test_a_tied_weight_may_be_missing_and_non_persistent_buffers_are_not_expected() -> None:
    report = check_weights(
        {"embed.weight": torch.ones(5, 4), "scale": torch.ones(1), "positions": torch.arange(5)}, Tied()
    )
    assert report.ok
    assert report.to_dict()["tied"] == [{"name": "head.weight", "tied_to": "embed.weight"}]
    assert report.to_dict()["unexpected"] == ["positions"]


def test_a_tied_pair_of_which_neither_is_there_is_missing_twice() -> None:
    report = check_weights({"scale": torch.ones(1)}, Tied())
    assert [finding.name for finding in report.of("MISSING")] == ["embed.weight", "head.weight"]


def test_a_tied_head_that_the_checkpoint_has_too_is_pointed_out() -> None:
    state = {"embed.weight": torch.ones(5, 4), "head.weight": torch.zeros(5, 4), "scale": torch.ones(1)}
    report = check_weights(state, Tied())
    assert [remark.code for remark in report.warnings] == ["tied-and-present"]


def test_rules_rename_and_leave_out() -> None:
    model = layers(1)
    state = {"w": torch.ones(3, 3), "b": torch.ones(3), "step": torch.ones(1)}
    by_mapping = check_weights(state, model, {"w": "0.weight", "b": "0.bias", "step": None, "typo": "x"})
    by_function = check_weights(state, model, lambda name: {"w": "0.weight", "b": "0.bias"}.get(name))
    assert by_mapping.ok
    assert by_function.ok
    assert not by_mapping.of("UNEXPECTED")
    assert [remark.code for remark in by_mapping.warnings] == ["dropped", "unused-rule"]


def test_two_names_for_one_weight_collide() -> None:
    state = {"a": torch.ones(3, 3), "b": torch.zeros(3, 3), "0.bias": torch.ones(3)}
    report = check_weights(state, layers(1), lambda name: "0.weight" if name in "ab" else name)
    assert not report.ok
    assert report.to_dict()["collisions"] == [{"name": "0.weight", "sources": ["a", "b"]}]


@pytest.mark.parametrize(
    "rules",
    [[("a", "b")], lambda name: 3, lambda name: 1 / 0],
    ids=["a list", "gives a number", "raises"],
)
def test_unusable_rules_are_an_error(rules: Any) -> None:
    with pytest.raises(PortingError, match="rules"):
        check_weights({"a": torch.ones(1)}, layers(1), rules)


def test_a_nested_checkpoint_says_where_its_state_dict_is() -> None:
    with pytest.raises(CheckpointError) as error:
        check_weights({"epoch": 3, "model": {"w": torch.ones(1)}}, layers(1))
    assert "model" in error.value.hint


def test_lazy_and_sparse_tensors_are_refused() -> None:
    with pytest.raises(PortingError, match="lazy"):
        check_weights({"weight": torch.ones(1)}, nn.LazyLinear(3))
    with pytest.raises(PortingError, match="dense"):
        check_weights({"weight": torch.eye(3).to_sparse()}, nn.Linear(3, 3))


def test_equal_rows_fold_and_unequal_ones_do_not() -> None:
    shapes = [(3, 2), (3, 2), (2, 3), (3, 2)]
    state = {f"{i}.weight": torch.ones(shape) for i, shape in enumerate(shapes)}
    text = printed(check_weights(state, layers()))
    assert "{0, 1, 3}.weight" in text
    assert "\nMISMATCH  2.weight" in text
    assert "{0...3}.bias" in text


def test_hostile_names_are_escaped_everywhere() -> None:
    name = "\x1b[31m[bold]x[/a]\n\u202eend"
    report = check_weights({name: torch.ones(1), "0.bias": torch.ones(3)}, layers(1), strict=True)
    for text in (printed(report), report.failure_message(), repr(report)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert r"\x1b[31m[bold]x[/a]\n\u202eend" in printed(report)
    assert report.to_dict()["unexpected"] == [name]


def test_a_transformers_model_on_meta_takes_its_own_checkpoint(tmp_path: Path, bert_config: BertConfig) -> None:
    BertModel(bert_config).save_pretrained(tmp_path)
    report = check_weights(tmp_path, build_on_meta(BertModel, bert_config))
    assert report.ok
    assert report.matched == report.total > 50
    assert not report.findings


def test_the_base_models_prefix_is_handled_as_from_pretrained_does(tmp_path: Path, bert_config: BertConfig) -> None:
    for saved, loaded, verb in (
        (BertModel, BertForMaskedLM, "adding"),
        (BertForMaskedLM, BertModel, "removing"),
    ):
        folder = tmp_path / verb
        saved(bert_config).save_pretrained(folder)
        report = check_weights(folder, build_on_meta(loaded, bert_config))
        _, info = loaded.from_pretrained(folder, output_loading_info=True)
        assert {finding.name for finding in report.of("MISSING")} == info["missing_keys"]
        assert {finding.name for finding in report.of("UNEXPECTED")} == info["unexpected_keys"]
        assert [remark.code for remark in report.warnings] == ["base-model-prefix"]
        assert f"after {verb} bert." in report.warnings[0].message


def test_a_head_tied_by_the_config_may_be_missing(tmp_path: Path, bert_config: BertConfig) -> None:
    BertForMaskedLM(bert_config).save_pretrained(tmp_path)
    report = check_weights(tmp_path, build_on_meta(BertForMaskedLM, bert_config))
    assert report.ok
    assert {finding.name for finding in report.of("TIED")} == {
        "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias",
    }


def test_meta_models_get_the_dtype_of_their_config(bert_config: BertConfig) -> None:
    before = torch.get_default_dtype()
    model = build_on_meta(BertModel, BertConfig(**{**bert_config.to_dict(), "dtype": torch.bfloat16}))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    assert torch.get_default_dtype() == before


def test_a_constructor_that_fails_on_meta_is_named() -> None:
    class Reads(nn.Module):
        def __init__(self, config: object) -> None:
            super().__init__()
            self.size = torch.ones(1).item()

    with pytest.raises(PortingError, match=r"Reads\(config\) cannot be built on the meta device"):
        build_on_meta(Reads, None)
