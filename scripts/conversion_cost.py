"""What converting a checkpoint costs, against copying it and against the script that loads all of it."""

from __future__ import annotations

import gc
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from porting.folders import replacing, sync
from porting.text import bytes_of
from porting.weights import Convert, Stack, Transpose, build_on_meta
from porting.weights.conversion import convert
from porting.weights.conversion.converting import CHECKPOINT, planned, uncollected, write_weights
from porting.weights.rules.operation import Operation
from porting.weights.rules.rule import Rule
from porting.weights.source import source_of

MIB = 1 << 20
GOAL_SPEED, GOAL_EXTRA = 0.6, 64
"""Of the speed of cp; MiB beyond twice the largest tensor."""

CASES: dict[str, tuple[int, tuple[int, ...], tuple[Operation, ...]]] = {
    "64 tensors of 32 MiB, renamed": (64, (4096, 2048), ()),
    "10,000 tensors of 210 kB, renamed": (10_000, (224, 234), ()),
    "1 tensor of 1 GiB, renamed": (1, (16384, 16384), ()),
    "1 tensor of 1 GiB, transposed": (1, (16384, 16384), (Transpose(),)),
    "64 tensors of 16 MiB, stacked to one of 1 GiB": (64, (2048, 2048), (Stack(),)),
}
"""Of each checkpoint: how many tensors, of which shape, and what is done with them."""
TIMED = list(CASES)[:2]


class SizesConfig(PreTrainedConfig):  # type: ignore[misc]
    """How many parameters `Sizes` has, and their shape."""

    model_type = "sizes"

    def __init__(self, number: int = 1, shape: tuple[int, ...] = (1,), **others: Any) -> None:
        self.number, self.shape = number, shape
        super().__init__(**others)


class Sizes(PreTrainedModel):  # type: ignore[misc]
    """Nothing but parameters."""

    config_class = SizesConfig

    def __init__(self, config: SizesConfig) -> None:
        super().__init__(config)
        self.layers = torch.nn.ParameterList(torch.empty(*config.shape) for _ in range(config.number))
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Keep what there is."""


def benchmark_conversion(folder: Path, rounds: int) -> None:
    """Time the two checkpoints of 2 GiB in turns, then the peak memory of every case in a process of its own."""
    for name in TIMED:
        with checkpoint(folder, name) as source:
            report_times(name, in_turn(ways(source, name), folder / "out", rounds))
    print(f"\n{'peak memory over the imports':52}{'MiB':>8}{'goal':>8}")
    for name in CASES:
        with checkpoint(folder, name) as source:
            code = f"import conversion_cost; conversion_cost.print_peak({str(source)!r}, {name!r})"
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=True
            )
        peak, largest = map(float, done.stdout.split())
        print(f"{name:52}{peak:8,.0f}{2 * largest + GOAL_EXTRA:8,.0f}")


def ways(source: Path, name: str) -> dict[str, Callable[[Path], object]]:
    """What is timed: each writes to the folder that it is given, and waits for the disk."""
    model, rules = port(name), rules_for(name)
    return {
        "cp, then fsync": lambda out: copy(source, out),
        "convert, without hashing": lambda out: convert_without_hashing(source, model, out, rules),
        "convert": lambda out: convert(source, model, out, rules, audit=False).assert_ok(),
        "load all, rename, save_pretrained, then fsync": lambda out: load_all(source, name, out),
    }


def copy(source: Path, out: Path) -> None:
    """The same bytes, unchanged."""
    subprocess.run(["cp", "-r", source, out], check=True)
    synchronise(out)


def convert_without_hashing(source: Path, model: torch.nn.Module, out: Path, rules: list[Rule]) -> None:
    """The whole conversion but for the hashes."""
    with replacing(out, CHECKPOINT) as partial:
        with uncollected():
            job = planned(source_of(source), model, rules, bytes_of("5GB"))
        write_weights(job, partial, algorithm=None)


def load_all(source: Path, name: str, out: Path) -> None:
    """As conversion scripts do it."""
    state = load_file(source / "model.safetensors")
    renamed = {key.replace("blocks.", "layers."): tensor for key, tensor in state.items()}
    model = port(name)
    model.load_state_dict(renamed, assign=True)
    logging.disable_progress_bar()
    model.save_pretrained(out)
    synchronise(out)


def synchronise(folder: Path) -> None:
    """Wait until all files of a folder are on the disk."""
    for path in (*folder.iterdir(), folder):
        sync(path)


def port(name: str) -> Sizes:
    """The port of a case, on the meta device."""
    number, shape, operations = CASES[name]
    stacked = any(isinstance(operation, Stack) for operation in operations)
    config = SizesConfig(1, (number, *shape)) if stacked else SizesConfig(number, shape)
    model = build_on_meta(Sizes, config)
    assert isinstance(model, Sizes)
    return model


def rules_for(name: str) -> list[Rule]:
    """The rules of a case."""
    operations = CASES[name][2]
    stacked = any(isinstance(operation, Stack) for operation in operations)
    return [Convert("blocks.{i:d}", "layers.0" if stacked else "layers.{i}", *operations)]


@contextmanager
def checkpoint(folder: Path, name: str) -> Iterator[Path]:
    """The checkpoint of a case, in the page cache, gone afterwards."""
    number, shape, _ = CASES[name]
    source = folder / "source"
    source.mkdir()
    values = torch.rand(shape)
    save_file({f"blocks.{index}": values + index for index in range(number)}, source / "model.safetensors")
    synchronise(source)
    try:
        yield source
    finally:
        shutil.rmtree(source)


def in_turn(ways: Mapping[str, Callable[[Path], object]], out: Path, rounds: int) -> dict[str, list[float]]:
    """Wall seconds of each way: once unmeasured, then ``rounds`` times, each round in another order."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            gc.collect()
            os.sync()
            start = time.perf_counter()
            ways[name](out)
            if number:
                times[name].append(time.perf_counter() - start)
            shutil.rmtree(out)
    return times


def report_times(name: str, times: Mapping[str, list[float]]) -> None:
    """Print each way's median and its speed as a part of the first one's: the median of the rounds' own ratios."""
    base = next(iter(times.values()))
    print(f"\n{name:52}{'median':>9}{'speed of cp':>13}{'goal':>8}")
    for way, seconds in times.items():
        speed = statistics.median(other / own for own, other in zip(seconds, base, strict=True))
        goal = f"{GOAL_SPEED:.1f}" if way == "convert, without hashing" else ""
        print(f"  {way:50}{statistics.median(seconds):8.2f}s{speed:13.2f}{goal:>8}")


def print_peak(source: str, name: str) -> None:
    """Convert, and print by how much the process grew at most, and the largest tensor, in MiB.

    The peak is VmHWM of /proc, counted from after the imports: what a parent used does not show in it.
    """
    model, rules = port(name), rules_for(name)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    found = convert(source, model, Path(source).with_name("out"), rules, audit=False)
    print(resident("VmHWM") - before, max(tensor.nbytes for tensor in model.state_dict().values()) / MIB)
    found.assert_ok()
    shutil.rmtree(found.folder)


def resident(field: str) -> float:
    """A line of /proc/self/status, in MiB."""
    return int(re.findall(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
