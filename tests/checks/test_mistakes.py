from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from checked import context_of, result_of
from mutants.catalogue import MUTANTS
from pairs.catalogue import build
from pairs.installed import require_original

from porting.checks import CheckContext
from porting.checks.mistakes import MISTAKES
from porting.diagnosis.causes import all_causes
from porting.portfile import Portfile

if TYPE_CHECKING:
    from collections.abc import Callable

    WritePortfile = Callable[..., Path]


def test_every_cause_refutes_exactly_one_claim() -> None:
    known = sorted({code for cause in all_causes() for code in cause.codes})
    assert sorted(code for codes in MISTAKES.values() for code in codes) == known


@pytest.mark.parametrize(
    ("bug", "claim"),
    [
        ("positions.theta", "check_positions_equal"),
        ("norms.eps_large", "check_norms_equal"),
        ("blocks.residual_missing", "check_nothing_forgotten"),
        ("weights.qk_swapped", "check_weights_in_place"),
    ],
)
def test_a_mistake_refutes_the_claim_of_its_kind_and_no_other(bug: str, claim: str, tmp_path: Path) -> None:
    mutant = next(each for each in MUTANTS if each.name == bug)
    require_original(mutant.pair)
    pair = build(mutant.pair)
    mutant.put_into(pair.ported)
    context = context_of(pair, tmp_path)
    results = {name: result_of(name, context) for name in MISTAKES}
    assert {name for name, result in results.items() if result.status == "failed"} == {claim}
    assert "Cause: " in results[claim].message
    assert results[claim].hint.endswith("portfile.py")


JUDGED = (SimpleNamespace(ported=SimpleNamespace(path="layer")),)


@pytest.mark.parametrize(
    ("observations", "verdict", "uncovered", "status"),
    [
        (JUDGED, "match", (), "passed"),
        ((), "match", (), "skipped"),
        (JUDGED, "inconclusive", (), "skipped"),
        (JUDGED, "match", ("layer.bias",), "skipped"),
    ],
)
def test_no_claim_holds_where_a_module_was_not_judged(
    observations: Any, verdict: str, uncovered: tuple[str, ...], status: str
) -> None:
    verification = SimpleNamespace(
        isolation=SimpleNamespace(observations=observations),
        culprits=(),
        given_verdict=verdict,
        uncovered=uncovered,
    )
    context: Any = SimpleNamespace(verification=verification, portfile=SimpleNamespace(constants={}))
    assert {result_of(name, context).status for name in MISTAKES} == {status}


def test_a_culprit_without_a_proven_cause_leaves_every_claim_open(
    tmp_path: Path, write_portfile: WritePortfile
) -> None:
    strange = "model.act.register_forward_hook(lambda module, args, out: out + 0.3 * out.flip(-1) ** 3)"
    context = CheckContext(Portfile.load(write_portfile(tmp_path, strange)))
    assert context.verification.culprits
    results = [result_of(name, context) for name in MISTAKES]
    assert {result.status for result in results} == {"skipped"}
    assert all(result.message.startswith("undecided: act differs") for result in results)
