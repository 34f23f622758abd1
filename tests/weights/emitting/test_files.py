"""Emitted files as they are used: in processes of their own, from any kind of checkpoint, and never over others."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
import torch
from emitted import differing, load, run_script, saved, write
from safetensors.torch import save_file
from transformers import BertConfig, BertModel
from unseen_ports import UNSEEN

from porting.errors import GenerationError, MismatchError, OutputError
from porting.weights import Apply, Convert, Drop, Rename, Transpose, apply_rules
from porting.weights.emitting import Emitted, emit_mapping, emit_script
from porting.weights.rules.rule import Rule

WITHOUT_PORTING = "import runpy, sys; sys.modules['porting'] = None; sys.argv = sys.argv[1:]; "
WITHOUT_PORTING += "runpy.run_path(sys.argv[0], run_name='__main__')"
CONFIG = BertConfig(
    vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
    max_position_embeddings=6,
)  # fmt: skip
OLD = {"attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v", "output.dense": "ff2"}


@pytest.fixture
def port() -> Any:
    torch.manual_seed(0)
    return BertModel(CONFIG).eval()


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An original's names for the tensors of a BERT."""
    found = {}
    for name, tensor in state.items():
        new = re.sub(r"^encoder\.layer\.(\d+)\.", r"blocks.\1.", name)
        found[re.sub(r"^(embeddings|pooler)\.", r"\1_", new)] = tensor.clone()
    return found


RULES: list[Rule] = [
    Drop("epoch", "counts"),
    Rename("blocks.{i:d}.{rest:*}", "encoder.layer.{i}.{rest}"),
    Rename("{part:embeddings|pooler}_{rest:*}", "{part}.{rest}"),
]


def child(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**{k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, **variables}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_script_runs_alone_on_a_nested_pickle(port: Any, tmp_path: Path) -> None:
    state = {**renamed(port.state_dict()), "epoch": torch.tensor(3)}
    torch.save({"model": state, "args": {"lr": 0.1}}, tmp_path / "original.pt")
    script = emit_script(tmp_path / "original.pt", port, tmp_path, RULES, name="Old BERT").paths[0]
    assert script.name == "convert_old_bert_to_hf.py"
    given = ("--checkpoint_path", tmp_path / "original.pt", "--output_path", tmp_path / "converted")
    done = child("-I", "-c", WITHOUT_PORTING, script, *given)
    assert done.returncode == 0, done.stderr
    assert differing(saved(tmp_path / "converted"), port.state_dict()) == []
    assert differing(load(BertModel, tmp_path / "converted"), port.state_dict()) == []
    assert "verify_outputs has no values" in done.stdout


def test_the_script_reads_shards_by_their_index_and_a_folder_of_them(port: Any, tmp_path: Path) -> None:
    state = renamed(port.state_dict())
    names = sorted(state)
    files = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    (tmp_path / "shards").mkdir()
    for file, own in files.items():
        save_file({name: state[name] for name in own}, tmp_path / "shards" / file)
    index = tmp_path / "shards" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, own in files.items() for name in own}}))
    emitted = emit_script(index, port, tmp_path, RULES, name="bert")
    for number, path in enumerate((index, index.parent)):
        assert differing(run_script(emitted, path, tmp_path / f"converted{number}"), port.state_dict()) == []


def test_the_script_reads_arrays(port: Any, tmp_path: Path) -> None:
    state = renamed(port.state_dict())
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in state.items()}
    np.savez(tmp_path / "original.npz", **arrays)
    emitted = emit_script(tmp_path / "original.npz", port, tmp_path, RULES, name="bert")
    assert differing(run_script(emitted, tmp_path / "original.npz", tmp_path / "converted"), port.state_dict()) == []


def test_the_generated_test_passes(tmp_path: Path, port: Any) -> None:
    state = {**renamed(port.state_dict()), "epoch": torch.tensor(3)}
    original = write(tmp_path / "original", state)
    port.save_pretrained(tmp_path / "converted")
    test = emit_mapping(original, port, tmp_path, RULES, name="bert").paths[1]
    done = child(
        "-m", "pytest", test, "-q", "-p", "no:cacheprovider", "-p", "no:porting",
        ORIGINAL_CHECKPOINT=str(original), CONVERTED_CHECKPOINT=str(tmp_path / "converted"),
    )  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_generated_test_fails_on_a_wrong_mapping(tmp_path: Path, port: Any) -> None:
    original = write(tmp_path / "original", renamed(port.state_dict()))
    port.save_pretrained(tmp_path / "converted")
    mapping, test = emit_mapping(original, port, tmp_path, RULES[1:], name="bert").paths
    wrong = mapping.read_text().replace(
        "]\n\n\ndef register", '    WeightRenaming("query", "key"),\n]\n\n\ndef register'
    )
    mapping.write_text(wrong)
    done = child(
        "-m", "pytest", test, "-q", "-p", "no:cacheprovider", "-p", "no:porting",
        ORIGINAL_CHECKPOINT=str(original), CONVERTED_CHECKPOINT=str(tmp_path / "converted"),
    )  # fmt: skip
    assert "3 failed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", UNSEEN)
