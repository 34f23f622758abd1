"""The zoo of the tests, verified without any map: what is found of its bugs, and what its clean pairs cost."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

from mutants.catalogue import MUTANTS  # noqa: E402
from mutants.mutant import Mutant  # noqa: E402
from mutants.outcomes import Outcome, share, verify_mutant, verify_together  # noqa: E402
from mutants.several import groups  # noqa: E402
from pairs.alignments import check_alignment  # noqa: E402
from pairs.catalogue import NAMES, build  # noqa: E402

LARGE = 1e-3
COLUMNS = ("first_hit", "any_hit", "cause_right", "verified_right", "verified_wrong")
GOALS = {
    "first culprit hit, above 1e-3": "gate 90%, goal 97%",
    "first culprit hit, below": "goal 90%",
    "first cause right": "goal 80%",
    "verified right": "goal 70%",
    "verified wrong": "gate at most 3%",
    "called match": "gate 0",
}


def add_options(parser: argparse._ArgumentGroup) -> None:
    """The options of ``benchmark.py diagnose``."""
    parser.add_argument("--pair", action="append", choices=NAMES, help="only this pair (repeatable)")
    parser.add_argument("--mutant", action="append", help="only this bug, as weights.transposed (repeatable)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--list", action="store_true", help="list the mutants and stop")


def diagnose(options: argparse.Namespace) -> None:
    """Verify the chosen pairs and mutants and print what came of it; a mutant that raises is told and counted."""
    warnings.simplefilter("ignore")
    pairs = options.pair or NAMES
    mutants = [each for each in MUTANTS if each.pair in pairs and each.name in (options.mutant or [each.name])]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.pair:10}{mutant.name:40}{mutant.path:56}{' '.join(mutant.codes)}")
        return
    clean = [] if options.mutant else [verify_clean(name) for name in pairs]
    together = [] if options.mutant else [verify_several(name) for name in pairs]
    outcomes, raised = verify_all(mutants, quiet=options.json)
    if options.json:
        rows = [outcome.to_dict() for outcome in outcomes]
        document = {"clean": clean, "together": together, "mutants": rows, "raised": raised}
        print(json.dumps({**document, "totals": totals(outcomes)}, indent=1))
        return
    print_clean(clean)
    print_together(together)
    print_groups("pair", outcomes, [outcome.mutant.pair for outcome in outcomes])
    print_groups("kind of bug", outcomes, [outcome.mutant.kind for outcome in outcomes])
    print(f"\n{len(outcomes)} mutants, {len(raised)} raised {' '.join(raised)}")
    for name, value in totals(outcomes).items():
        shown = f"{value}" if name == "called match" else f"{value:.1%}"
        print(f"{name:36}{shown:>8}  {GOALS.get(name, '')}")


def verify_clean(name: str) -> dict[str, Any]:
    """One clean pair: its verdict, its alignment against the known map, and its cost against its two forwards."""
    pair = build(name)
    difference = pair.difference()
    forwards, verification = fastest(pair.run), pair.verify()
    found = check_alignment(verification, pair.module_map)
    return {
        "pair": name,
        "difference": difference,
        "verdict": verification.verdict,
        "culprits": [culprit.ported for culprit in verification.culprits],
        "known": len(pair.module_map),
        "found": len(found.found),
        "missed": [list(each) for each in found.missed],
        "wrong": [list(each) for each in found.wrong],
        "forwards_seconds": forwards,
        "verify_seconds": fastest(pair.verify),
    }


def verify_several(name: str) -> dict[str, Any]:
    """Several bugs at once in one pair: how many were seeded, and which are not among the culprits."""
    outcomes = [outcome for mutants in groups(name) for outcome in verify_together(mutants)]
    missed = [outcome.mutant.name for outcome in outcomes if not outcome.any_hit]
    return {"pair": name, "seeded": len(outcomes), "missed": missed}


def fastest(action: Any, rounds: int = 3) -> float:
    """Seconds of the fastest of a few runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def verify_all(mutants: Iterable[Mutant], *, quiet: bool) -> tuple[list[Outcome], list[str]]:
    """The outcomes, with one line for each, and the names of those whose verification raised."""
    outcomes, raised = [], []
    for mutant in mutants:
        try:
            outcome = verify_mutant(mutant)
        except Exception:
            traceback.print_exc()
            raised.append(f"{mutant.pair}/{mutant.name}")
            continue
        outcomes.append(outcome)
        if not quiet:
            print(line(outcome), flush=True)
    return outcomes, raised


