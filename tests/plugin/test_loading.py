"""What the plugin does to runs that do not use it: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    WritePortfile = Callable[..., Path]
    RunPytest = Callable[..., pytest.RunResult]


def test_nothing_is_shown_without_a_portfile(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile("def test_own(): pass")
    result = run_pytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("porting *")
    result.stdout.no_fnmatch_line("*= porting*")


def test_a_run_that_does_not_use_it_loads_one_module(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makepyfile("def test_own(): pass")
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure():\n"
        "    heavy = {'torch', 'transformers', 'numpy', 'rich', 'click'} & set(sys.modules)\n"
        "    print('loaded:', *sorted(name for name in sys.modules if name.startswith('porting')), *sorted(heavy))\n"
    )
    result = run_pytest("-s", subprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*loaded: porting porting.pytest_plugin"])


def test_pytest_runs_with_the_plugin_switched_off(
    pytester: pytest.Pytester, run_pytest: RunPytest, write_portfile: WritePortfile
) -> None:
    write_portfile(pytester.path)
    pytester.makepyfile("def test_own(): pass")
    off = ("-p", "no:porting", "-p", "no:porting.pytest_plugin")
    run_pytest(*off, subprocess=True).assert_outcomes(passed=1)


def test_fixtures_of_the_user_with_the_same_names_come_first(pytester: pytest.Pytester, run_pytest: RunPytest) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.fixture(params=[1, 2])\n"
        "def portfile(request): return request.param\n"
        "@pytest.fixture\n"
        "def verification(): return 'mine'\n"
    )
    pytester.makepyfile("def test_own(portfile, verification): assert portfile in (1, 2) and verification == 'mine'")
    run_pytest().assert_outcomes(passed=2)
