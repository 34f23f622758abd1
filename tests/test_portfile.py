from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from porting.errors import CaptureError, PortfileError
from porting.portfile import Portfile, command_line
from porting.runs import Inputs
from porting.tolerance import Tolerance
from porting.verifying import verify_portfile

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = """
import torch

def original():
    return torch.nn.Linear(3, 2)

def ported():
    return torch.nn.Linear(3, 2)

def inputs():
    return {"input": torch.ones(1, 3)}
"""


@pytest.fixture(autouse=True)
def _import_state_restored() -> Iterator[None]:
    path, module = list(sys.path), sys.modules.get("portfile")
    yield
    sys.path[:] = path
    sys.modules.pop("portfile", None)
    if module is not None:
        sys.modules["portfile"] = module


def write(folder: Path, text: str) -> Path:
    path = folder / "portfile.py"
    path.write_text(text)
    return path


def load(folder: Path, extra: str = "", base: str = GOOD) -> Portfile:
    return Portfile.load(write(folder, base + extra))


def without(*names: str) -> str:
    blocks = GOOD.strip().split("\n\n")
    return "\n\n".join(block for block in blocks if not any(block.startswith(f"def {name}(") for name in names)) + "\n"


def test_good_portfile_loads_with_defaults(tmp_path: Path) -> None:
    portfile = load(tmp_path)
    assert set(portfile.functions) == {"original", "ported", "inputs"}
    assert portfile.warnings == ()
    assert portfile.tolerance() == Tolerance(1e-3, 1e-3)
    assert (portfile.module_map, portfile.original_trace, portfile.model_name) == ({}, None, tmp_path.name)
    assert (portfile.checkpoint(), portfile.config(), portfile.valid_positions()) == (None, None, None)
    assert portfile.ported_class() is torch.nn.Linear
    assert portfile.pair_outputs(None, None) is None


def test_constants_overrule_defaults(tmp_path: Path) -> None:
    portfile = load(
        tmp_path,
        'MODEL_NAME = "tiny"\nTOLERANCE = {"atol": 1}\nMODULE_MAP = {"a": "b"}\nORIGINAL_TRACE = "t/original"',
    )
    assert portfile.model_name == "tiny"
    assert portfile.tolerance() == Tolerance(1, 1e-3)
    assert portfile.module_map == {"a": "b"}
    assert portfile.original_trace == tmp_path / "t" / "original"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match=r"nowhere\.py does not exist") as raised:
        Portfile.load(tmp_path / "nowhere.py")
    assert "--portfile" in raised.value.hint


def test_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match="is a folder"):
        Portfile.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def original(:\n", r"cannot be run: SyntaxError: .*line 1\)"),
        ("x = 1\nimport no_such_package\n", r"ModuleNotFoundError: .*no_such_package.*\(portfile\.py, line 2\)"),
        ("\n\n1 / 0\n", r"ZeroDivisionError: division by zero \(portfile\.py, line 3\)"),
        ("import sys\nsys.exit(0)\n", r"cannot be run: SystemExit: 0 \(portfile\.py, line 2\)"),
        ("x = '\0'\n", "cannot be run: SyntaxError"),
    ],
)
def test_file_that_cannot_be_run_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PortfileError, match=message) as raised:
        Portfile.load(write(tmp_path, text))
    assert "\n" not in raised.value.message
    assert "portfile" not in sys.modules


@pytest.mark.parametrize("name", ["original", "ported", "inputs"])
def test_missing_required_function_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(PortfileError, match=rf"has no function {name}\(\)") as raised:
        load(tmp_path, base=without(name))
    assert f"def {name}()" in raised.value.hint


def test_what_one_side_needs_is_asked_for_when_it_is_called(tmp_path: Path) -> None:
    portfile = Portfile.load(write(tmp_path, "def config(): return {}"), both_sides=False)
    assert portfile.config() == {}
    with pytest.raises(PortfileError, match=r"has no function ported\(\)"):
        portfile.build("ported")
    with pytest.raises(PortfileError, match=r"has no function inputs\(\)"):
        portfile.inputs("ported")


