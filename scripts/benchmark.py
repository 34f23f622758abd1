"""Benchmarks: ratios within one run, as absolute times say little on a shared machine.

python scripts/benchmark.py capture    # what recording costs, against the bare forward
python scripts/benchmark.py verify     # what verifying costs, against the two forwards
python scripts/benchmark.py memory     # what recording needs in memory beyond the bare forward, for growing models
python scripts/benchmark.py diagnose-cost  # what diagnosing one bug adds to verifying
python scripts/benchmark.py convert    # what converting 2 GiB costs, against cp and against loading all of it
python scripts/benchmark.py plugin     # what the pytest plugin costs a run of pytest that does not use it
python scripts/benchmark.py infer      # what is found of the conversion rules of the tests' real pairs
python scripts/benchmark.py diagnose   # what is found of the seeded bugs of the tests' real pairs, without any map
python scripts/benchmark.py nearest    # which architectures are found to be nearest, and how sure that is
python scripts/benchmark.py tests      # which seeded bugs the generated tests notice, beside a slice of three
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conversion_cost
import diagnosing
import diagnosis_cost
import inferring
import noticing
import plugin_cost
import ranking
import torch

import porting
from porting.hooks.capturing import capture
from porting.runs import Inputs

ROUNDS = 9
TARGETS = {
    "outputs in memory": 1.3,
    "inputs and outputs in memory": 1.8,
    "outputs to disk, without fsync": 2.2,
}


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = [
        "capture",
        "verify",
        "memory",
        "diagnose-cost",
        "convert",
        "plugin",
        "infer",
        "diagnose",
        "nearest",
        "tests",
    ]
    parser.add_argument("what", choices=what)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed rounds of each case, alternating")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    diagnosing.add_options(parser.add_argument_group("diagnose"))
    inferring.add_options(parser.add_argument_group("infer"))
    ranking.add_options(parser.add_argument_group("nearest"))
    noticing.add_options(parser.add_argument_group("tests"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tables = {"infer": inferring.infer, "diagnose": diagnosing.diagnose, "nearest": ranking.rank}
    tables["tests"] = noticing.notice
    if options.what in tables:
        tables[options.what](options)
        return
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.threads} threads, "
        f"torch {torch.__version__}, {options.rounds} rounds"
    )
    if options.what == "convert":
        with scratch_folder() as folder:
            conversion_cost.benchmark_conversion(folder, options.rounds)
        return
    if options.what == "plugin":
        plugin_cost.benchmark_plugin(options.rounds)
        return
    if options.what == "memory":
        benchmark_memory()
        return
    if options.what == "diagnose-cost":
        model, inputs = bert(layers=12, hidden=768, batch=4, length=128)
        other, _ = bert(layers=12, hidden=768, batch=4, length=128)
        diagnosis_cost.benchmark_diagnosis((model, other), inputs)
        return
    {"capture": benchmark_capture, "verify": benchmark_verify}[options.what](options.rounds)


def benchmark_capture(rounds: int) -> None:
    """Recording one forward of BERT-base shape: 12 layers, hidden 768, batch 4, sequence 128, random weights."""
    model, inputs = bert(layers=12, hidden=768, batch=4, length=128)
    kwargs: dict[str, Any] = {"sketches": False}
    with scratch_folder() as folder:
        cases: dict[str, Callable[[], object]] = {
            "bare forward": lambda: forward(model, inputs),
            "outputs in memory": lambda: capture(model, inputs, record_inputs=False, **kwargs),
            "inputs and outputs in memory": lambda: capture(model, inputs, **kwargs),
            "outputs to disk, without fsync": lambda: without_fsync(
                lambda: capture(model, inputs, record_inputs=False, folder=folder / "trace", **kwargs)
            ),
            "inputs, outputs and weight sketches in memory": lambda: capture(model, inputs),
            "transformers' model_addition_debugger_context": lambda: debugger(model, inputs, folder / "debugger"),
        }
        report(measure(cases, rounds), "bare forward", TARGETS)


def benchmark_verify(rounds: int) -> None:
    """Verifying a healthy pair, two equal models of BERT-base shape, against the two forwards."""
    model, inputs = bert(layers=12, hidden=768, batch=4, length=128)
    other, _ = bert(layers=12, hidden=768, batch=4, length=128)
    cases: dict[str, Callable[[], object]] = {
        "two forwards": lambda: [forward(each, inputs) for each in (model, other)],
        "verify": lambda: porting.verify(model, other, inputs),
    }
    report(measure(cases, rounds), "two forwards", {})


def benchmark_memory() -> None:
    """Peak memory of capturing to disk and in memory, each in a process of its own, less that of the bare forward."""
    print(f"{'':40}{'recorded':>12}{'extra peak':>13}{'goal':>9}")
    for hidden, length in ((384, 128), (768, 256), (1536, 512)):
        peaks = {what: peak_memory(what, hidden, length) for what in ("forward", "disk", "memory")}
        for what in ("disk", "memory"):
            extra, goal = peaks[what][0] - peaks["forward"][0], "128 MiB" if what == "disk" else ""
            name = f"BERT, 4 layers of {hidden}, 8 x {length}, to {what}"
            print(f"{name:40}{peaks['disk'][1]:8,.0f} MiB{extra:9,.0f} MiB{goal:>9}")


def peak_memory(what: str, hidden: int, length: int) -> tuple[float, float]:
    """Run one case in a fresh process: its peak resident memory, and the bytes that it recorded, in MiB.

    The peak is VmHWM of /proc, counted from after a bare forward: what a parent used does not show in it.
    """
    code = f"import benchmark; benchmark.measure_peak({what!r}, {hidden}, {length})"
    folder = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    peak, recorded = done.stdout.split()
    return float(peak), float(recorded)


def measure_peak(what: str, hidden: int, length: int) -> None:
    """Print the peak memory of one case, and how much it recorded."""
    model, inputs = bert(layers=4, hidden=hidden, batch=8, length=length)
    forward(model, inputs)
    Path("/proc/self/clear_refs").write_text("5")
    recorded = 0
    with scratch_folder() as folder:
        if what == "forward":
            forward(model, inputs)
        else:
            trace = capture(model, inputs, folder=folder / "trace" if what == "disk" else None)
            recorded = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
            assert trace.calls
    status = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024
    print(peak, recorded / 2**20)


def bert(layers: int, hidden: int, batch: int, length: int) -> tuple[torch.nn.Module, Inputs]:
    """A BERT with random weights, the same at every call, and inputs for it."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(num_hidden_layers=layers, hidden_size=hidden, intermediate_size=4 * hidden)
    model = BertModel(config).eval()
    return model, Inputs(kwargs={"input_ids": torch.randint(0, config.vocab_size, (batch, length))})