def line(outcome: Outcome) -> str:
    """One mutant: where it sits, who was blamed, for what."""
    blamed = "hit " if outcome.first_hit else "any " if outcome.any_hit else "MISS"
    instead = "" if outcome.first_hit else f" blamed: {' '.join(path or '(model)' for path in outcome.blamed[:3])}"
    code, proven = outcome.causes[0] if outcome.causes else ("", False)
    cause = f"{code}{'!' if proven else '?'}" if code else "no cause"
    if code and not outcome.cause_right:
        cause += f" for {'/'.join(outcome.mutant.codes)}"
    return (
        f"{blamed} {outcome.mutant.pair}/{outcome.mutant.name} {outcome.mutant.path or '(model)'} "
        f"{outcome.difference:.1e} {outcome.verdict}, {cause}{instead}, {outcome.seconds:.1f} s"
    )


def print_clean(clean: Sequence[dict[str, Any]]) -> None:
    """The table of clean pairs."""
    if clean:
        print(
            f"\n{'pair':10}{'output':>9} {'verdict':12}{'culprits':>9}{'map':>6}{'found':>7}{'wrong':>7}{'time':>16}"
        )
    for row in clean:
        cost = f"{row['verify_seconds']:.2f} s, {row['verify_seconds'] / row['forwards_seconds']:.0f}x"
        print(
            f"{row['pair']:10}{row['difference']:9.1e} {row['verdict']:12}{len(row['culprits']):9}{row['known']:6}"
            f"{row['found'] / row['known']:7.0%}{len(row['wrong']):7}{cost:>16}"
        )


def print_together(together: Sequence[dict[str, Any]]) -> None:
    """The table of bugs that were seeded two and three at once."""
    if together:
        print(f"\n{'several at once':20}{'bugs':>8}{'found':>7}")
    for row in together:
        found = row["seeded"] - len(row["missed"])
        print(f"{row['pair']:20}{row['seeded']:8}{found:7}  {' '.join(row['missed'])}")


def print_groups(title: str, outcomes: Sequence[Outcome], keys: Sequence[str]) -> None:
    """One table: the outcomes by a key."""
    heads = "".join(f"{column.replace('_', ' '):>16}" for column in COLUMNS)
    print(f"\n{title:20}{'mutants':>8}{heads}{'called match':>16}")
    for key in dict.fromkeys(keys):
        group = [outcome for outcome, own in zip(outcomes, keys, strict=True) if own == key]
        shares = "".join(f"{share(group, column):16.0%}" for column in COLUMNS)
        print(f"{key:20}{len(group):8}{shares}{called_match(group):16}")


def called_match(outcomes: Sequence[Outcome]) -> int:
    """How many mutants were taken for right."""
    return sum(outcome.verdict == "match" for outcome in outcomes)


def totals(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The figures that the gates and goals are about."""
    large = [outcome for outcome in outcomes if outcome.difference > LARGE]
    small = [outcome for outcome in outcomes if outcome.difference <= LARGE]
    return {
        "first culprit hit, above 1e-3": share(large, "first_hit"),
        "first culprit hit, below": share(small, "first_hit"),
        "any culprit hit": share(outcomes, "any_hit"),
        "first cause right": share(outcomes, "cause_right"),
        "verified right": share(outcomes, "verified_right"),
        "verified wrong": share(outcomes, "verified_wrong"),
        "called match": called_match(outcomes),
    }
