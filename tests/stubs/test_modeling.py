from __future__ import annotations

import ast
import itertools
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from generated import failures, generate, ruff_findings
from pairs.catalogue import build
from transformers import BertConfig, BertModel

from porting.errors import GenerationError, InconclusiveError, MismatchError, OutputError
from porting.portfile import Portfile
from porting.stubs import Wanted, write_tests
from porting.stubs.checkpoint import weights_of
from porting.stubs.expectations import expected_outputs, tolerance_of
from porting.stubs.layout import MARKER, Tree
from porting.stubs.literals import FILTERS
from porting.stubs.rendering import NEUTRAL
from porting.stubs.reproducing import reproduce
from porting.tolerance import Tolerance
from porting.verification import Verification
from porting.verifying import verify_portfile

TEMPLATES = (
    "test_modeling.py.jinja", "test_tokenization.py.jinja", "test_processing.py.jinja", "test_header.py.jinja",
    "check_output.py.jinja", "reproducer.py.jinja",
)  # fmt: skip
PORTFILE = '''
MODEL_NAME = "tiny_bert"

def checkpoint():
    return "checkpoint"

def original():
    from transformers import BertModel
    class OriginalBert(BertModel):
        """The same weights in another class, with another attention kernel."""
    return OriginalBert.from_pretrained("checkpoint", attn_implementation="eager").eval()

def ported():
    from transformers import BertModel
    return BertModel.from_pretrained("checkpoint").eval()

def inputs():
    import torch
    torch.manual_seed(0)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    return {"input_ids": torch.randint(1, 50, (2, 7)), "attention_mask": mask, "output_attentions": False}
'''
CONFIG = BertConfig(
    vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
    max_position_embeddings=16,
)  # fmt: skip


def tiny_bert(seed: int = 0) -> BertModel:
    torch.manual_seed(seed)
    model = BertModel(CONFIG)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def portfile(tmp_path_factory: pytest.TempPathFactory) -> Portfile:
    folder = tmp_path_factory.mktemp("port")
    tiny_bert().save_pretrained(folder / "checkpoint")
    (folder / "portfile.py").write_text(PORTFILE)
    return Portfile.load(folder / "portfile.py")


@pytest.fixture(scope="module")
def verification(portfile: Portfile) -> Verification:
    found = verify_portfile(portfile)
    assert found.verdict == "match"
    return found


def with_constants(portfile: Portfile, **constants: Any) -> Portfile:
    return replace(portfile, constants={**portfile.constants, **constants})


def with_functions(portfile: Portfile, **functions: Any) -> Portfile:
    return replace(portfile, functions={**portfile.functions, **functions})


def written(portfile: Portfile, verification: Verification, folder: Path, **options: Any) -> str:
    path = write_tests(portfile, verification, folder, wanted=Wanted(**options)).path
    return path.read_text(encoding="utf-8")


def run_tests(*paths: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, paths)]
    environment = {**os.environ, "RUN_SLOW": "1", "PYTEST_ADDOPTS": "", **variables}
    return subprocess.run(command, cwd=paths[0].parent, env=environment, capture_output=True, text=True)


