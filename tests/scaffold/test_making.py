from __future__ import annotations

import json
import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from scaffolding import MODEL, SIZES, write_checkpoint, write_repository
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, Qwen3Config, Qwen3ForCausalLM, WhisperConfig, WhisperModel

from porting.errors import CheckpointError, OutputError, PortfileError
from porting.nearest import nearest_architectures
from porting.parts import parts_left
from porting.portfile import Portfile
from porting.scaffold import ModelName, Request, Scaffold, make_scaffold, making
from porting.scaffold.planning import feed_of
from porting.scaffold.siblings import ModelTypeError, sibling_of
from porting.verifying import verify_portfile


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a ``tiny_model`` of its own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "tiny_model", ModuleType("tiny_model"))
    del sys.modules["tiny_model"]


def make(folder: Path, **given: object) -> Scaffold:
    return make_scaffold(Request(ModelName.of("tiny_gpt"), output=folder / "work", **given))  # type: ignore[arg-type]


def listed(scaffold: Scaffold) -> list[str]:
    """The parts that are said to be left are those of the files."""
    found = [(path, part) for path in scaffold.files for part in parts_left(path.read_text())]
    assert list(scaffold.parts) == found
    return [part.what for _, part in scaffold.parts]


def lint(folder: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--isolated"], ["format", "--isolated", "--check", "--line-length", "119"]):
        done = subprocess.run([*ruff, *command, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_lucky_original_is_verified_at_once(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint, like="gpt2")
    assert made.verdict == "match", made.troubles
    assert [path.name for path in made.files] == ["portfile.py", ".gitignore", "checklist.md"]
    assert listed(made) == ["HUB_ID and REVISION, once the converted weights are on the Hub"]
    text = made.files[0].read_text()
    assert "from transformers import GPT2LMHeadModel" in text
    assert str(tmp_path) not in text
    lint(tmp_path / "work")
    portfile = Portfile.load(made.files[0])
    assert not portfile.warnings
    assert verify_portfile(portfile).verdict == "match"
    assert {path.name for path in tmp_path.iterdir()} == {"repository", "model.pt", "work"}


def test_heads_that_nothing_tells_stay_a_part_of_the_original(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt")
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint)
    assert any(what.startswith("the right n_head: no shape tells it") for what in listed(made))
    assert any(what.startswith("whether the settings that no shape tells") for what in listed(made))


def test_heads_that_only_the_originals_code_knows_are_found_by_running_both_sides(tmp_path: Path) -> None:
    text = MODEL.replace("    n_head: int = 4\n", "").replace("self.heads = config.n_head", "self.heads = 2")
    repository = write_repository(tmp_path, text)
    sizes = {name: size for name, size in SIZES.items() if name != "n_head"}
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=sizes)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint, like="gpt2")
    assert made.verdict == "match", made.troubles
    assert Portfile.load(made.files[0]).config().n_head == 2


def test_an_original_that_cannot_be_imported_leaves_its_part_and_the_rest_is_written(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    (repository / "tiny_model.py").write_text("import a_package_that_is_not_there\n" + MODEL)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint, like="gpt2")
    assert made.verdict == ""
    assert any("a_package_that_is_not_there" in what for what in listed(made))
    assert any("a_package_that_is_not_there" in trouble for trouble in made.troubles)
    lint(tmp_path / "work")
    portfile = Portfile.load(made.files[0])
    assert isinstance(portfile.build("ported"), torch.nn.Module)
    with pytest.raises(PortfileError, match="a_package_that_is_not_there"):
        portfile.build("original")


def test_nothing_of_the_original_is_run_when_that_is_asked_for(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    mark = tmp_path / "mark"
    (repository / "tiny_model.py").write_text(f"open({str(mark)!r}, 'w').close()\n" + MODEL)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint, like="gpt2", run=False)
    assert not mark.exists()
    assert any("nothing was run" in what for what in listed(made))
    lint(tmp_path / "work")
    assert isinstance(Portfile.load(made.files[0]).build("ported"), torch.nn.Module)


def test_without_anything_known_there_is_a_folder_with_parts(tmp_path: Path) -> None:
    made = make(tmp_path)
    assert len(listed(made)) == 4
    lint(tmp_path / "work")
    assert set(Portfile.load(made.files[0]).functions) == {"original", "ported", "inputs"}


def test_an_original_alone_runs_on_inputs_of_its_own(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint)
    assert "original() runs and returns (2, 16, 101)" in made.done
    assert len(listed(made)) == 3
    assert made.advice == ("The port is left to you, as no --like was given; with --like gpt2 it is filled in, too.",)
    lint(tmp_path / "work")


def test_with_a_model_type_alone_the_port_and_its_inputs_run(tmp_path: Path) -> None:
    made = make(tmp_path, like="vit")
    lint(tmp_path / "work")
    portfile = Portfile.load(made.files[0])
    model = portfile.ported_class()(portfile.config())
    with torch.no_grad():
        assert model(**portfile.inputs("ported").kwargs) is not None


@pytest.mark.parametrize("like", ["bert", "gpt_neox", "convnext", "whisper", "esm", "encodec", "t5"])
def test_inputs_of_usual_kinds_are_known(like: str) -> None:
    port = sibling_of(like, {}, {"num_hidden_layers": 1})
    feed = feed_of(port, None, None)
    assert feed.kind
    assert feed.left == ()


def test_names_and_paths_never_become_code(tmp_path: Path) -> None:
    evil = 'x"""\nraise SystemExit\n"""]]{{ 7 * 7 }}'
    folder = tmp_path / 'we"ird\n{{ 7 }}'
    folder.mkdir()
    torch.save({f"{evil}.weight": torch.zeros(3, 3), "a.weight": torch.zeros(2, 2)}, folder / "model.pt")
    made = make(folder, checkpoint=folder / "model.pt", like="gpt2")
    text = made.files[0].read_text()
    compile(text, "portfile.py", "exec")
    listed(made)
    portfile = Portfile.load(made.files[0])
    assert portfile.checkpoint() is not None
    with portfile.running():
        weights = portfile.functions["checkpoint"].__globals__["weights"]()
    assert set(weights) == {f"{evil}.weight", "a.weight"}


def test_a_checkpoint_that_would_run_code_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("run",)

    (tmp_path / "model.pt").write_bytes(pickle.dumps({"w": Evil()}))
    with pytest.raises(CheckpointError):
        make(tmp_path, checkpoint=tmp_path / "model.pt")
    assert {path.name for path in tmp_path.iterdir()} == {"model.pt"}


def test_files_that_are_there_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        make(tmp_path)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["notes.txt"]


def test_an_unknown_model_type_names_near_ones_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelTypeError) as caught:
        make(tmp_path, like="lama")
    assert "llama" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "explored", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_scaffold(Request(ModelName.of("tiny_gpt"), output=tmp_path / "deep" / "er" / "work"))
    assert list(tmp_path.iterdir()) == []