def forward(model: torch.nn.Module, inputs: Inputs) -> object:
    """One bare forward."""
    with torch.no_grad():
        return model(**inputs.kwargs)


def debugger(model: torch.nn.Module, inputs: Inputs, folder: Path) -> None:
    """The recorder that Transformers ships, with full tensors."""
    from transformers.model_debugging_utils import model_addition_debugger_context

    with torch.no_grad(), model_addition_debugger_context(model, debug_path=str(folder), use_repr=False):
        model(**inputs.kwargs)
    shutil.rmtree(folder)


def without_fsync(action: Callable[[], object]) -> None:
    """Run ``action`` with ``os.fsync`` switched off: the disk's own speed is not what is measured."""
    with unittest.mock.patch("os.fsync"):
        action()


@contextlib.contextmanager
def scratch_folder() -> Any:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def measure(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Wall and CPU seconds of every case: once unmeasured, then ``rounds`` times in turn."""
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            wall, cpu = time.perf_counter(), time.process_time()
            case()
            if number:
                times[name][0].append(time.perf_counter() - wall)
                times[name][1].append(time.process_time() - cpu)
    return times


def report(times: dict[str, tuple[list[float], list[float]]], base: str, targets: dict[str, float]) -> None:
    """Print each case's median, and its ratio to ``base``: the median of the rounds' own ratios."""
    print(f"{'':48}{'median':>9}{'ratio':>8}{'cpu':>7}{'goal':>7}")
    for name, (wall, cpu) in times.items():
        ratio = statistics.median(own / other for own, other in zip(wall, times[base][0], strict=True))
        of_cpu = statistics.median(own / other for own, other in zip(cpu, times[base][1], strict=True))
        goal = f"{targets[name]:.1f}" if name in targets else ""
        print(f"{name:48}{1000 * statistics.median(wall):7.0f}ms{ratio:8.2f}{of_cpu:7.2f}{goal:>7}")


if __name__ == "__main__":
    main()
