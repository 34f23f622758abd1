"""Originals and checkpoints that mean ill, or are broken in odd ways."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from porting.scaffold.locating import OriginalError, locate
from porting.scaffold.reading import read_sources
from porting.scaffold.saved import read_saved
from porting.scaffold.siblings import sibling_of
from porting.scaffold.trying import listen

TELL = "import json, os, sys, time; to = json.load(open(sys.argv[1]))['messages']; "


def told(script: str, folder: Path, seconds: float = 20.0) -> list[object]:
    return [dict(each) for each in listen([sys.executable, "-c", TELL + script], {}, folder, seconds)]


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{number}/status").read_text() if Path("/proc").is_dir() else True


@pytest.mark.parametrize(
    "leave",
    [
        "",
        pytest.param("os.setsid()", marks=pytest.mark.skipif(sys.platform != "linux", reason="cannot be found here")),
    ],
)
def test_what_an_original_started_ends_with_it_and_is_not_waited_for(leave: str, tmp_path: Path) -> None:
    began = time.monotonic()
    found = told(
        f"child = os.fork(); child or ({leave or None}, time.sleep(60)); "
        "os.write(to, json.dumps({'ran': str(child)}).encode() + b'\\n')",
        tmp_path,
    )
    assert time.monotonic() - began < 10
    (message,) = found
    assert isinstance(message, dict)
    until = time.monotonic() + 5
    while runs(int(message["ran"])) and time.monotonic() < until:
        time.sleep(0.05)
    assert not runs(int(message["ran"]))


@pytest.mark.parametrize(
    "line", ["garbage", "[]", "\\xff", "{}", '{"failed": []}', '{"ran": 5}', '{"x": "y"}', "[" * 9999, '{"ran": NaN}']
)
def test_what_an_original_writes_among_the_messages_is_no_message(tmp_path: Path, line: str) -> None:
    (found,) = told(f"os.write(to, ({line!r} + chr(10)).encode('latin-1'))", tmp_path)
    assert isinstance(found, dict)
    assert list(found) == ["ended"]
    assert "what it told" in found["ended"]


def test_an_original_that_ends_the_process_in_silence_is_told(tmp_path: Path) -> None:
    assert told("os._exit(0)", tmp_path) == [{"ended": "its process ended with exit code 0 and told nothing"}]


def test_files_that_are_none_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("class A: ...\n")
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "zero.py").symlink_to("/dev/zero")
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "import.py").write_text("x = 1\n")
    assert list(locate(str(tmp_path)).files) == ["model"]


@pytest.mark.parametrize(
    "text",
    ["class A:\n    x: " + "a." * 5000 + "b\n", "if a: pass\n" + "elif a: pass\n" * 5000, "\0", "x = " + "(" * 500],
)
def test_code_that_is_nested_too_deeply_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.py").write_text(text)
    (tmp_path / "model.py").write_text("class A: ...\n")
    found = read_sources({name: tmp_path / f"{name}.py" for name in ("deep", "model")})
    assert [each.module for each in found.classes if each.module == "model"] == ["model"]


@pytest.mark.parametrize("answer", ["1", '{"a": 1}', "x", "[" * 9999, ""])
def test_an_interpreter_that_answers_otherwise_is_refused(tmp_path: Path, answer: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    python.chmod(0o755)
    with pytest.raises(OriginalError, match="cannot be asked"):
        locate("some_package", str(python))


ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 8)}]\n" for n in range(40)
)


@pytest.mark.parametrize("text", [ALIASES, "hidden_size: &a [*a]\n", "!!python/object/apply:os.mkdir [ran]"])
def test_settings_that_hold_themselves_or_each_other_a_billion_times_are_none(tmp_path: Path, text: str) -> None:
    save_file({"weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.yaml").write_text(text)
    began = time.monotonic()
    assert all(len(str(value)) < 20_000 for value in read_saved(tmp_path).values.values())
    assert "hidden_size" not in read_saved(tmp_path).values
    assert time.monotonic() - began < 2


def test_a_state_dict_that_holds_itself_is_searched_once(tmp_path: Path) -> None:
    saved: dict[str, object] = {"weight": torch.ones(2, 2)}
    saved |= {f"again{number}": saved for number in range(100)}
    circle: list[object] = []
    circle.append(circle)
    torch.save({"state": saved, "hyper_parameters": {"hidden_size": circle, "layers": 3}}, tmp_path / "model.pt")
    began = time.monotonic()
    found = read_saved(tmp_path)
    assert (dict(found.values), time.monotonic() - began < 3) == ({"layers": 3}, True)


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 10**9},
        {"num_labels": 10**9},
        {"inner": {"num_local_experts": 10**9}},
        {"hidden_size": "x"},
        {"hidden_act": ["a"], "num_attention_heads": 0},
    ],
)
def test_a_config_from_which_nothing_can_be_built_is_not_the_ports(tmp_path: Path, config: dict[str, object]) -> None:
    shapes = {"embeddings.word_embeddings.weight": (16, 8)}
    save_file({name: torch.ones(shape) for name, shape in shapes.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip_vision_model", **config}))
    saved = read_saved(tmp_path)
    assert not {"num_hidden_layers", "num_labels"} & saved.values.keys()
    if saved.model_type and "hidden_size" in config:
        found = sibling_of("clip_vision_model", {}, saved.values, declared=saved.model_type, folder=str(tmp_path))
        assert not found.from_folder


def test_a_long_context_is_no_number_of_blocks(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    known = {"model_type": "x", "block_size": 131072, "n_layer": 12, "class_token_id": 10**7}
    (tmp_path / "config.json").write_text(json.dumps(known))
    assert (read_saved(tmp_path).values, read_saved(tmp_path).model_type) == (known, "x")