def test_misspelt_required_function_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match=r"no function ported\(\); portd is not .* did you mean ported\?"):
        load(tmp_path, base=GOOD.replace("def ported", "def portd"))


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("def valid_position(inputs): ...", "valid_positions"),
        ("TOLERENCE = {}", "TOLERANCE"),
        ("tolerance = {}", "TOLERANCE"),
        ("def Checkpoint(): ...", "checkpoint"),
    ],
)
def test_near_miss_of_an_optional_name_is_a_warning(tmp_path: Path, line: str, meant: str) -> None:
    (warning,) = load(tmp_path, line).warnings
    assert warning.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    "line", ["class Config: ...", "def helper(): ...", "import inspect as output", "from os import path as outputss"]
)
def test_names_of_the_users_own_are_no_near_misses(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, line).warnings == ()


def test_original_trace_replaces_original(tmp_path: Path) -> None:
    portfile = load(tmp_path, 'ORIGINAL_TRACE = "trace"', base=without("original"))
    assert portfile.original_trace == tmp_path / "trace"
    with pytest.raises(PortfileError, match=r"no function original\(\)"):
        portfile.build("original")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ported = 3", "ported must be a function, and is 3"),
        ("class ported(torch.nn.Linear): ...", "ported must be a function, and is the class ported"),
        ("outputs = ['a']", "outputs must be a function, and is a list of length 1"),
        ("import json as rules", "rules must be a function, and is an object of type module"),
        ("MODEL_NAME = 3", "MODEL_NAME must be a str, and is 3"),
        ("ORIGINAL_TRACE = torch.ones(2)", r"ORIGINAL_TRACE must be a str, and is a float32 tensor of shape \(2,\)"),
        ("TOLERANCE = 1e-3", "TOLERANCE must be a dict, and is 0.001"),
        ("MODULE_MAP = [('a', 'b')]", "MODULE_MAP must be a dict, and is a list of length 1"),
        ("MODULE_MAP = {'a': 1}", "MODULE_MAP must map text to text"),
        ("MODULE_MAP = {1: 'a'}", "MODULE_MAP must map text to text"),
        ("EXPECTED_FAILURES = {'check': None}", "EXPECTED_FAILURES must map text to text"),
        ("TOLERANCE = {'tol': 1}", "TOLERANCE has the unknown key 'tol'; it takes 'atol' and 'rtol'"),
        ("TOLERANCE = {'atol': -1e-3}", r"TOLERANCE: atol must be a finite number of at least 0, and is -0.001"),
        ("TOLERANCE = {'rtol': float('nan')}", r"TOLERANCE: rtol must be a finite number .* is nan"),
        ("TOLERANCE = {'rtol': float('inf')}", r"TOLERANCE: rtol must be a finite number .* is inf"),
        ("TOLERANCE = {'atol': True}", r"TOLERANCE: atol must be a finite number .* is True"),
        ("TOLERANCE = {'atol': '1e-3'}", r"TOLERANCE: atol must be a finite number .* is '1e-3'"),
    ],
)
def test_name_of_the_wrong_kind_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(PortfileError, match=message):
        load(tmp_path, line)


