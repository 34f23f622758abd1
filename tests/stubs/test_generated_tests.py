"""Generated tests on the clean pairs: none fails, however the port is computed, and seeded bugs are noticed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from generated import failures, generate, ruff_findings
from mutants.catalogue import of
from mutants.outcomes import seed
from pairs.catalogue import NAMES, build
from pairs.installed import require_original

from porting.reruns.threads import threads
from porting.stubs.ways import attention

FEW = ("bert", "llama", "whisper", "vit")
THREADS = (1, 2)


def few(names: Collection[str]) -> list[Any]:
    """All pairs, those that are not named only in the long run."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.zoo) for name in NAMES]


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(each, marks=pytest.mark.zoo) for each in NAMES if each not in FEW)]
)
def test_no_right_port_fails_its_tests(name: str, tmp_path: Path) -> None:
    require_original(name)
    pair = build(name)
    generated = generate(pair, tmp_path)
    assert ruff_findings(tmp_path) == ""
    for kind in pair.attentions:
        for count in THREADS:
            with attention(pair.ported, kind), threads(count):
                assert failures(generated, pair.ported) == [], (kind, count)


@pytest.mark.parametrize(
    "name", ["llama", *(pytest.param(each, marks=pytest.mark.zoo) for each in NAMES if each != "llama")]
)
def test_seeded_bugs_beyond_the_tolerance_fail(name: str, tmp_path: Path) -> None:
    require_original(name)
    pair = build(name)
    generated = generate(pair, tmp_path)
    missed, beyond = [], 0
    for mutant in of(name):
        wrong = build(name)
        seed(mutant, wrong.ported)
        if wrong.difference() > 2 * generated.atol:
            beyond += 1
            missed += [] if failures(generated, wrong.ported) else [mutant.name]
    assert beyond
    assert missed == []
