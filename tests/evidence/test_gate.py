"""What goes stale when something changes, on a port with everything on the disk; undone, all is fresh again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from working import write_folder

from porting.checks import CheckContext, record_checks, run_checks
from porting.evidence import changes, newest_records
from porting.evidence.versions import version_of
from porting.portfile import Portfile

NAMES = ("check_weight_names", "check_weight_shapes", "check_weights_used")
TOKENIZER = ("check_token_ids_equal", "check_token_offsets", "check_tokenizer_saved_and_loaded")
CODE = ("check_structure", "check_docstrings", "check_no_placeholders")
STARTS = ("check_default_config_builds", "check_init_covers_weights", "check_init_keeps_loaded", "check_eval_mode")
VALUES = ("check_weights_loaded", "check_no_random_weights")
TIES = ("check_weights_tied",)
PORT = ("check_runs_repeat", "check_save_load_round_trip", "check_dropout_inactive")
BOTH = ("check_outputs_equal", "check_hidden_states_equal", "check_settings_equal", "check_longer_sequences")
LIVE = ("check_original_repeats", "check_original_runs")
NEAREST = ("check_nearest_named",)
NOTEBOOK = ("check_notebook_runs",)
ORIGINAL = ("check_original_eval_mode",)
VOCABULARY = ("check_vocabulary_fits_model",)
PIPELINE = ("check_pipeline_equals_direct_call",)
OF_PORT = (*NAMES, *CODE, *STARTS, *VALUES, *TIES, *PORT, *BOTH, *VOCABULARY, *PIPELINE)
ALL = (*OF_PORT, *TOKENIZER, *LIVE, *ORIGINAL, *NEAREST, *NOTEBOOK)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every check has run."""
    folder = tmp_path_factory.mktemp("gate") / "port"
    context = CheckContext(Portfile.load(write_folder(folder, "Gate")))
    assert record_checks(context, run_checks(context, ALL)) is None
    return folder


@pytest.fixture
def port(home: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(home, tmp_path / "port")


def stale(folder: Path) -> dict[str, tuple[str, ...]]:
    portfile = Portfile.load(folder / "portfile.py")
    found = {name: changes(record, portfile) for name, record in newest_records(portfile).items()}
    assert set(found) == set(ALL)
    return {name: changed for name, changed in found.items() if changed}


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def one_weight(folder: Path) -> None:
    path = folder / "converted" / "model.safetensors"
    tensors = load_file(path)
    tensors["mlp.fc1.bias"][3] += 1e-3
    save_file(tensors, path, metadata={"format": "pt"})


def one_value(folder: Path) -> None:
    state = torch.load(folder / "original.pt", weights_only=True)
    state["up.bias"][3] += 1e-3
    torch.save(state, folder / "original.pt")


def one_shape(folder: Path) -> None:
    state = torch.load(folder / "original.pt", weights_only=True)
    state["up.bias"] = state["up.bias"][:7].clone()
    torch.save(state, folder / "original.pt")


def one_token(folder: Path) -> None:
    replaced("converted/tokenizer.json", '"k": 11', '"l": 11')(folder)


CHANGES: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "one weight of the port": (one_weight, (*VALUES, *TIES, *PORT, *BOTH, *PIPELINE)),
    "the port's config": (
        replaced("converted/config.json", '"wide": 8', '"wide": 9'),
        tuple(name for name in OF_PORT if name not in CODE),
    ),
    "one line of the port": (replaced("layers_gate.py", "torch.tanh(", "torch.sin("), OF_PORT),
    "the class of the port": (replaced("modeling_gate.py", "A small model", "A model"), OF_PORT),
    "a value in the checkpoint": (one_value, (*VALUES, *BOTH, *LIVE)),
    "a shape in the checkpoint": (one_shape, (*VALUES, *BOTH, *LIVE, *NAMES, *NEAREST)),
    "one line of the original": (replaced("original_gate.py", "torch.tanh(", "torch.sin("), (*BOTH, *LIVE, *ORIGINAL)),
    "a rule": (replaced("rules_gate.py", "mlp.fc2", "mlp.fc3"), (*NAMES, *VALUES)),
    "the tokenizer": (one_token, (*TOKENIZER, *VOCABULARY, *PIPELINE)),
    "the original's vocabulary": (replaced("vocabulary.txt", "k", "l"), (*TOKENIZER, *VOCABULARY)),
    "original()": (
        replaced("portfile.py", "model = Original()", "model = Original(); 1"),
        (*BOTH, *LIVE, *ORIGINAL),
    ),
    "ported()": (replaced("portfile.py", '"converted").eval()', '"converted").eval().float()'), OF_PORT),
    "inputs()": (replaced("portfile.py", "arange(8)", "arange(1, 9)"), (*PORT, *BOTH, *LIVE)),
    "the tokenizer's function": (
        replaced("portfile.py", 'Fast.from_pretrained("converted")', 'Fast.from_pretrained("./converted")'),
        (*TOKENIZER, *VOCABULARY, *PIPELINE),
    ),
    "a helper of the original's tokenizer": (
        replaced("portfile.py", ".read_text().split()", ".read_text().split(None)"),
        (*TOKENIZER, *VOCABULARY),
    ),
    "the tolerance": (replaced("portfile.py", '"atol": 1e-4', '"atol": 1e-5'), BOTH),
    "an expected failure": (
        lambda folder: _append(folder, 'EXPECTED_FAILURES = {"check_runs_repeat": "it draws"}'),
        ("check_runs_repeat",),
    ),
    "another way to run the port": (
        lambda folder: _append(folder, "def run_ported(model, inputs):\n    return model(**inputs)\n"),
        (*PORT, *BOTH),
    ),
    "a function that nothing asked for": (
        lambda folder: _append(folder, "def original_generate(model, inputs, max_new_tokens): ...\n"),
        (),
    ),
    "an unused helper": (lambda folder: _append(folder, "def helper():\n    return 3\n"), ()),
    "HUB_ID": (lambda folder: _append(folder, 'HUB_ID = "org/name"\n'), ()),
    "a comment": (lambda folder: _append(folder, "# written on a Sunday\n"), ()),
    "spaces": (replaced("portfile.py", "return model.eval()", "return  model.eval( )"), ()),
    "a page beside it": (lambda folder: _write(folder / "README.md", "# Gate"), ()),
    "a notebook beside it": (lambda folder: _write(folder / "gate.ipynb", "{}"), NOTEBOOK),
    "a folder beside it": (lambda folder: _write(folder / "traces" / "original" / "manifest.json", "{}"), ()),
}