def test_a_generated_test_passes_on_the_port_and_fails_on_a_broken_one(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    good = write_tests(portfile, verification, tmp_path)
    broken = tiny_bert()
    with torch.no_grad():
        broken.get_parameter("encoder.layer.1.output.LayerNorm.bias").add_(1e-3)
    broken.save_pretrained(tmp_path / "broken")
    bad = good.path.with_name("test_bad.py")
    text = good.path.read_text()
    assert text.count(str(portfile.folder / "checkpoint")) == 1
    bad.write_text(text.replace(str(portfile.folder / "checkpoint"), str(tmp_path / "broken")))
    outcome = run_tests(good.path, bad)
    assert "1 failed, 1 passed" in outcome.stdout, outcome.stdout + outcome.stderr
    assert "test_bad.py::TinyBertIntegrationTest::test_outputs_of_the_original" in outcome.stdout
    assert "Tensor-likes are not close" in outcome.stdout


def test_the_file_has_the_form_that_reviewers_ask_for(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    hub = with_constants(portfile, HUB_ID="org/tiny-bert", REVISION="0123abc")
    generated = write_tests(hub, verification, tmp_path)
    text = generated.path.read_text()
    assert generated.path == tmp_path / "tests" / "models" / "tiny_bert" / "test_modeling_tiny_bert.py"
    assert generated.left == ()
    assert generated.parts == ()
    for line in (
        MARKER,
        'CHECKPOINT = "org/tiny-bert"',
        'REVISION = "0123abc"',
        "    from transformers import BertModel",
        "@require_torch\nclass TinyBertIntegrationTest(unittest.TestCase):",
        "    @slow\n    def test_outputs_of_the_original",
        "    def load_model(self):",
        "            revision=REVISION,\n            dtype=torch.float32,\n",
        "with torch.no_grad():",
        '"output_attentions": False,',
        "RTOL, ATOL = 0.0001, 0.0001",
    ):
        assert line in text
    assert text.count("cleanup(torch_device, gc_collect=True)") == 2
    assert text.count("Expectations({(None, None): values})") == 3
    assert text.isascii()


def test_the_docstring_says_where_the_values_come_from(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    tree = ast.parse(written(portfile, verification, tmp_path))
    function = next(node for node in ast.walk(tree) if getattr(node, "name", "") == "test_outputs_of_the_original")
    assert isinstance(function, ast.FunctionDef)
    docstring = ast.get_docstring(function) or ""
    assert "OriginalBert" in docstring
    assert f"torch {torch.__version__}" in docstring
    assert "by: porting tests" in docstring
    assert "within 0.001" in docstring


def test_expected_values_are_the_originals_and_never_the_ports(portfile: Portfile, verification: Verification) -> None:
    call = verification.ported.calls[0]
    hidden = expected_outputs(portfile, verification, call)[0]
    original = verification.original.value(verification.original.outputs).last_hidden_state
    ported = verification.ported.value(verification.ported.outputs).last_hidden_state
    values = hidden.variables(1e-4)["expected"]
    rows, positions = values["places"]
    assert not torch.equal(original, ported)
    assert torch.equal(torch.tensor(values["slice"]), original[rows, positions][:, values["channels"]])
    assert torch.allclose(torch.tensor(values["means"]), original[rows, positions].mean(-1), rtol=1e-6, atol=0)
    valid = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    assert torch.tensor(values["valid"]).bool().equal(valid)
    assert bool(valid[rows, positions].all())
    elements = original[valid].double().flatten()
    weighted = elements * torch.cos(torch.arange(len(elements), dtype=torch.float64) ** 2)
    assert sum(values["sums"]) == pytest.approx(float(weighted.sum()), abs=1e-5)


def test_the_files_pass_transformers_own_lint(portfile: Portfile, verification: Verification, tmp_path: Path) -> None:
    write_tests(portfile, verification, tmp_path)
    write_tests(portfile, verification, tmp_path, wanted=Wanted(standalone=True))
    shutil.copy(portfile.folder / "reproduce_tiny_bert.py", tmp_path)
    assert len(list(tmp_path.rglob("*.py"))) == 6
    assert ruff_findings(tmp_path) == ""


HOSTILE = (
    'x"""\nimport os\nos.system("touch marker")\n"""',
    "x'\nimport os\n",
    'x"); open("marker", "w"); ("',
    "x\nopen('marker', 'w')",
    "x\\",
    "x\x00\x1b[31m\u202e\u2028",
    "{{ open }}{% raw %}",
    "x # noqa\r\nopen('marker', 'w')",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_never_become_code(
    portfile: Portfile, verification: Verification, tmp_path: Path, text: str
) -> None:
    clean = written(with_constants(portfile, HUB_ID="a/b", REVISION="c"), verification, tmp_path / "clean")
    hostile = with_constants(portfile, MODEL_NAME=text, HUB_ID=text, REVISION=text)
    run = {**verification.original.run, "model": text, "devices": [text], "versions": {"torch": text, "python": text}}
    original = replace(verification.original, run=run)
    found = written(hostile, replace(verification, original=original), tmp_path / "hostile")
    assert _skeleton(found) == _skeleton(clean)
    assert found.count("\n") == clean.count("\n")
    assert found.isascii()
    values = {node.value for node in ast.walk(ast.parse(found)) if isinstance(node, ast.Constant)}
    assert text in values  # the Hub id, as a literal


def _skeleton(text: str) -> str:
    """The syntax of a file without its constants and its one class name."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = 0
        if isinstance(node, ast.ClassDef):
            node.name = "X"
    return ast.dump(tree)


@pytest.mark.parametrize("name", ["", "7b", "...", "\u202e", "模型"])
def test_a_model_name_that_gives_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(GenerationError, match="cannot be a name") as caught:
        Tree.of(name, "root")
    assert "MODEL_NAME" in caught.value.hint


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b", "/etc/x", "..\\x", "a\x00b", "C:\\x"])
def test_a_models_name_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    tree = Tree.of(name, tmp_path)
    for path in (tree.test("modeling"), tree.fixtures / "x"):
        assert path.resolve().is_relative_to(tmp_path / "tests")
        assert tree.name.isidentifier()


def test_a_hostile_output_or_class_is_refused_or_left_alone(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    def outputs(original: Any, ported: Any) -> list[Any]:
        return [(HOSTILE[0], one, other) for one, other in zip(original.values(), ported.values(), strict=True)]

    declared = with_functions(portfile, outputs=outputs)
    clean = written(portfile, verification, tmp_path / "clean")
    assert _skeleton(written(declared, verification, tmp_path / "hostile")) == _skeleton(clean)
    call = replace(verification.ported.calls[0], class_name=HOSTILE[0])
    ported = replace(verification.ported, calls=(call, *verification.ported.calls[1:]))
    with pytest.raises(GenerationError, match="cannot be imported"):
        written(portfile, replace(verification, ported=ported), tmp_path)


def test_every_value_in_a_template_goes_through_a_filter() -> None:
    text = "".join((files("porting.templates") / name).read_text(encoding="utf-8") for name in TEMPLATES)
    expressions = re.findall(r"{{(.*?)}}", text, re.DOTALL)
    assert len(expressions) > 20
    for expression in expressions:
        if expression.startswith(" arguments("):
            continue  # a macro of this file
        assert re.fullmatch(rf" [\w.]+ \| ({'|'.join(FILTERS)}|imported|written)(\([\d, ]+\))? ", expression), (
            expression
        )
    statements = re.findall(r"{%-?(.*?)-?%}", text, re.DOTALL)
    plain = r" (for [\w, ]+ in [\w.]+|endfor|if [\w. ]+|else|endif|include \"[\w.]+\"|macro [\w(), ]+|endmacro) "
    assert all(re.fullmatch(plain, statement) for statement in statements)
    assert MARKER in text.splitlines()
    assert set(NEUTRAL["outputs"][0]["expected"]) <= set(re.findall(r"output\.expected\.(\w+)", text))


def verdicts(verification: Verification) -> Mapping[str, Verification]:
    comparison = verification.comparison
    wrong = replace(comparison.outputs[0].numbers, allclose=False)
    outputs = (replace(comparison.outputs[0], numbers=wrong), *comparison.outputs[1:])
    return {
        "mismatch": replace(verification, comparison=replace(comparison, outputs=outputs)),
        "inconclusive": replace(verification, uncovered=("head.weight",)),
    }


@pytest.mark.parametrize(("verdict", "error"), [("mismatch", MismatchError), ("inconclusive", InconclusiveError)])
def test_only_a_verified_port_gets_a_test(
    portfile: Portfile, verification: Verification, tmp_path: Path, verdict: str, error: type[Exception]
) -> None:
    unproven = verdicts(verification)[verdict]
    assert unproven.verdict == verdict
    with pytest.raises(error, match="no test is written"):
        write_tests(portfile, unproven, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_bug_that_the_tolerance_hides_gets_no_test(portfile: Portfile, tmp_path: Path) -> None:
    def ported() -> BertModel:
        model = portfile.build("ported")
        with torch.no_grad():
            model.get_parameter("encoder.layer.1.output.LayerNorm.bias").add_(3e-4)
        return model

    suspicious = verify_portfile(with_functions(portfile, ported=ported))
    assert suspicious.verdict == "suspicious"
    with pytest.raises(MismatchError, match="no test is written"):
        write_tests(portfile, suspicious, tmp_path)


def test_a_port_that_would_fail_its_own_test_gets_none(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    original = verification.original
    shifted = {key: value + 2e-3 if value.is_floating_point() else value for key, value in original.tensors.items()}
    with pytest.raises(GenerationError, match="would fail"):
        write_tests(portfile, replace(verification, original=replace(original, tensors=shifted)), tmp_path)


def test_only_its_own_files_are_replaced(portfile: Portfile, verification: Verification, tmp_path: Path) -> None:
    path = Tree.of("tiny_bert", tmp_path).test("modeling")
    first = written(portfile, verification, tmp_path)
    assert written(portfile, verification, tmp_path) == first
    path.write_text("# mine\n")
    with pytest.raises(OutputError, match="not written by porting"):
        write_tests(portfile, verification, tmp_path)
    assert path.read_text() == "# mine\n"
    assert written(portfile, verification, tmp_path, force=True) == first
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match="not written by porting"):
        write_tests(portfile, verification, tmp_path, wanted=Wanted(force=True))


def test_model_tests_made_by_hand_keep_their_file(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    path = Tree.of("tiny_bert", tmp_path).test("modeling")
    path.parent.mkdir(parents=True)
    path.write_text("class TinyBertModelTest:\n    pass\n")
    for force in (False, True):
        generated = write_tests(portfile, verification, tmp_path, wanted=Wanted(force=force))
        assert generated.path == path.with_name("test_modeling_tiny_bert_integration.py")
        assert "stands beside the model tests" in generated.left[-1]
    assert path.read_text() == "class TinyBertModelTest:\n    pass\n"


def test_folders_that_are_made_are_packages_and_others_stay_as_they_are(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    write_tests(portfile, verification, tmp_path / "new")
    made = {str(path.parent.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("__init__.py")}
    assert made == {"tests", "tests/models", "tests/models/tiny_bert"}
    (tmp_path / "old" / "tests").mkdir(parents=True)
    write_tests(portfile, verification, tmp_path / "old")
    assert not (tmp_path / "old" / "tests" / "__init__.py").exists()


def test_a_dry_run_shows_the_files_and_writes_none(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    generated = write_tests(portfile, verification, tmp_path, wanted=Wanted(dry_run=True))
    assert not list(tmp_path.iterdir())
    assert generated.summary().startswith("would write ")
    assert "class TinyBertIntegrationTest(unittest.TestCase):" in generated.text()


def test_a_test_that_stands_alone_needs_no_test_utilities(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    generated = write_tests(portfile, verification, tmp_path / "test_it.py", wanted=Wanted(standalone=True))
    assert list(generated.files) == [tmp_path / "test_it.py"]
    assert list(tmp_path.iterdir()) == [tmp_path / "test_it.py"]
    imported = re.findall(r"^ *(?:from|import) ([\w.]+)", generated.path.read_text(), re.MULTILINE)
    assert set(imported) == {"unittest", "torch", "transformers"}
    outcome = run_tests(generated.path, RUN_SLOW="0")
    assert "1 passed" in outcome.stdout, outcome.stdout + outcome.stderr


def test_large_inputs_of_a_test_that_stands_alone_are_in_its_file(tmp_path: Path) -> None:
    pair = build("vit")
    generated = generate(pair, tmp_path, standalone=True)
    assert [path.suffix for path in generated.files] == [".py"]
    assert failures(generated, pair.ported) == []
    assert ruff_findings(tmp_path) == ""


def test_half_precision_is_tested_in_half_precision(portfile: Portfile, tmp_path: Path) -> None:
    def halved(side: str) -> Any:
        return lambda: portfile.build("original" if side == "original" else "ported").bfloat16()

    found = with_constants(portfile, TOLERANCE={"atol": 0.1, "rtol": 0.05})
    found = with_functions(found, original=halved("original"), ported=halved("ported"))
    verification = verify_portfile(found)
    assert verification.verdict == "match"
    generated = write_tests(found, verification, tmp_path)
    assert 1e-2 <= generated.atol <= 0.1
    assert "dtype=torch.bfloat16," in generated.path.read_text()
    assert failures(generated, tiny_bert().bfloat16().eval()) == []


def test_a_folder_that_cannot_be_written_is_an_error(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        write_tests(portfile, verification, tmp_path / "file")
    with pytest.raises(OutputError, match="is a file"):
        write_tests(portfile, verification, tmp_path / "test_it.py")


@pytest.mark.parametrize(
    ("dtype", "measured", "allowed", "expected"),
    [
        ("float32", 1e-6, Tolerance(), (1e-4, 1e-4)),
        ("float32", 2.34e-5, Tolerance(), (3e-4, 1e-4)),
        ("float32", 9e-4, Tolerance(), (1e-3, 1e-4)),
        ("float32", 0.0, Tolerance(1e-5, 0.0), (1e-5, 0.0)),
        ("bfloat16", 1e-4, Tolerance(0.05, 0.05), (1e-2, 1e-2)),
        ("bfloat16", 1e-4, Tolerance(), (1e-3, 1e-3)),
    ],
)
def test_the_tolerance_follows_what_was_measured_and_never_passes_what_was_verified(
    dtype: str, measured: float, allowed: Tolerance, expected: tuple[float, float]
) -> None:
    assert tolerance_of(dtype, measured, allowed) == pytest.approx(expected)


def test_the_outputs_of_run_ported_are_found_in_the_forward(portfile: Portfile, tmp_path: Path) -> None:
    def run(model: Any, inputs: dict[str, Any]) -> Any:
        return model(**inputs, return_dict=False)[1]

    found = with_functions(portfile, run_original=run, run_ported=run)
    text = written(found, verify_portfile(found), tmp_path)
    assert "self.check_output(outputs[1], expected.get_expectation())\n" in text
    assert '"return_dict": False,' in text
    assert text.count("self.check_output(") == 1


def test_hidden_states_are_the_originals_and_tell_what_a_head_hides(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    one = with_functions(
        portfile,
        outputs=lambda original, ported: [("pooled", original.pooler_output, ported.pooler_output)],
    )
    found = verify_portfile(one)
    generated = write_tests(one, found, tmp_path)
    assert generated.outputs == ("pooled", "hidden_states.1", "hidden_states.2")
    assert "outputs.hidden_states[2], expected.get_expectation()" in generated.path.read_text()
    broken = tiny_bert().eval()
    with torch.no_grad():  # the pooler takes the first position only, and this is of the last layer's others
        broken.encoder.layer[1].register_forward_hook(lambda *call: _without_position(call[2], 2))
    assert failures(generated, broken)


def _without_position(result: Any, position: int) -> Any:
    hidden = result[0] if isinstance(result, tuple) else result
    hidden = hidden.clone()
    hidden[:, position] = 0
    return (hidden, *result[1:]) if isinstance(result, tuple) else hidden


def test_outputs_without_a_test_are_told(portfile: Portfile, verification: Verification, tmp_path: Path) -> None:
    comparison = replace(verification.comparison, unpaired=("ported logits", "original cache"))
    generated = write_tests(portfile, replace(verification, comparison=comparison), tmp_path)
    assert generated.skipped[0] == "logits: the original has no counterpart of it"

    def same(original: Any, ported: Any) -> list[Any]:
        return [("pooled", ported.pooler_output, ported.pooler_output)]

    own = with_functions(portfile, outputs=same)
    with pytest.raises(GenerationError, match="the port's own tensor pooled"):
        write_tests(own, verify_portfile(own), tmp_path)


def test_outputs_of_one_name_are_told_apart(portfile: Portfile, tmp_path: Path) -> None:
    def outputs(original: Any, ported: Any) -> list[Any]:
        return [(HOSTILE[0], one, other) for one, other in zip(original.values(), ported.values(), strict=True)]

    found = with_functions(portfile, outputs=outputs)
    generated = write_tests(found, verify_portfile(found), tmp_path)
    assert generated.outputs[:2] == (HOSTILE[0], f"{HOSTILE[0]}#1")


def pooled(model: Any, inputs: dict[str, Any]) -> Any:
    return model(**inputs).pooler_output * 1.0


def twice(model: Any, inputs: dict[str, Any]) -> Any:
    model(**inputs)
    return model(**inputs)


@pytest.mark.parametrize(("run", "message"), [(pooled, "none of the outputs"), (twice, "ran 2 forwards")])
def test_a_run_that_one_forward_does_not_repeat_is_refused(
    portfile: Portfile, tmp_path: Path, run: Any, message: str
) -> None:
    found = with_functions(portfile, run_original=run, run_ported=run)
    verification = verify_portfile(found)
    assert verification.verdict == "match"
    with pytest.raises(GenerationError, match=message):
        write_tests(found, verification, tmp_path)


def test_training_mode_two_dtypes_and_missing_weights_are_refused(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    trained = replace(verification.original, run={**verification.original.run, "training": 3})
    with pytest.raises(GenerationError, match="eval mode"):
        write_tests(portfile, replace(verification, original=trained), tmp_path)
    modules = dict(verification.ported.modules)
    path, module = next(item for item in modules.items() if item[0].endswith("query"))
    halved = tuple(replace(parameter, dtype="float16") for parameter in module.parameters)
    mixed = replace(verification.ported, modules={**modules, path: replace(module, parameters=halved)})
    with pytest.raises(GenerationError, match="float16, float32"):
        write_tests(portfile, replace(verification, ported=mixed), tmp_path)
    with pytest.raises(GenerationError, match="HUB_ID"):
        write_tests(with_functions(portfile, checkpoint=lambda: "nowhere"), verification, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_reproducer_makes_the_values_again_and_finds_other_ones(
    portfile: Portfile, verification: Verification, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generated = write_tests(portfile, verification, tmp_path)
    script = generated.files[portfile.folder / "reproduce_tiny_bert.py"]
    variables = runpy.run_path(str(portfile.folder / "reproduce_tiny_bert.py"))
    made_from, expected = variables["PROVENANCE"], variables["EXPECTED"]
    assert made_from["files"]["portfile.py"] == portfile.sha256
    assert set(made_from["files"]) >= {"checkpoint: config.json", "checkpoint: model.safetensors"}
    assert made_from["versions"]["torch"] == torch.__version__
    reproduce(portfile.folder, made_from, expected)
    assert "last_hidden_state: the original's values again, within" in capsys.readouterr().out
    assert isinstance(script, str)
    expected["last_hidden_state"]["slice"][0][0] += 1e-2
    made_from["files"]["checkpoint: config.json"] = "0"
    with pytest.raises(GenerationError, match="differs from the expected values"):
        reproduce(portfile.folder, made_from, expected)
    assert "changed since then: checkpoint: config.json" in capsys.readouterr().out


def test_the_docstring_quotes_the_originals_code(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    text = written(portfile, verification, tmp_path)
    assert 'return OriginalBert.from_pretrained("checkpoint", attn_implementation="eager").eval()' in text
    assert "return BertModel.from_pretrained" not in text
    other = replace(portfile, sha256="0")
    assert "OriginalBert.from_pretrained" not in written(other, verification, tmp_path / "other")


def test_classes_that_a_test_cannot_load_are_refused(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    for model, message in itertools.product(("portfile.BertModel", "nowhere.BertModel"), ("cannot be imported",)):
        ported = replace(verification.ported, run={**verification.ported.run, "model": model})
        with pytest.raises(GenerationError, match=message):
            write_tests(portfile, replace(verification, ported=ported), tmp_path)
    call = replace(verification.ported.calls[0], class_name="Linear")
    ported = replace(
        verification.ported,
        calls=(call, *verification.ported.calls[1:]),
        run={**verification.ported.run, "model": "torch.nn.Linear"},
    )
    with pytest.raises(GenerationError, match="from_pretrained"):
        write_tests(portfile, replace(verification, ported=ported), tmp_path)


def test_inputs_too_large_to_write_down_are_refused(
    portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    call = verification.ported.calls[0]
    key = next(leaf.tensor for leaf in call.inputs.leaves if leaf.tensor is not None)
    tensors = {**verification.ported.tensors, key: torch.zeros(2, 600_000, dtype=torch.int64)}
    large = replace(verification, ported=replace(verification.ported, tensors=tensors))
    with pytest.raises(GenerationError, match="1,200,000 elements"):
        write_tests(portfile, large, tmp_path)


def test_the_command_writes_the_test_and_the_evidence(portfile: Portfile, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "porting", "tests", "--json", "--portfile", str(portfile.path)]
    outcome = subprocess.run([*command, "--output", str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    path = "tests/models/tiny_bert/test_modeling_tiny_bert.py"
    assert document["path"] == str(tmp_path / path)
    assert document["files"] == [document["path"], str(portfile.folder / "reproduce_tiny_bert.py")]
    assert document["next"] == f"RUN_SLOW=1 python -m pytest {path}"
    assert document["outputs"] == ["last_hidden_state", "pooler_output", "hidden_states.1"]
    evidence = json.loads((portfile.folder / "porting-evidence.json").read_text())
    claims = {record["claim"]: record["result"] for record in evidence["records"]}
    assert claims["check_outputs_equal"] == "passed"
    assert "check_generated_tests" not in claims


@pytest.mark.parametrize(("constants", "left"), [({}, "HUB_ID and REVISION"), ({"HUB_ID": "org/name"}, "REVISION")])
def test_weights_that_are_not_pinned_on_the_hub_are_left_to_a_person(
    constants: dict[str, str], left: str, portfile: Portfile, verification: Verification, tmp_path: Path
) -> None:
    generated = write_tests(with_constants(portfile, **constants), verification, tmp_path)
    ((path, part),) = generated.parts
    assert part.what.startswith(f"{left} in the portfile")
    assert path.read_text().splitlines()[part.line].startswith("CHECKPOINT = ")
    assert f"{path.name}:{part.line} you: {left}" in generated.text()


@pytest.mark.parametrize(("constants", "local"), [({}, True), ({"REVISION": "0123abc"}, False)])
def test_before_the_weights_are_on_the_hub_the_converted_ones_are_tested(
    constants: dict[str, str], local: bool, portfile: Portfile, tmp_path: Path
) -> None:
    (tmp_path / "converted").mkdir()
    (tmp_path / "converted" / "config.json").write_text("{}")
    here = replace(with_constants(portfile, HUB_ID="org/name", **constants), path=tmp_path / "portfile.py")
    weights = weights_of(here)
    assert (weights.is_local, weights.checkpoint) == (local, str(tmp_path / "converted") if local else "org/name")
