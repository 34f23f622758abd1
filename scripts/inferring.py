"""What inference finds of the rules of the tests' real pairs, without and with the original to run."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from pairs import catalogue

from porting import Inference, infer_rules
from porting.weights.inference.proposing import targets_of
from porting.weights.rules.planning import plan
from porting.weights.source import spec

if TYPE_CHECKING:
    from pairs.pair import Pair

GOAL = 0.8
"""Share of the targets that names and shapes alone are to get right."""


@dataclass(frozen=True)
class Row:
    """One inference on one pair.

    Attributes:
        pair: its name.
        run: whether the original was run.
        targets: how many tensors the port has.
        right: how many the rules make equal to those of the port that is known to be right.
        sure_wrong: names of those that are wrong and marked certain.
        ambiguous: how many are less than certain.
        rules: how many rules there are.
        verdict: of the converted port; ``-`` if it was not run.
        trials: how often it was run.
        seconds: of the whole inference.
    """

    pair: str
    run: bool
    targets: int
    right: int
    sure_wrong: tuple[str, ...]
    ambiguous: int
    rules: int
    verdict: str
    trials: int
    seconds: float


def add_options(group: argparse._ArgumentGroup) -> None:
    """Which pairs."""
    group.add_argument("--infer-pairs", nargs="*", default=[], choices=catalogue.NAMES, metavar="PAIR")


def infer(options: argparse.Namespace) -> None:
    """Infer the rules of every pair twice, and print what was right."""
    rows = []
    print(
        f"{'pair':10}{'original':>9}{'targets':>9}{'right':>7}{'wrong':>7}{'certain, wrong':>16}{'ambiguous':>11}"
        f"{'rules':>7}  {'verdict':13}{'trials':>7}{'time':>9}"
    )
    for name in options.infer_pairs or catalogue.NAMES:
        for row in inferred(name):
            rows.append(row)
            print(line(row), flush=True)
    alone, ran = ([row for row in rows if row.run is run] for run in (False, True))
    least = min(row.right / row.targets for row in alone)
    print(f"\nwithout the original: least share right {least:.0%}, goal {GOAL:.0%}")
    print(f"with it: {sum(row.verdict == 'match' for row in ran)} of {len(ran)} pairs match")
    print(f"wrong and marked certain: {sum(len(row.sure_wrong) for row in rows)}")


def inferred(name: str) -> Iterator[Row]:
    """Both inferences on a pair."""
    pair = catalogue.build(name)
    state = {key: tensor.clone() for key, tensor in pair.original.state_dict().items()}
    for run in (False, True):
        started = time.perf_counter()
        inference = run_inference(pair, state, run=run)
        yield judged(name, pair, state, inference, run=run, seconds=time.perf_counter() - started)


def run_inference(pair: Pair, state: Mapping[str, torch.Tensor], *, run: bool) -> Inference:
    """Infer for a port with new random weights."""
    torch.manual_seed(1)
    port = type(pair.ported)(pair.ported.config).eval()
    if not run:
        return infer_rules(state, port)
    return infer_rules(
        state,
        port,
        original=pair.original,
        inputs=pair.ported_inputs,
        original_inputs=pair.original_inputs,
        outputs=pair.outputs,
    )


def judged(
    name: str, pair: Pair, state: Mapping[str, torch.Tensor], inference: Inference, *, run: bool, seconds: float
) -> Row:
    """Hold what the rules make against the port that is known to be right."""
    planned = plan(inference.rules, {key: spec(key, tensor) for key, tensor in state.items()})
    made = {key: tensor for step in planned.steps for key, tensor in step.run(state.__getitem__).items()}
    known = pair.ported.state_dict()
    targets = [unit.name for unit in targets_of(pair.ported)]
    right = {key for key in targets if key in made and equal(made[key], known[key])}
    sure = {key for key, word in inference.words.items() if word == "certain"} & set(targets)
    return Row(
        pair=name,
        run=run,
        targets=len(targets),
        right=len(right),
        sure_wrong=tuple(sorted(sure - right)),
        ambiguous=len(targets) - len(sure),
        rules=len(inference.rules),
        verdict=inference.verdict or "-",
        trials=inference.trials,
        seconds=seconds,
    )


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same in shape and every element."""
    return one.shape == other.shape and torch.equal(one, other)


def line(row: Row) -> str:
    """One row of the table."""
    return (
        f"{row.pair:10}{'run' if row.run else 'not run':>9}{row.targets:9}{row.right:7}{row.targets - row.right:7}"
        f"{len(row.sure_wrong):16}{row.ambiguous:11}{row.rules:7}  {row.verdict:13}{row.trials:7}{row.seconds:7.1f} s"
    )