def _append(folder: Path, text: str) -> None:
    with (folder / "portfile.py").open("a") as file:
        file.write(f"\n\n{text}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_is_stale_wherever_the_folder_lies(home: Path, port: Path, tmp_path: Path) -> None:
    assert stale(home) == stale(port) == {}
    (tmp_path / "a" / "b").mkdir(parents=True)
    port.rename(tmp_path / "a" / "b" / "moved")
    assert stale(tmp_path / "a" / "b" / "moved") == {}


def test_a_touched_file_is_read_and_found_to_be_the_same(port: Path) -> None:
    for path in port.rglob("*.*"):
        os.utime(path, ns=(1, 1))
    assert stale(port) == {}


def test_an_untouched_file_is_not_read_again(port: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(port, port.parent / "same", copy_function=shutil.copy2)

    def refuse(*_: object) -> str:
        raise AssertionError("a file was read")

    monkeypatch.setattr("porting.evidence.files._hash", refuse)
    assert stale(port.parent / "same") == {}


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("transformers", (*OF_PORT, *TOKENIZER, *NEAREST)),
        ("torch", tuple(name for name in ALL if name not in (*TOKENIZER, *NEAREST, *NOTEBOOK))),
        ("tokenizers", (*TOKENIZER, *VOCABULARY, *PIPELINE)),
        ("numpy", ()),
    ],
)
def test_another_version_makes_stale_what_ran_with_it(
    port: Path, monkeypatch: pytest.MonkeyPatch, package: str, expected: tuple[str, ...]
) -> None:
    def other(name: str) -> str | None:
        return "9.9" if name == package else version_of(name)

    monkeypatch.setattr("porting.evidence.renewing.version_of", other)
    found = stale(port)
    assert set(found) == set(expected), set(found) ^ set(expected)
    assert all(changed == (f"{package} {version_of(package)}, then 9.9",) for changed in found.values())
    monkeypatch.undo()
    assert stale(port) == {}


def test_it_takes_no_torch_and_little_time(port: Path) -> None:
    code = """
import sys, time
from porting.evidence import changes, newest_records
from porting.portfile import Portfile
began = time.process_time()
portfile = Portfile.load("portfile.py")
records = newest_records(portfile)
assert not [name for name, record in records.items() if changes(record, portfile)]
assert len(records) > 20 and time.process_time() - began < 2
assert not {"torch", "transformers"} & set(sys.modules)
"""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], cwd=port, env=environment, check=True)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_exactly_what_speaks_of_it_stale(port: Path, home: Path, name: str) -> None:
    change, expected = CHANGES[name]
    change(port)
    found = stale(port)
    assert set(found) == set(expected), {key: found.get(key) for key in set(found) ^ set(expected)}
    shutil.rmtree(port)
    shutil.copytree(home, port, copy_function=shutil.copy)
    assert stale(port) == {}
