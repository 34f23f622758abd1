"""The fixtures that give a test the portfile and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]

OPTION = ("--porting-portfile", "portfile.py", "--porting-checks", "outputs_equal")
OWN = """
def test_own(portfile, verification, original_trace, ported_trace):
    assert portfile.path.name == "portfile.py"
    assert verification.verdict == "match"
    assert verification.original is original_trace and verification.ported is ported_trace
    assert (original_trace.run["side"], ported_trace.run["side"]) == ("original", "ported")
"""


def test_fixtures_share_one_run_of_the_models_with_the_checks(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own=OWN, test_other=OWN)
    run_pytest(*OPTION).assert_outcomes(passed=3)
    assert (pytester.path / "built.txt").read_text() == "ported\n"


def test_the_id_of_a_test_does_not_change(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile(test_own=OWN)
    result = run_pytest(*OPTION, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_own.py::test_own"])
    run_pytest(*OPTION, "test_own.py::test_own", "-k", "test_own").assert_outcomes(passed=1, deselected=1)


def test_a_marker_names_the_portfile_from_the_folder_of_the_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "ports" / "mine", name="mine.py")
    pytester.makepyfile(
        **{
            "tests/test_marked": """
                import pytest

                pytestmark = pytest.mark.porting(portfile="nowhere.py")

                @pytest.mark.porting(portfile="../ports/mine/mine.py")
                def test_marked(portfile, verification):
                    assert (portfile.path.name, verification.verdict) == ("mine.py", "match")

                @pytest.mark.porting
                def test_of_the_file(portfile):
                    pass
            """
        }
    )
    pytester.makeini("[pytest]\nstrict_markers = true\n")
    result = run_pytest("tests")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*nowhere.py*"])
    run_pytest("tests", "-m", "porting", "-k", "test_marked and not of_the").assert_outcomes(passed=1, deselected=1)


def test_a_marker_of_another_form_is_a_collection_error(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.porting('portfile.py')\ndef test_own(portfile): pass")
    result = run_pytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ['the marker takes a portfile, @pytest.mark.porting(portfile="PATH"), and not portfile.py']
    )


def test_a_test_with_several_portfiles_runs_once_for_each(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "one")
    write_portfile(pytester.path / "two", "model.act = nn.Identity()")
    pytester.makepyfile("def test_own(verification): assert verification.verdict == 'match'")
    ports = ("--porting-portfile", "one/portfile.py", "--porting-portfile", "two/portfile.py")
    result = run_pytest(*ports, "-k", "test_own", "-v")
    result.assert_outcomes(
        passed=1, failed=1, deselected=len(result.outlines) and result.parseoutcomes()["deselected"]
    )
    result.stdout.fnmatch_lines(["*::test_own?one/portfile.py? PASSED*", "*::test_own?two/portfile.py? FAILED*"])


def test_without_a_portfile_a_test_says_how_to_name_one(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile("def test_own(verification): pass")
    result = run_pytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["this test needs a portfile", "Next: name one with --porting-portfile PATH, with porting_portfile *"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_portfile_that_cannot_be_used_fails_each_test_with_its_message(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path / "broken", 'raise RuntimeError("no checkpoint here")')
    (pytester.path / "unreadable.py").write_text("def original(:")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.porting(portfile="broken/portfile.py")
        def test_broken(verification): pass

        @pytest.mark.porting(portfile="unreadable.py")
        def test_unreadable(portfile): pass
    """)
    result = run_pytest()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*ported() raised RuntimeError: no checkpoint here*", "Next: *"])
    result.stdout.fnmatch_lines(["*unreadable.py cannot be run: SyntaxError*"])
    result.stdout.no_fnmatch_line("*sharing.py*")


def test_the_trace_of_one_side_is_there_where_the_other_cannot_run(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path, 'raise RuntimeError("not written yet")')
    pytester.makepyfile("""
        def test_original(original_trace):
            assert original_trace.run["side"] == "original" and original_trace.calls

        def test_ported(ported_trace): pass
    """)
    result = run_pytest(*OPTION, "-k", "test_original or test_ported")
    result.assert_outcomes(passed=1, errors=1, deselected=1)
    result.stdout.fnmatch_lines(["*ported() raised RuntimeError: not written yet*"])


def test_a_recorded_original_is_the_original_trace(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    from porting.capturing import capture_portfile
    from porting.portfile import Portfile

    plain = write_portfile(pytester.path, 'raise RuntimeError("not written yet")', name="plain.py")
    capture_portfile(Portfile.load(plain), pytester.path / "traces", sides=["original"])
    broken = 'raise RuntimeError("not written yet")'
    write_portfile(pytester.path, broken, extra='ORIGINAL_TRACE = "traces/original"')
    pytester.makepyfile("def test_own(original_trace): assert len(original_trace.calls) == 4")
    run_pytest(*OPTION, "-k", "test_own").assert_outcomes(passed=1, deselected=1)


def test_fixtures_of_the_user_can_build_on_them_in_a_session(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makeconftest(
        "import pytest\n@pytest.fixture(scope='session')\ndef verdict(verification): return verification.verdict\n"
    )
    pytester.makepyfile("""
        import unittest

        def test_own(verdict): assert verdict == "match"

        def test_asked_for(request):
            assert request.getfixturevalue("verification").verdict == "match"
    """)
    run_pytest(*OPTION, "-k", "test_own or asked").assert_outcomes(passed=2, deselected=1)