@pytest.mark.parametrize(
    ("answer", "described"),
    [
        ("None", "None"),
        ("{'a': 1}", r"a dict with the keys \['a'\]"),
        ("torch.nn.Linear", "the class Linear"),
        ("torch.ones(2)", r"a float32 tensor of shape \(2,\)"),
    ],
)
@pytest.mark.parametrize("side", ["original", "ported"])
def test_models_must_be_modules(tmp_path: Path, side: str, answer: str, described: str) -> None:
    portfile = load(tmp_path, f"def {side}(): return {answer}")
    with pytest.raises(PortfileError, match=rf"{side}\(\) must return a torch.nn.Module, and returned {described}"):
        portfile.build("original" if side == "original" else "ported")


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("inputs", "None", r"inputs\(\) must return a dict of keyword arguments, and returned None"),
        ("inputs", "(torch.ones(1),)", r"inputs\(\) must .*, and returned a tuple of length 1"),
        ("inputs", "{3: torch.ones(1)}", r"inputs\(\) must .*, and returned a dict with the keys \[3\]"),
        (
            "ported_inputs",
            "[1]",
            r"ported_inputs\(\) must return a dict .* or a tuple, and returned a list of length 1",
        ),
        ("ported_inputs", "torch.ones(1)", r"ported_inputs\(\) must .* returned a float32 tensor of shape \(1,\)"),
    ],
)
def test_inputs_of_the_wrong_kind_are_refused(tmp_path: Path, name: str, answer: str, message: str) -> None:
    with pytest.raises(PortfileError, match=message):
        load(tmp_path, f"def {name}(): return {answer}").inputs("ported")


def test_original_inputs_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match=r"original_inputs\(\) must return a dict .* or a tuple"):
        load(tmp_path, "def original_inputs(): return 'text'").inputs("original")


def test_tuple_is_positional_and_dict_is_keywords(tmp_path: Path) -> None:
    portfile = load(tmp_path, "def original_inputs(): return (1, 2)\ndef ported_inputs(): return {'a': 3}")
    assert portfile.inputs("original") == Inputs(args=(1, 2))
    assert portfile.inputs("ported") == Inputs(kwargs={"a": 3})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[]", "and returned a list of length 0"),
        ("None", "and returned None"),
        ("'abc'", "and returned 'abc'"),
        ("{'a': 1}", "and returned a dict with the keys"),
        ("original_out", r"and returned a float32 tensor of shape \(1, 2\)"),
        ("[original_out]", r"and entry 0 is a float32 tensor of shape \(1, 2\)"),
        ("[('a', original_out)]", r"and entry 0 is \('a', a float32 tensor of shape \(1, 2\)\)"),
        ("[('a', original_out, original_out), (1, original_out, None)]", r"and entry 1 is \(1, a float32 .*, None\)"),
    ],
)
def test_outputs_of_the_wrong_kind_are_refused(tmp_path: Path, answer: str, message: str) -> None:
    portfile = load(tmp_path, f"def outputs(original_out, ported_out): return {answer}")
    wanted = r"outputs\(\) must return a list of \(name, original tensor, ported tensor\) with at least one entry, "
    with pytest.raises(PortfileError, match=wanted + message):
        portfile.pair_outputs(torch.ones(1, 2), torch.ones(1, 2))


def test_outputs_may_be_tuples_or_lists(tmp_path: Path) -> None:
    portfile = load(tmp_path, "def outputs(a, b): return (['x', a, b], ('y', a, b))")
    pairs = portfile.pair_outputs(torch.ones(1), torch.ones(1))
    assert pairs is not None
    assert [name for name, _, _ in pairs] == ["x", "y"]


@pytest.mark.parametrize(
    ("answer", "described"),
    [
        ("torch.ones(1, 3)", r"a float32 tensor of shape \(1, 3\)"),
        ("torch.ones(3) > 0", r"a bool tensor of shape \(3,\)"),
        ("[[True]]", "a list of length 1"),
    ],
)
def test_valid_positions_must_be_a_bool_mask(tmp_path: Path, answer: str, described: str) -> None:
    portfile = load(tmp_path, f"def valid_positions(inputs): return {answer}")
    wanted = rf"valid_positions\(\) must return a bool tensor over \(batch, sequence\), and returned {described}"
    with pytest.raises(PortfileError, match=wanted):
        portfile.valid_positions()


@pytest.mark.parametrize(
    ("shape", "expected"), [("2, 4", torch.ones(2, 4, dtype=torch.bool)), ("2, 1, 4, 4", None), ("4", None)]
)
def test_valid_positions_default_to_a_two_dimensional_mask(
    tmp_path: Path, shape: str, expected: torch.Tensor | None
) -> None:
    valid = load(tmp_path, f"def inputs(): return {{'attention_mask': torch.ones({shape}).long()}}").valid_positions()
    assert valid is None if expected is None else valid is not None and torch.equal(valid, expected)