def test_the_files_pass_transformers_own_lint(name: str, tmp_path: Path) -> None:
    ruff = which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if ruff is None:
        pytest.skip("ruff is not installed")
    model, state, rules = UNSEEN[name]()
    emit_script(state, model, tmp_path, rules, name=name, saved=("tokenizer", "processor"))
    emit_mapping(state, model, tmp_path, rules, name=name)
    (tmp_path / "ruff.toml").write_text(
        'line-length = 119\n[lint]\nselect = ["C4", "E", "F", "I", "PIE794", "SIM", "UP", "W"]\n'
        'ignore = ["E501", "SIM1"]\n[lint.isort]\nlines-after-imports = 2\nknown-first-party = ["transformers"]\n'
    )
    for command in (["check"], ["format", "--check"]):
        outcome = subprocess.run([ruff, *command, "."], cwd=tmp_path, capture_output=True, text=True)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_only_the_helpers_that_are_needed_are_there(tmp_path: Path, port: Any) -> None:
    plain = emit_script(renamed(port.state_dict()), port, tmp_path, RULES[1:], name="bert").paths[0]
    model, state, rules = UNSEEN["sparse"]()
    rich = emit_script(state, model, tmp_path, rules, name="sparse").paths[0]
    functions = [
        {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        for path in (plain, rich)
    ]
    helpers = {"on_each", "split", "concatenate", "stack", "transpose", "permute_rope", "at", "with_sizes"}
    assert not functions[0] & (helpers | {"convert_tensors", "collect"})
    assert functions[1] >= helpers
    assert "flip" not in functions[1]


def test_heads_of_the_config_stay_its_attributes(tmp_path: Path) -> None:
    model, state, rules = UNSEEN["sparse"]()
    text = emit_script(state, model, tmp_path, rules, name="sparse").paths[0].read_text()
    assert '"heads": "num_key_value_heads"' in text
    assert '"num_attention_heads*head_dim"' in text


def test_its_own_file_is_replaced_and_no_other(tmp_path: Path, port: Any) -> None:
    state = renamed(port.state_dict())
    path = emit_script(state, port, tmp_path, RULES[1:], name="bert").paths[0]
    first = path.read_bytes()
    path.write_bytes(first + b"# more\n")
    emit_script(state, port, tmp_path, RULES[1:], name="bert")
    assert path.read_bytes() == first
    path.write_text("my own\n")
    with pytest.raises(OutputError, match="was not written by porting"):
        emit_script(state, port, tmp_path, RULES[1:], name="bert")
    assert path.read_text() == "my own\n"
    (tmp_path / "test_conversion_mapping_bert.py").write_text("mine\n")
    with pytest.raises(OutputError):
        emit_mapping(state, port, tmp_path, RULES[1:], name="bert")
    assert not (tmp_path / "conversion_mapping_bert.py").exists()


def test_rules_that_do_not_make_the_port_are_not_written(tmp_path: Path, port: Any) -> None:
    state = {**renamed(port.state_dict()), "epoch": torch.tensor(3)}
    for emit in (emit_script, emit_mapping):
        with pytest.raises(MismatchError, match="epoch"):
            emit(state, port, tmp_path, RULES[1:], name="bert")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["mapping", "function"])
def test_names_given_by_a_mapping_or_a_function_become_patterns(kind: str, tmp_path: Path, port: Any) -> None:
    own = list(port.state_dict())
    names: dict[str, str | None] = dict(zip(renamed(port.state_dict()), own, strict=True))
    names["epoch"] = None
    state = {**renamed(port.state_dict()), "epoch": torch.tensor(3)}
    rules: Any = names if kind == "mapping" else names.get
    emitted = emit_script(state, port, tmp_path, rules, name="bert")
    assert differing(run_script(emitted, write(tmp_path / "o", state), tmp_path / "c"), port.state_dict()) == []
    text = emitted.paths[0].read_text()
    assert text.count("attention.self.query.weight") == 1
    assert emit_mapping(state, port, tmp_path, rules, name="bert").rules == emitted.rules


