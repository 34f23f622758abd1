"""Diagnosis: a cause is believed when its repair, run on the live port, leaves nothing but rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import pytest
import torch
from seeded import lost_residual, verified, wrong_eps
from torch import nn
from toys import make_inputs, make_pair

from porting import capture, verify
from porting.diagnosis import changes, diagnosing
from porting.diagnosis.cause import Case, Cause, Repair
from porting.diagnosis.causes import all_causes

NORM = "model.layers.2.input_layernorm"
Propose = Callable[[Case], Iterator[Repair]]


def only(monkeypatch: pytest.MonkeyPatch, *proposals: Propose) -> None:
    """Let diagnosis know nothing but causes that propose these."""

    def cause(propose: Propose) -> Cause:
        class Proposing(Cause):
            codes: ClassVar = ("test",)
            rank: ClassVar = 0

            def repairs(self, case: Case) -> Iterator[Repair]:
                return propose(case)

        return Proposing()

    monkeypatch.setattr(diagnosing, "all_causes", lambda: [cause(propose) for propose in proposals])


def right_eps(case: Case) -> Iterator[Repair]:
    yield Repair("test", "eps", "mend it", partial(changes.setting, case.module, "eps", 1e-6))


def instead(right: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return right


def wrong_guess(case: Case) -> Iterator[Repair]:
    yield Repair("wrong", "eps", "mend it", partial(changes.setting, case.module, "eps", 1e-4), recognised=True)


def raising(case: Case) -> Iterator[Repair]:
    def forward(*_: Any) -> None:
        raise ValueError("no such thing")

    yield Repair("raises", "it", "mend it", partial(changes.forward, case.module, forward), recognised=True)


def untried(case: Case) -> Iterator[Repair]:
    yield Repair("seen", "a weight differs", "load it")


def test_a_proven_cause_is_named_with_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, wrong_guess, right_eps)
    (culprit,) = verified(wrong_eps).culprits
    (cause, guess) = culprit.causes
    assert (cause.code, cause.verified) == ("test", True)
    assert cause.max_abs_after is not None
    assert cause.max_abs_after < 1e-5
    assert (guess.code, guess.verified) == ("wrong", False)
    assert culprit.proven is cause


@pytest.mark.parametrize("propose", [wrong_guess, raising, untried])
def test_what_was_not_proven_is_not_called_so(monkeypatch: pytest.MonkeyPatch, propose: Propose) -> None:
    only(monkeypatch, propose)
    (culprit,) = verified(wrong_eps).culprits
    assert [cause.verified for cause in culprit.causes] == [False]
    assert culprit.proven is None


def test_a_cause_that_raises_is_warned_of_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(case: Case) -> Iterator[Repair]:
        raise IndexError("no such axis")

    only(monkeypatch, broken, right_eps)
    verification = verified(wrong_eps)
    assert verification.culprits[0].proven
    (message,) = [text for code, text in verification.warnings if code == "cause-failed"]
    assert f"at {NORM}: IndexError: no such axis" in message


def test_a_right_port_has_no_cause() -> None:
    assert verified().to_dict()["culprits"] == []


def test_the_port_is_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, wrong_guess, raising, right_eps)
    original, ported = make_pair()
    wrong_eps(ported)
    before = {name: tensor.clone() for name, tensor in ported.state_dict().items()}
    first, second = make_inputs()
    assert verify(original, ported, second, original_inputs=first).culprits[0].proven
    assert ported.get_submodule(NORM).eps == 1e-3
    assert all(torch.equal(tensor, before[name]) for name, tensor in ported.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in ported.modules())


def test_a_repair_that_spoils_another_place_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiling(case: Case) -> Iterator[Repair]:
        layer = case.model.get_submodule("model.layers.1")
        mend = partial(changes.output, layer, lambda right: right, "")
        spoil = partial(changes.output, case.model.get_submodule("model.layers.1.mlp.act"), torch.neg)
        yield Repair("test", "x", "y", changes.together(mend, spoil), recognised=True)

    only(monkeypatch, spoiling)
    (culprit,) = verified(lost_residual).culprits
    assert [cause.verified for cause in culprit.causes] == [False]


def test_an_interruption_of_a_trial_ends_the_run_and_leaves_the_port_as_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupting(case: Case) -> Iterator[Repair]:
        def forward(*_: Any) -> None:
            raise KeyboardInterrupt

        yield Repair("test", "x", "y", partial(changes.forward, case.module, forward))

    only(monkeypatch, interrupting)
    original, ported = make_pair()
    wrong_eps(ported)
    first, second = make_inputs()
    with pytest.raises(KeyboardInterrupt):
        verify(original, ported, second, original_inputs=first)
    assert "forward" not in vars(ported.get_submodule(NORM))
    assert not any(module._forward_hooks for module in ported.modules())


def test_repairs_that_close_a_part_each_are_proven_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(case: Case) -> Iterator[Repair]:
        for gap in case.gaps:
            layer, leaf = case.model.get_submodule(gap.path), gap.leaf
            change = changes.argument if gap.where == "input" else changes.output
            yield Repair(leaf, leaf, "mend it", partial(change, layer, partial(instead, gap.right), leaf))

    class Twice(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.one, self.two, self.factor = nn.Linear(4, 4), nn.Linear(4, 4), factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.one(self.factor * x) + self.two(self.factor + x)
            return result

    only(monkeypatch, halves)
    original, ported = Twice(1.0), Twice(2.0)
    ported.load_state_dict(original.state_dict())
    (culprit,) = verify(original, ported, (torch.randn(3, 4),)).culprits
    assert len(culprit.causes) == 2
    assert all(cause.verified for cause in culprit.causes)


def test_where_the_scope_alone_does_not_show_the_fault_the_whole_run_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Flagged(nn.Module):
        def __init__(self, slope: float) -> None:
            super().__init__()
            self.slope, self.on = slope, False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.slope if self.on else x

    def model(slope: float) -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 4), Flagged(slope), nn.Linear(4, 4))

    def run(module: nn.Module, inputs: Any) -> Any:
        flagged: Any = module.get_submodule("1")
        flagged.on = True
        try:
            return inputs.forward(module)
        finally:
            flagged.on = False

    def slope(case: Case) -> Iterator[Repair]:
        yield Repair("test", "slope", "mend it", partial(changes.setting, case.module, "slope", 0.5))

    only(monkeypatch, slope)
    given = (torch.randn(3, 4),)
    (culprit,) = verify(model(0.5), model(2.0), given, run_original=run, run_ported=run).culprits
    assert culprit.ported == "1"
    assert culprit.proven


def test_glue_without_a_cause_says_of_which_tensors_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch)
    (culprit,) = verified(lost_residual).culprits
    clue = next(text for text in culprit.differences if text.startswith("the original's is the sum of"))
    assert "argument hidden_states" in clue
    assert culprit.source is not None
    assert culprit.source.file.endswith("seeded.py")


def test_a_module_called_several_times_is_mended_in_every_call() -> None:
    class Loop(nn.Module):
        def __init__(self, eps: float) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.norm, self.mix = nn.LayerNorm(4, eps=eps), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(3):
                x = self.mix(self.norm(x))
            return x

    (culprit,) = verify(Loop(1e-6), Loop(1e-2), (torch.randn(3, 4),)).culprits
    assert culprit.ported == "norm"
    assert [(cause.code, cause.verified) for cause in culprit.causes] == [("norm-eps", True)]


def test_a_recorded_original_gives_the_same_causes() -> None:
    original, ported = make_pair()
    wrong_eps(ported)
    first, second = make_inputs()
    valid = second["attention_mask"].bool()
    live = verify(original, ported, second, original_inputs=first)
    replayed = verify(capture(original, first, side="original", valid_positions=valid), ported, second,
                      original_inputs=first)  # fmt: skip
    assert live.culprits[0].causes == replayed.culprits[0].causes
    assert live.culprits[0].proven


def test_every_cause_of_the_folder_is_known() -> None:
    found = list(all_causes())
    assert {type(cause).__name__ for cause in found} >= {"NormEps"}
    assert all(cause.codes and cause.rank in range(5) for cause in found)