def test_valid_positions_may_decline(tmp_path: Path) -> None:
    extra = "def inputs(): return {'attention_mask': torch.ones(1, 2)}\ndef valid_positions(inputs): return None"
    assert load(tmp_path, extra).valid_positions() is None


@pytest.mark.parametrize("answer", ["None", "3", "['a']"])
def test_checkpoint_must_be_a_path(tmp_path: Path, answer: str) -> None:
    with pytest.raises(PortfileError, match=r"checkpoint\(\) must return a path, and returned"):
        load(tmp_path, f"def checkpoint(): return {answer}").checkpoint()


@pytest.mark.parametrize(("answer", "expected"), [("'a/b'", "a/b"), ("__import__('pathlib').Path('c')", "c")])
def test_relative_checkpoint_starts_at_the_portfile(tmp_path: Path, answer: str, expected: str) -> None:
    assert load(tmp_path, f"def checkpoint(): return {answer}").checkpoint() == tmp_path / expected


def test_absolute_checkpoint_stays(tmp_path: Path) -> None:
    assert load(tmp_path, "def checkpoint(): return '/data/model'").checkpoint() == Path("/data/model")


@pytest.mark.parametrize(
    ("answer", "described"), [("dict", "the class dict"), ("ported()", "an object of type Linear")]
)
def test_ported_class_must_be_a_module_class(tmp_path: Path, answer: str, described: str) -> None:
    with pytest.raises(
        PortfileError, match=rf"ported_class\(\) must return a subclass of torch.nn.Module, and returned {described}"
    ):
        load(tmp_path, f"def ported_class(): return {answer}").ported_class()


def test_exception_inside_a_function_names_function_exception_and_line(tmp_path: Path) -> None:
    portfile = load(
        tmp_path, "def config():\n    return helper()\n\ndef helper():\n    raise ValueError('no \\x1b[31m')\n"
    )
    with pytest.raises(PortfileError) as raised:
        portfile.config()
    line = (tmp_path / "portfile.py").read_text().splitlines().index("    raise ValueError('no \\x1b[31m')") + 1
    assert raised.value.message == rf"config() raised ValueError: no \x1b[31m (portfile.py, line {line})"
    assert "portfile.config()" in raised.value.hint
    assert isinstance(raised.value.__cause__, ValueError)


def test_wrong_signature_of_a_function_is_its_error(tmp_path: Path) -> None:
    with pytest.raises(PortfileError, match=r"outputs\(\) raised TypeError: outputs\(\) takes 1 positional argument"):
        load(tmp_path, "def outputs(both): ...").pair_outputs(1, 2)