def test_names_without_the_base_models_prefix_get_it(tmp_path: Path) -> None:
    from transformers import BertForMaskedLM

    torch.manual_seed(0)
    model: Any = BertForMaskedLM(CONFIG).eval()
    state = {name.replace("bert.", "").replace("cls.", "top_"): tensor for name, tensor in model.state_dict().items()}
    rules = [Rename("top_{rest:*}", "cls.{rest}"), Rename("{rest:*}", "{rest}")]
    emitted = emit_script(state, model, tmp_path, rules, name="bert")
    assert differing(run_script(emitted, write(tmp_path / "o", state), tmp_path / "c"), model.state_dict()) == []


HOSTILE = ['a"b', "a'b", "a\\b", 'r"""x"""', "a{b}", "a$b", "a|b(c)", "import os", "ä✓", "__x__", "a\tb", "a\\"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_code(name: str, tmp_path: Path, port: Any) -> None:
    state = dict(port.state_dict())
    state[name] = state.pop("pooler.dense.bias")
    pattern = name.replace("{", "{{").replace("}", "}}")
    rules = [Rename(pattern, "pooler.dense.bias"), Drop("nothing", "x")]
    emitted = emit_script(state, port, tmp_path, rules, name=name + " model")
    assert differing(run_script(emitted, write(tmp_path / "o", state), tmp_path / "c"), port.state_dict()) == []
    if any(mark in name for mark in "\\{}$|()"):
        with pytest.raises(GenerationError, match="patterns of names cannot have"):
            emit_mapping(state, port, tmp_path, rules, name="bert")
    else:
        assert emit_mapping(state, port, tmp_path, rules, name="bert").paths[0].read_text().isascii()


def uses_outside(tensor: torch.Tensor) -> torch.Tensor:
    return tensor * len(HOSTILE)


def turned(tensor: torch.Tensor) -> torch.Tensor:
    return torch.flip(tensor, [0])


def emitted_with(function: Any, folder: Path, port: Any) -> Emitted:
    state = {**port.state_dict()}
    state["old"] = state.pop("pooler.dense.bias")
    return emit_script(state, port, folder, [Convert("old", "pooler.dense.bias", Apply(function))], name="bert")


def test_a_function_that_stands_alone_is_copied(tmp_path: Path, port: Any) -> None:
    assert "def turned(tensor: torch.Tensor)" in emitted_with(turned, tmp_path, port).paths[0].read_text()


@pytest.mark.parametrize(
    ("function", "why"),
    [(uses_outside, "HOSTILE from outside"), (lambda tensor: tensor, "name"), (torch.neg, "source is not at hand")],
)
def test_another_function_is_an_error_that_says_what_to_do(function: Any, why: str, tmp_path: Path, port: Any) -> None:
    with pytest.raises(GenerationError, match=why) as raised:
        emitted_with(function, tmp_path, port)
    assert raised.value.hint


def test_a_name_with_two_meanings_is_no_mapping(tmp_path: Path, port: Any) -> None:
    state = dict(port.state_dict())
    query = "encoder.layer.0.attention.self.query.weight"
    state[query] = state[query].t().contiguous()
    rules = [Convert("encoder.layer.0.attention.self.query.weight", query, Transpose())]
    with pytest.raises(GenerationError, match="a name of the original's and of the port's") as raised:
        emit_mapping(state, port, tmp_path, rules, name="bert")
    assert "--emit script" in raised.value.hint
    emitted = emit_script(state, port, tmp_path, rules, name="bert")
    assert differing(run_script(emitted, write(tmp_path / "o", state), tmp_path / "c"), port.state_dict()) == []


def test_a_rule_that_an_earlier_one_narrows_does_not_take_its_names(tmp_path: Path, port: Any) -> None:
    state = {**renamed(port.state_dict()), "blocks.0.step": torch.tensor(1), "blocks.9.step": torch.tensor(1)}
    state["blocks.7.step"] = state.pop("pooler_dense.bias")
    rules = [
        Rename("blocks.7.step", "pooler.dense.bias"),
        Drop("blocks.{i:d}.step", "counts"),
        *RULES[1:],
    ]
    emitted = emit_script(state, port, tmp_path, rules, name="bert")
    assert differing(run_script(emitted, write(tmp_path / "o", state), tmp_path / "c"), port.state_dict()) == []
    assert differing(apply_rules(rules, state), port.state_dict()) == []
