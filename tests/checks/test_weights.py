from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from checked import context_of as of_pair
from checked import result_of
from mutants.catalogue import MUTANTS
from mutants.outcomes import seed
from pairs.catalogue import build
from pairs.installed import require_original

from porting.checks import CheckContext, ClaimRefuted, Inconclusive, Skip, check_weights_loaded
from porting.errors import CheckpointError
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]

WRONG = "model.down.weight[0] += 1"
CHECKPOINT = """
def checkpoint():
    from safetensors.torch import save_file

    save_file(original().state_dict(), "model.safetensors")
    return "model.safetensors"
"""
RULES = "def rules():\n    return rename"
RULE_LIST = """def rules():
    from porting.weights import Rename

    return [Rename(name, rename(name)) for name in original().state_dict()]"""


@pytest.fixture
def context_of(tmp_path: Path, write_portfile: WritePortfile) -> Callable[..., CheckContext]:
    return lambda *args: CheckContext(Portfile.load(write_portfile(tmp_path, *args)))


@pytest.mark.parametrize(
    ("extra", "evidence"),
    [
        ("", "original"),
        (CHECKPOINT, "original"),
        (CHECKPOINT + RULES, "checkpoint"),
        (CHECKPOINT + RULE_LIST, "checkpoint"),
    ],
    ids=["no checkpoint", "other names", "rules", "a list of rules"],
)
def test_weights_are_held_against(extra: str, evidence: str, context_of: Callable[..., CheckContext]) -> None:
    figures = check_weights_loaded(context_of("pass", extra))
    assert (figures["compared_weights"], figures["evidence"]) == (4, evidence)
    with pytest.raises(ClaimRefuted, match=r"\Adown") as raised:
        check_weights_loaded(context_of(WRONG, extra))
    assert "weight" in raised.value.message.partition("\n")[0]
    assert raised.value.figures["evidence"] == evidence


def test_a_checkpoint_of_the_ports_own_names_needs_no_rules(context_of: Callable[..., CheckContext]) -> None:
    own = CHECKPOINT.replace("original().state_dict()", "{rename(k): v for k, v in original().state_dict().items()}")
    assert check_weights_loaded(context_of("pass", own))["evidence"] == "checkpoint"


def test_a_weight_that_the_rules_leave_out_is_missing(context_of: Callable[..., CheckContext]) -> None:
    rules = "def rules():\n    return lambda name: None if name == 'last.bias' else rename(name)"
    with pytest.raises(ClaimRefuted, match=r"\Adown.bias: .*1 missing"):
        check_weights_loaded(context_of("pass", CHECKPOINT + rules))


def test_a_weight_that_the_original_lacks_is_inconclusive(context_of: Callable[..., CheckContext]) -> None:
    extra = "model.extra = nn.Linear(7, 2)"
    with pytest.raises(Inconclusive, match=r"2 weights .*: extra.weight, extra.bias"):
        check_weights_loaded(context_of(extra))


def test_a_port_without_parameters_is_skipped(context_of: Callable[..., CheckContext]) -> None:
    with pytest.raises(Skip, match="no parameters"):
        check_weights_loaded(context_of("model = nn.Tanh()"))


def test_a_checkpoint_that_is_not_there_is_an_error(context_of: Callable[..., CheckContext]) -> None:
    with pytest.raises(CheckpointError):
        check_weights_loaded(context_of("pass", "def checkpoint():\n    return 'nowhere.safetensors'"))


FUSED = """
def original():
    import torch
    from torch import nn

    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(4, 12)

        def forward(self, input):
            return self.qkv(input)

    torch.manual_seed(0)
    return Fused().eval()


def ported():
    import torch
    from torch import nn

    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))

        def forward(self, input):
            return torch.cat([self.q(input), self.k(input), self.v(input)], -1)

    model, fused = Split().eval(), original().qkv
    with torch.no_grad():
        for number, part in enumerate((model.q, model.k, model.v)):
            part.weight.copy_(fused.weight[4 * number : 4 * number + 4])
            part.bias.copy_(fused.bias[4 * number : 4 * number + 4])
        DAMAGE
    return model


def inputs():
    import torch

    return {"input": torch.linspace(-1, 1, 24).reshape(2, 3, 4)}
"""


def test_the_parts_of_a_fused_projection_are_held_against_it(tmp_path: Path) -> None:
    for damage in ("pass", "model.k.bias.zero_()"):
        (tmp_path / "portfile.py").write_text(FUSED.replace("DAMAGE", damage))
        context = CheckContext(Portfile.load(tmp_path / "portfile.py"))
        if damage == "pass":
            assert check_weights_loaded(context)["evidence"] == "original"
        else:
            with pytest.raises(ClaimRefuted, match="k: bias does not hold what qkv hold"):
                check_weights_loaded(context)


@pytest.mark.parametrize("name", ["pythia", "mixtral", "clip"])
def test_weights_laid_out_otherwise_are_right_by_their_results(name: str, tmp_path: Path) -> None:
    require_original(name)
    result = result_of("check_weights_loaded", of_pair(build(name), tmp_path))
    assert (result.status, result.figures["evidence"]) == ("passed", "original")


@pytest.mark.parametrize(("pair", "bug"), [("vit", "positions.column_by_column"), ("whisper", "positions.without")])
def test_weights_at_a_fault_are_not_right_by_results_elsewhere(pair: str, bug: str, tmp_path: Path) -> None:
    require_original(pair)
    (mutant,) = (each for each in MUTANTS if (each.pair, each.name) == (pair, bug))
    built = build(pair)
    seed(mutant, built.ported)
    result = result_of("check_weights_loaded", of_pair(built, tmp_path))
    assert (result.status, "position" in result.message) == ("inconclusive", True)
