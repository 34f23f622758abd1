"""Generated tests against wrong ports: which bugs they notice, beside what a slice of three and all outputs notice."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS.parent), str(TESTS)]

import tiny_models  # noqa: E402
from generated import failures, generate  # noqa: E402
from mutants.catalogue import of  # noqa: E402
from mutants.outcomes import seed  # noqa: E402
from pairs.catalogue import NAMES, build  # noqa: E402
from pairs.pair import Pair  # noqa: E402

from porting.hooks.preserving import preserved  # noqa: E402
from porting.runs import Inputs, OutputPairs  # noqa: E402

CLASSIC = 1e-3
"""The usual tolerance of tests that look at a slice."""
GOAL = "goal 98%"


@dataclass(frozen=True)
class Bug:
    """A wrong port.

    Attributes:
        model: the pair or the class that has it.
        name: what is wrong.
        exceeds: whether some element of an output that counts is beyond the generated test's tolerance.
        noticed: whether the generated test fails.
        sliced: whether ``[..., :3, :3]`` of an output is beyond 1e-3.
        whole: whether any element is.
    """

    model: str
    name: str
    exceeds: bool
    noticed: bool
    sliced: bool
    whole: bool


def add_options(parser: argparse._ArgumentGroup) -> None:
    """The options of ``benchmark.py tests``, beside ``--pair`` and ``--json``."""
    parser.add_argument("--tiny", action="append", choices=list(tiny_models.MODELS), help="only this tiny model")
    parser.add_argument("--only", choices=["pairs", "tiny"], help="only the pairs, or only the tiny models")


def notice(options: argparse.Namespace) -> None:
    """Write tests of every clean model, run them on its mutants, and print what they notice."""
    warnings.simplefilter("ignore")
    silence()
    chosen = options.only or ("pairs" if options.pair else "tiny" if options.tiny else None)
    pairs = [bug for name in options.pair or NAMES for bug in of_pair(name)] if chosen != "tiny" else []
    tiny = [bug for name in options.tiny or tiny_models.MODELS for bug in of_tiny(name)] if chosen != "pairs" else []
    if options.json:
        print(json.dumps({"pairs": [asdict(bug) for bug in pairs], "tiny": [asdict(bug) for bug in tiny]}, indent=1))
        return
    for title, bugs in (("pair", pairs), ("tiny model", tiny)):
        if bugs:
            print_table(title, bugs)


def silence() -> None:
    """Without Transformers' advice on kernels."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def of_pair(name: str) -> list[Bug]:
    """The seeded bugs of one pair."""

    def wrong() -> Iterator[tuple[str, nn.Module]]:
        for mutant in of(name):
            ported = build(name).ported
            seed(mutant, ported)
            yield f"{mutant.name} {mutant.path}", ported

    return bugs_of(name, build(name), wrong())


def of_tiny(name: str) -> list[Bug]:
    """The generic bugs of one tiny model; a class of its own, with the same code, stands for the original."""
    original, given = tiny_models.make(name)
    original.__class__ = type("Original", (type(original),), {"__module__": __name__})
    ported, _ = tiny_models.make(name)
    inputs = Inputs(kwargs=given)
    keep = given.get("attention_mask") if "decoder_input_ids" not in given else None
    pair = Pair(original, ported, inputs, inputs, {}, outputs_of(keep))
    return bugs_of(name, pair, tiny_models.mutants(name))


def outputs_of(keep: torch.Tensor | None) -> Callable[[object, object], OutputPairs]:
    """The outputs to compare: logits where there are some, else what else is returned; padding does not count."""

    def outputs(original: object, ported: object) -> OutputPairs:
        names = [name for name in ("logits", "last_hidden_state", "pooler_output") if hasattr(ported, name)]
        found = []
        for name in names:
            one, other = getattr(original, name), getattr(ported, name)
            if one is None:
                continue
            seen = keep is not None and one.shape[:2] == keep.shape
            found.append(
                (name, one[keep.bool()], other[keep.bool()]) if seen and keep is not None else (name, one, other)
            )
        return found

    return outputs


def bugs_of(name: str, pair: Pair, wrong: Iterable[tuple[str, nn.Module]]) -> list[Bug]:
    """What is noticed of each wrong port of a pair."""
    with tempfile.TemporaryDirectory() as folder:
        generated = generate(pair, Path(folder))
        expected = [original for _, original, _ in pair.run()]
        if said := failures(generated, pair.ported):
            raise RuntimeError(f"the test of {name} fails on the right port: {said[0]}")
        bugs = []
        for bug, ported in wrong:
            found = run(pair, ported)
            noticed = bool(failures(generated, ported))
            beyond = differs(expected, found, generated.atol, generated.rtol)
            whole = differs(expected, found, CLASSIC, CLASSIC)
            sliced = differs(slices(expected), slices(found), CLASSIC, CLASSIC)
            bugs.append(Bug(name, bug, beyond, noticed, sliced, whole))
    return bugs


def run(pair: Pair, ported: nn.Module) -> list[torch.Tensor]:
    """The final outputs of a wrong port; none if it raises."""
    torch.manual_seed(0)
    with torch.no_grad(), preserved(ported):
        try:
            result = pair.ported_inputs.fresh().forward(ported)
        except Exception:
            return []
    original = pair.original_inputs.fresh().forward(pair.original)
    return [own for _, _, own in pair.outputs(original, result)]


def slices(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The corner that tests usually look at."""
    return [tensor[..., :3, :3] if tensor.dim() > 1 else tensor[:3] for tensor in tensors]


def differs(expected: Sequence[torch.Tensor], found: Sequence[torch.Tensor], atol: float, rtol: float) -> bool:
    """Whether any output has another shape, or an element beyond the tolerance."""
    return len(expected) != len(found) or any(
        one.shape != other.shape or not torch.allclose(other, one, atol=atol, rtol=rtol)
        for one, other in zip(expected, found, strict=True)
    )


def print_table(title: str, bugs: Sequence[Bug]) -> None:
    """Of the bugs beyond the test's tolerance, the share that each kind of test notices; then what survives."""
    print(f"\n{title:34}{'bugs':>6}{'beyond':>8}{'noticed':>9}{'[:3, :3]':>10}{'whole':>8}")
    for name in dict.fromkeys(bug.model for bug in bugs):
        print(row(name, [bug for bug in bugs if bug.model == name]))
    print(f"{row('all', bugs)}  {GOAL}")
    for bug in bugs:
        if bug.exceeds and not bug.noticed:
            print(f"survives: {bug.model} {bug.name}")
    print(f"noticed though not beyond the tolerance: {sum(bug.noticed and not bug.exceeds for bug in bugs)}")


def row(name: str, bugs: Sequence[Bug]) -> str:
    """One line of the table."""
    beyond = [bug for bug in bugs if bug.exceeds]
    shares = [
        sum(getattr(bug, what) for bug in beyond) / max(1, len(beyond)) for what in ("noticed", "sliced", "whole")
    ]
    return f"{name:34}{len(bugs):6}{len(beyond):8}{shares[0]:9.1%}{shares[1]:10.1%}{shares[2]:8.1%}"