def test_the_interpreter_of_the_original_is_in_the_portfile(tmp_path: Path) -> None:
    near = tmp_path / "venv" / "bin" / "python"
    made = make(tmp_path, python=str(near), run=False)
    assert Portfile.load(made.files[0]).original_python == str(tmp_path / "work" / "../venv/bin/python")
    assert 'ORIGINAL_PYTHON = "../venv/bin/python"' in made.files[0].read_text()


def test_a_relative_interpreter_is_started_from_wherever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv").mkdir()
    wrapper = tmp_path / "venv" / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    made = make(tmp_path, original="json", python="venv/python", run=False)
    assert made.parts
    assert Portfile.load(made.files[0]).original_python == str(tmp_path / "work" / "../venv/python")


def test_shards_are_read_by_code_that_the_originals_interpreter_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = write_repository(tmp_path)
    state = torch.load(write_checkpoint(repository, tmp_path / "model.pt"), weights_only=True)
    weights = {name: tensor.clone() for name, tensor in state.items() if name != "lm_head.weight"}
    names = {f"model-{at}.safetensors": list(weights)[at::2] for at in range(2)}
    (tmp_path / "shards").mkdir()
    for file, its in names.items():
        save_file({name: weights[name] for name in its}, tmp_path / "shards" / file)
    places = {name: file for file, its in names.items() for name in its}
    (tmp_path / "shards" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    made = make(tmp_path, original=str(repository), checkpoint=tmp_path / "shards", run=False)
    text = made.files[0].read_text()
    assert "from porting" not in text
    lint(tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    read = runpy.run_path("portfile.py")["weights"]()
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_a_checkpoint_of_half_precision_is_compared_in_that_of_the_original(tmp_path: Path) -> None:
    repository = write_repository(tmp_path)
    checkpoint = write_checkpoint(repository, tmp_path / "model.pt", model_args=SIZES)
    saved = torch.load(checkpoint, weights_only=True)
    saved["model"] = {name: tensor.bfloat16() for name, tensor in saved["model"].items()}
    torch.save(saved, checkpoint)
    made = make(tmp_path, original=str(repository), checkpoint=checkpoint, like="gpt2")
    assert made.verdict == "match", made.troubles
    lint(tmp_path / "work")
    port: Any = Portfile.load(made.files[0]).build("ported")
    port.to(torch.bfloat16).save_pretrained(tmp_path / "work" / "converted")
    assert verify_portfile(Portfile.load(made.files[0])).verdict == "match"


def test_shapes_overrule_what_the_original_calls_by_the_same_name() -> None:
    settings = {"hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 4}
    with torch.device("meta"):
        model = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=97, **settings))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    port = sibling_of("gpt_neox", shapes, {"vocab_size": 256, "n_layer": 2})
    assert (port.class_name, port.distance, port.settings["vocab_size"]) == ("GPTNeoXForCausalLM", 0, 97)


def test_shapes_that_are_merely_alike_do_not_overrule_what_the_original_says() -> None:
    settings = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 160, "head_dim": 8, "vocab_size": 97}
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**settings, num_attention_heads=8, num_key_value_heads=2))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    fused = {name: shape for name, shape in shapes.items() if not name.endswith(("q_proj.weight", "k_proj.weight"))}
    fused = {name: (96, 64) if name.endswith("v_proj.weight") else shape for name, shape in fused.items()}
    values = {"n_embd": 64, "n_head": 8, "n_kv_head": 2, "n_layer": 2, "head_size": 8}
    port = sibling_of("qwen3", fused | {"cosines": (128, 4)}, values)
    assert {port.settings.get(name) for name in ("num_attention_heads", "num_key_value_heads")} == {8, 2}
    assert port.distance == 9


def test_a_vocabulary_smaller_than_the_special_tokens_of_the_defaults_is_found() -> None:
    settings = {"d_model": 48, "encoder_layers": 3, "decoder_layers": 3, "num_mel_bins": 20, "vocab_size": 101}
    settings |= {
        "encoder_ffn_dim": 192,
        "decoder_ffn_dim": 192,
        "max_source_positions": 30,
        "max_target_positions": 24,
    }
    ids = dict.fromkeys(["pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"], 1)
    with torch.device("meta"):
        model = WhisperModel(WhisperConfig(**settings, **ids, encoder_attention_heads=4, decoder_attention_heads=4))
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    port = sibling_of("whisper", shapes, {}, nearest=nearest_architectures(shapes))
    assert (port.class_name, port.distance) == ("WhisperModel", 0)
    assert WhisperConfig(**port.settings).pad_token_id == 0