@pytest.mark.parametrize("name", ["original", "ported", "inputs"])
def test_function_that_ends_the_program_is_an_error(tmp_path: Path, name: str) -> None:
    portfile = load(tmp_path, f"def {name}():\n    raise SystemExit(0)\n")
    with pytest.raises(PortfileError, match=rf"{name}\(\) raised SystemExit: 0 \(portfile.py, line"):
        verify_portfile(portfile)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("def run_ported(model, inputs): 1 / 0", "the code that runs the ported model raised ZeroDivisionError"),
        ("def run_ported(model): ...", r"raised TypeError: run_ported\(\) takes 1 positional argument"),
        ("def run_original(model, inputs): raise SystemExit(0)", r"raised RuntimeError: it called sys.exit\(0\)"),
        ("def ported_inputs(): return {'x': 1}", r"the ported model's forward raised in the model itself \(Linear\)"),
        ("def run_ported(model, inputs): return 1", "the run called no module of the model"),
    ],
)
def test_run_that_fails_says_where(tmp_path: Path, extra: str, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        verify_portfile(load(tmp_path, extra))


def test_forward_that_ends_the_program_names_its_module(tmp_path: Path) -> None:
    extra = """
class Bad(torch.nn.Module):
    def forward(self, x):
        raise SystemExit(0)

def ported():
    return torch.nn.Sequential(torch.nn.Linear(3, 2), Bad())
"""
    with pytest.raises(CaptureError, match=r"forward raised in 1 \(Bad\): RuntimeError: it called sys.exit\(0\)"):
        verify_portfile(load(tmp_path, extra))


def test_prints_of_the_users_code_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    portfile = load(tmp_path, "print('loading')\ndef config(): print('config')\ndef run_ported(m, i): print('run')")
    portfile.config()
    portfile.run("ported", torch.nn.Identity(), Inputs())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.split() == ["loading", "config", "run"]


@pytest.mark.parametrize("body", ["return os.getcwd()", "os.chdir('/'); sys.stdout = None; raise ValueError"])
def test_working_folder_and_stdout_are_restored(tmp_path: Path, body: str) -> None:
    folder, stdout = Path.cwd(), sys.stdout
    portfile = load(tmp_path, f"import os, sys\ndef config():\n    {body}")
    if "return" in body:
        assert Path(portfile.config()) == tmp_path
    else:
        with pytest.raises(PortfileError):
            portfile.config()
    assert (Path.cwd(), sys.stdout) == (folder, stdout)


def test_file_runs_in_its_own_folder_and_imports_from_it(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_portfile.py").write_text("WIDTH = 7")
    (tmp_path / "data.txt").write_text("5")
    text = """
import neighbour_of_portfile
from pathlib import Path
value = int(Path("data.txt").read_text())

def config():
    return neighbour_of_portfile.WIDTH + value
"""
    portfile = load(tmp_path, text)
    assert portfile.config() == 12
    assert Path.cwd() != tmp_path


def test_relative_path_of_the_portfile_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path)
    monkeypatch.chdir(tmp_path)
    portfile = Portfile.load("portfile.py")
    monkeypatch.chdir("/")
    assert portfile.path == tmp_path / "portfile.py"
    assert isinstance(portfile.build("ported"), torch.nn.Linear)


def test_inputs_are_asked_once_and_both_sides_get_the_same(tmp_path: Path) -> None:
    extra = "asked = []\ndef inputs():\n    asked.append(1)\n    return {'input': torch.rand(2, 3), 'n': len(asked)}"
    portfile = load(tmp_path, extra)
    one, other = portfile.inputs("original"), portfile.inputs("ported")
    assert one.kwargs["n"] == other.kwargs["n"] == 1
    assert torch.equal(one.kwargs["input"], other.kwargs["input"])
    one.kwargs["input"].zero_()
    assert not torch.equal(one.kwargs["input"], portfile.inputs("original").kwargs["input"])


def test_portfile_with_future_annotations_and_dataclasses_loads(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    extra = "@dataclass\nclass Settings:\n    width: int = 3\ndef config() -> Settings: return Settings()"
    assert load(tmp_path, extra, base=head + GOOD).config().width == 3


def test_portfile_is_not_compiled_under_the_flags_of_porting(tmp_path: Path) -> None:
    assert load(tmp_path, "def config(x: int = 1): return config.__annotations__['x']").config() is int


def test_edit_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "def config(): return 1")
    os.utime(path, (1, 1))
    assert Portfile.load(path).config() == 1
    path.write_text(GOOD + "def config(): return 2")
    os.utime(path, (1, 1))
    assert Portfile.load(path).config() == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["portfile.py"]


def test_hostile_text_in_an_answer_is_escaped(tmp_path: Path) -> None:
    portfile = load(tmp_path, "def checkpoint(): return type('\\x1b[31m', (), {})()")
    with pytest.raises(PortfileError) as raised:
        portfile.checkpoint()
    assert raised.value.message.isprintable()


def test_a_command_names_a_portfile_that_is_not_the_default() -> None:
    assert command_line("portfile.py", "verify") == "porting verify"
    assert command_line("my ports/bert.py", "verify") == "porting verify --portfile 'my ports/bert.py'"
