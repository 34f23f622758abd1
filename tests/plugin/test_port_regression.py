from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest

from porting import capture, open_trace
from porting.plugin.goldens import _file_name
from porting.trace import save_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

OPTION = ("--porting-portfile", "portfile.py", "-k", "test_own")
UPDATE = (*OPTION, "--porting-update")
ORIGINAL = "def test_own(port_regression, original_trace): port_regression(original_trace)"
BOTH = """
def test_own(port_regression, original_trace, ported_trace):
    golden = port_regression(original_trace, ported_trace)
    assert golden.run["side"] == "original"
"""
PORT = "def test_own(port_regression, ported_trace): port_regression(ported=ported_trace)"
LIVE = "def test_own(port_regression, portfile): port_regression(ported=portfile.build('ported'))"
MODEL = """
import torch

def model(scale=1.0):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU()).eval()
    model[0].weight.data *= scale
    return model
"""


def test_the_first_run_fails_with_the_remedy_and_an_update_makes_the_golden_trace(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    result = run_pytest(*OPTION)
    result.assert_outcomes(failed=1, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(
        [
            "E *there is no golden trace in goldens/test_golden/test_own",
            "E *Next: pytest --porting-update test_golden.py::test_own",
        ]
    )
    assert not (pytester.path / "goldens").exists()
    assert passes(run_pytest, UPDATE)
    assert passes(run_pytest, OPTION)


def test_the_golden_trace_says_who_made_it_with_what(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    run_pytest(*UPDATE)
    manifest = json.loads((pytester.path / "goldens/test_golden/test_own/manifest.json").read_text())
    assert manifest["run"]["side"] == "original"
    assert manifest["run"]["model"].endswith("Sequential")
    assert set(manifest["run"]["versions"]) >= {"torch", "python"}
    assert len(manifest["sha256"]) == 64


def test_an_update_that_changes_nothing_writes_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    run_pytest(*UPDATE)
    manifest = pytester.path / "goldens/test_golden/test_own/manifest.json"
    before = manifest.stat().st_mtime_ns, manifest.stat().st_ino
    run_pytest(*UPDATE)
    assert (manifest.stat().st_mtime_ns, manifest.stat().st_ino) == before


def test_an_original_that_changed_fails_until_it_is_updated(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    text = MODEL + (
        "def test_own(port_regression):\n"
        "    import porting\n"
        "    trace = porting.capture(model({}), (torch.ones(2, 4),), side='original')\n"
        "    port_regression(trace)\n"
    )
    pytester.makepyfile(test_golden=text.format("1.0"))
    assert passes(run_pytest, ["--porting-update"])
    pytester.makepyfile(test_golden=text.format("1.0 + 1e-6"))
    assert passes(run_pytest, [])  # other bits, within the tolerance
    pytester.makepyfile(test_golden=text.format("1.5"))
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *0 is the first module to diverge; the output: max abs *",
            "E *Outputs not within 0.001: 1 of 1",
            "E *Next: if it is right that the original changed: pytest --porting-update test_golden.py::test_own",
        ]
    )
    assert passes(run_pytest, ["--porting-update"])
    assert passes(run_pytest, [])


def test_other_inputs_are_no_regression(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    text = MODEL + (
        "def test_own(port_regression):\n"
        "    import porting\n"
        "    port_regression(porting.capture(model(), (torch.ones(2, 4) * {},), side='original'))\n"
    )
    pytester.makepyfile(test_golden=text.format(1))
    assert passes(run_pytest, ["--porting-update"])
    pytester.makepyfile(test_golden=text.format(2))
    result = run_pytest()
    result.stdout.fnmatch_lines(["E *the golden trace was made with another args.0", "E *Next: *"])


@pytest.mark.parametrize("test", [PORT, LIVE, BOTH], ids=["trace", "live", "both"])
def test_a_port_is_held_against_the_golden_original(
    test: str, pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    run_pytest(*UPDATE)
    pytester.makepyfile(test_golden=test)
    assert passes(run_pytest, OPTION)
    write_portfile(pytester.path, "model.act = nn.Identity()")
    result = run_pytest(*OPTION)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["E *act is the first module to diverge; output result: max abs *", "E *Next: *"])
    if test == LIVE:
        result.stdout.fnmatch_lines(["E *Culprit act (output):", "E *Next: mend act"])


def test_a_live_port_without_a_portfile_runs_on_the_golden_inputs(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write = (
        "def test_own(port_regression):\n"
        "    import porting\n"
        "    inputs = {'input': torch.linspace(-1, 1, 8).reshape(2, 4)}\n"
        "    port_regression(porting.capture(model(), inputs, side='original'))\n"
    )
    hold = "def test_own(port_regression):\n    port_regression(ported=model({}))\n"
    pytester.makepyfile(test_golden=MODEL + write)
    assert passes(run_pytest, ["--porting-update"])
    pytester.makepyfile(test_golden=MODEL + hold.format("1.0"))
    assert passes(run_pytest, [])
    pytester.makepyfile(test_golden=MODEL + hold.format("2.0"))
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *Next: mend 0"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ported_trace", "*come from the original only, and this trace is the port's"),
        ("porting.capture(portfile.build('ported'), portfile.inputs('ported'))", "*does not say whose it is"),
        ("porting.capture(portfile.build('ported'), portfile.inputs('ported'), side='original')", "*Port is the port"),
        ("portfile.build('ported')", "*come from the original only, as a trace of it, and this is a live Port"),
    ],
)
def test_what_the_port_computed_never_becomes_golden(
    given: str, message: str, pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(
        f"import porting\ndef test_own(port_regression, portfile, ported_trace): port_regression({given})"
    )
    result = run_pytest(*UPDATE)
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines([f"E *{message}", "E *Next: pass original_trace, or *"])
    assert not (pytester.path / "goldens").exists()


def test_only_the_original_makes_a_golden_trace_that_is_missing(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(PORT)
    result = run_pytest(*UPDATE)
    result.stdout.fnmatch_lines(["E *there is no golden trace *", "E *Next: pass original=original_trace, and run: *"])
    assert not (pytester.path / "goldens").exists()


def test_a_golden_trace_of_a_port_or_a_damaged_one_is_refused_and_mended_by_an_update(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    from porting.capturing import capture_portfile
    from porting.portfile import Portfile

    portfile = Portfile.load(write_portfile(pytester.path))
    pytester.makepyfile(test_golden=ORIGINAL)
    folder = pytester.path / "goldens" / "test_golden"
    capture_portfile(portfile, folder, sides=["ported"])
    (folder / "ported").rename(folder / "test_own")
    result = run_pytest(*OPTION)
    result.stdout.fnmatch_lines(["E *the trace in goldens/test_golden/test_own is not of an original", "E *Next: *"])
    assert passes(run_pytest, UPDATE)
    manifest = folder / "test_own" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("Tanh", "Tahn", 1))
    result = run_pytest(*OPTION)
    result.stdout.fnmatch_lines(["E *the golden trace cannot be read: *", "E *Next: pytest --porting-update *"])
    assert passes(run_pytest, UPDATE)
    assert open_trace(folder / "test_own").run["side"] == "original"


def test_a_golden_trace_of_the_port_that_is_called_the_original_is_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    from porting.portfile import Portfile

    portfile = Portfile.load(write_portfile(pytester.path))
    trace = capture(portfile.build("ported"), portfile.inputs("ported"), side="original")
    save_trace(trace, pytester.path / "goldens" / "test_golden" / "test_own")
    pytester.makepyfile(test_golden=PORT)
    result = run_pytest(*OPTION)
    result.stdout.fnmatch_lines(["E *the trace in goldens/test_golden/test_own is not of an original", "E *Next: *"])


@pytest.mark.parametrize("name", ["..", "\ud800", "a/b", "x" * 300, "\x00", "\u202e"])
def test_any_name_of_a_golden_trace_is_one_folder(name: str) -> None:
    folder = _file_name(f"test_own.{name}")
    assert folder == PurePath(folder).name
    assert folder.isascii()
    assert folder.isprintable()
    assert len(folder) < 120


def test_holding_nothing_against_a_golden_trace_fails(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile("def test_own(port_regression): port_regression()")
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *nothing was given to hold against the golden trace"])


def test_a_golden_trace_replaces_nothing_else(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    kept = pytester.path / "goldens" / "test_golden" / "test_own" / "notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    result = run_pytest(*UPDATE)
    result.stdout.fnmatch_lines(["E *exists and is not a trace*", "E *Next: keep golden traces elsewhere: *"])
    assert kept.read_text() == "mine"


def test_a_port_that_ran_on_other_inputs_is_told_so(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_golden=ORIGINAL)
    run_pytest(*UPDATE)
    pytester.makepyfile(test_golden=PORT)
    other = "def inputs():\n    import torch\n    return {'input': torch.linspace(-2, 2, 40).reshape(2, 5, 4)}"
    write_portfile(pytester.path, extra=other)
    result = run_pytest(*OPTION)
    result.stdout.fnmatch_lines(["E *Next: run the port on the golden inputs: it had another input; *"])


def test_goldens_may_lie_elsewhere_and_have_names(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(
        **{
            "tests/test_golden": """
                import pytest

                class TestOwn:
                    @pytest.mark.parametrize("text", ["../../up", "plain"])
                    def test_own(self, text, port_regression, original_trace):
                        port_regression(original_trace)
                        port_regression(original_trace, name="again")
            """
        }
    )
    assert run_pytest(*UPDATE, "--porting-goldens", "elsewhere").parseoutcomes()["passed"] == 2
    base = pytester.path / "elsewhere" / "tests" / "test_golden"
    names = sorted(path.name for path in base.iterdir())
    assert names[2:] == ["TestOwn.test_own[plain]", "TestOwn.test_own[plain].again"]
    assert all(name.startswith("TestOwn.test_own[..-..-up]") for name in names[:2])
    assert run_pytest(*OPTION, "--porting-goldens", "elsewhere").parseoutcomes()["passed"] == 2
    pytester.makeini("[pytest]\nporting_goldens = elsewhere\n")
    assert run_pytest(*OPTION).parseoutcomes()["passed"] == 2
    assert not (pytester.path / "tests" / "goldens").exists()


def passes(run_pytest: RunPytest, options: list[str] | tuple[str, ...]) -> bool:
    result = run_pytest(*options)
    outcomes = result.parseoutcomes()
    return result.ret == 0 and outcomes["passed"] == 1 and "failed" not in outcomes
