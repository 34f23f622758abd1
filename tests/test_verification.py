"""Verification: verdicts, culprits and what they promise, on a port under other names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from seeded import BUGS, Break, lost_residual, tiny_eps_error, unloaded, verified, wrong_scale
from torch import nn
from toys import Original, Ported, make_inputs, make_pair

import porting
from porting import verify
from porting.errors import MismatchError, ToleranceError, TraceError
from porting.tolerance import Tolerance
from porting.trace import save_trace


def test_a_right_port_is_a_match() -> None:
    verification = verified()
    assert verification.verdict == "match"
    assert verification.ok
    assert verification.culprits == ()
    assert verification.first_divergence is None
    assert verification.uncovered == ()


@pytest.mark.parametrize("break_port", BUGS, ids=lambda bug: bug.__name__)
def test_a_bug_is_pinned_to_its_module(break_port: Break) -> None:
    verification = verified(break_port)
    assert verification.verdict in ("mismatch", "suspicious")
    assert verification.culprits[0].ported == BUGS[break_port]


def test_a_bug_below_the_tolerance_is_suspicious() -> None:
    verification = verified(tiny_eps_error)
    assert verification.verdict == "suspicious"
    assert verification.ok
    assert verification.culprits[0].ported == "model.layers.2.input_layernorm"
    assert any("eps" in text for text in verification.culprits[0].differences)
    assert not verified(tiny_eps_error, strict=True).ok


def test_two_bugs_are_found_in_one_run() -> None:
    def both(port: Any) -> None:
        wrong_scale(port)
        unloaded(port)

    assert [c.ported for c in verified(both).culprits] == ["model.layers.1.self_attn", "model.layers.2.mlp.down"]


def test_an_unloaded_weight_is_said_to_equal_nothing() -> None:
    culprit = verified(unloaded).culprits[0]
    assert culprit.where == "weights"
    assert "equals no tensor of the original" in culprit.differences[0]


def test_lost_glue_names_the_module_whose_forward_holds_it() -> None:
    culprit = verified(lost_residual).culprits[0]
    assert culprit.where == "glue"
    assert culprit.observation.where == "input"


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("threads", [1, 2])
def test_no_false_alarm_between_kernels_and_threads(attention: str, threads: int) -> None:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    original, ported = (
        BertModel(BertConfig(vocab_size=99, attn_implementation=implementation, **sizes)).eval()
        for implementation in ("eager", attention)
    )
    ported.load_state_dict(original.state_dict())
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ids = torch.randint(0, 99, (2, 5))
        verification = verify(original, ported, {"input_ids": ids, "attention_mask": mask})
    finally:
        torch.set_num_threads(before)
    assert verification.verdict == "match", verification.failure_message()


def test_a_recorded_original_gives_the_same_culprit(tmp_path: Path) -> None:
    live = verified(wrong_scale)
    _, ported = make_pair()
    wrong_scale(ported)
    _, second = make_inputs()
    replayed = verify(porting.open_trace(save_trace(live.original, tmp_path / "original")), ported, second)
    assert replayed.verdict == live.verdict
    assert [culprit.to_dict() for culprit in replayed.culprits] == [culprit.to_dict() for culprit in live.culprits]


def test_models_are_left_as_they_were_found() -> None:
    original, ported = make_pair()
    ported.get_submodule("model.layers.0.drop").train()
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in ported.state_dict().items()}
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = make_inputs()
    verify(original, ported, second, original_inputs=first)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in ported.modules())
    assert ported.get_submodule("model.layers.0.drop").training
    assert not ported.training
    for name, tensor in ported.state_dict().items():
        assert tensor.dtype == torch.float32
        assert tensor.data_ptr() == before[name][0]
        assert torch.equal(tensor, before[name][1])


def test_an_executed_parameter_that_nothing_compares_is_inconclusive() -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

    class Called(Body):
        def __init__(self) -> None:
            super().__init__()
            self.extra = nn.Linear(4, 2)

    torch.manual_seed(0)
    original, ported = Body(), Called()
    ported.linear.load_state_dict(original.linear.state_dict())

    def run(model: Any, inputs: Any) -> Any:
        result = model.linear(*inputs.args)
        model.extra(*inputs.args)
        return result

    verification = verify(
        original,
        ported,
        (torch.randn(3, 4),),
        run_original=lambda model, inputs: model.get_submodule("linear")(*inputs.args),
        run_ported=run,
    )
    assert verification.verdict == "inconclusive"
    assert verification.uncovered == ("extra.weight", "extra.bias")
    assert verification.exit_code == 3


def test_a_cache_that_is_given_does_not_grow_from_run_to_run() -> None:
    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, cache: SimpleNamespace) -> torch.Tensor:
            cache.keys = torch.cat([cache.keys, self.linear(x)], 1)
            result: torch.Tensor = cache.keys.softmax(1) @ x.transpose(1, 2)
            return result

    torch.manual_seed(0)
    original, ported = Cached(), Cached()
    ported.load_state_dict(original.state_dict())
    cache = SimpleNamespace(keys=torch.randn(2, 3, 4))
    verification = verify(original, ported, {"x": torch.randn(2, 5, 4), "cache": cache})
    assert verification.verdict == "match"
    assert cache.keys.shape == (2, 3, 4)


def test_rounding_is_estimated_for_a_port_that_refuses_float64() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.dtype == torch.float32
            result: torch.Tensor = self.linear(x)
            return result

    model = Picky()
    verification = verify(model, model, (torch.randn(2, 4),))
    assert verification.verdict == "match"
    assert "noise-estimated" in dict(verification.warnings)


def test_declared_outputs_decide() -> None:
    verification = verified(outputs=lambda one, other: [("logits", one, other["logits"])])
    assert [output.name for output in verification.comparison.outputs] == ["logits"]
    assert verification.verdict == "match"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, True])
def test_no_tolerance_lets_everything_pass(value: float) -> None:
    with pytest.raises(ToleranceError, match="finite number"):
        verified(unloaded, tolerance=Tolerance(value, 1e-3))


def test_a_recorded_original_that_ran_on_other_inputs_is_refused() -> None:
    original, ported = make_pair()
    first, second = make_inputs()
    ids = {"input_ids": first["tokens"]}
    trace = porting.capture(original, ids, run=lambda model, given: model(given.kwargs["input_ids"], first["mask"]))
    other = {**second, "input_ids": second["input_ids"] + 1}
    with pytest.raises(TraceError, match="another input_ids"):
        verify(trace, ported, other)


class Scaled(nn.Module):
    """A linear layer that insists on something of its input."""

    def __init__(self, insist: Callable[[torch.Tensor], object] = bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.insist = insist

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        if self.insist is not bool:
            self.insist(hidden)
        result: torch.Tensor = self.second(hidden)
        return result


def test_a_port_that_refuses_the_originals_tensors_is_not_judged_to_its_end() -> None:
    original, ported = Scaled(), Scaled()
    with torch.no_grad():
        ported.first.weight.mul_(1 + 1e-4)
    own = ported.first(torch.ones(2, 4)).detach().clone()

    def insist(hidden: torch.Tensor) -> None:
        if not torch.equal(hidden, own):
            raise ValueError("never seen")

    ported.insist = insist
    verification = verify(original, ported, (torch.ones(2, 4),))
    assert "never seen" in dict(verification.warnings)["isolation-stopped"]
    assert verification.verdict == "suspicious"
    assert verification.culprits[0].ported == "first"


def test_a_port_that_asserts_its_precision_has_its_rounding_estimated() -> None:
    def insist(hidden: torch.Tensor) -> None:
        assert hidden.dtype == torch.float32

    verification = verify(Scaled(), Scaled(insist), (torch.ones(2, 4),))
    assert verification.verdict == "match"
    assert "noise-estimated" in dict(verification.warnings)


def test_a_port_may_view_what_a_time_first_original_is_fed_into_it() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.linear(x.view(x.shape[0], -1).view(x.shape))
            return result

    class Outer(nn.Module):
        def __init__(self, *, time_first: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.inner, self.time_first = Inner(), time_first

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            turned = self.inner(x.transpose(0, 1).contiguous()).transpose(0, 1) if self.time_first else self.inner(x)
            result: torch.Tensor = turned.contiguous()
            return result

    models = Outer(time_first=True).eval(), Outer(time_first=False).eval()
    verification = verify(*models, inputs=(torch.randn(2, 5, 4),))
    assert verification.verdict == "match"
    assert ("inner", "inner") in verification.comparison.alignment.pairs


def test_complex_and_real_results_differ_by_the_imaginary_part() -> None:
    class Fourier(nn.Module):
        def __init__(self, *, real: bool) -> None:
            super().__init__()
            self.real = real

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = torch.fft.fft(x)
            return result.real if self.real else result

    assert verify(Fourier(real=False), Fourier(real=True), (torch.randn(2, 4),)).verdict == "mismatch"


def test_the_assertion_names_what_differs() -> None:
    verified().assert_ok()
    with pytest.raises(MismatchError, match=r"model\.layers\.2\.mlp\.down.*\n.*weight differs"):
        verified(unloaded).assert_ok()


def test_the_document_is_plain_json() -> None:
    document = json.loads(json.dumps(verified(unloaded).to_dict(), allow_nan=False))
    assert document["verdict"] == "mismatch"
    assert document["culprits"][0]["ported"] == "model.layers.2.mlp.down"


def test_a_model_is_the_same_as_itself_and_not_as_another() -> None:
    first, _ = make_inputs()
    torch.manual_seed(0)
    assert verify(Original().eval(), make_pair()[0], first).verdict == "mismatch"
    assert verify(make_pair()[0], make_pair()[0], first).verdict == "match"
    assert isinstance(make_pair()[1], Ported)


def test_valid_positions_of_none_count_everything() -> None:
    original, ported = make_pair()
    first, second = make_inputs()
    by_default = verify(original, ported, second, original_inputs=first)
    everything = verify(original, ported, second, original_inputs=first, valid_positions=None)
    assert by_default.comparison.outputs[0].numbers.masked > 0
    assert everything.comparison.outputs[0].numbers.masked == 0
