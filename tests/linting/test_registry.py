"""Which checkers a checkout has is read from its own list, and nothing of that is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import write

from porting.checkout import Checkout
from porting.linting.registry import CHECKERS, LEFT_OUT, Checker, checkers_of

SCRIPTS = ("check_copies.py", "check_repo.py", "check_brand_new.py", "add_dates.py", "check_types.py", "unlisted.py")


def found(root: Path, listed: str) -> list[Checker]:
    write(root, {f"utils/{name}": "" for name in SCRIPTS})
    write(root, {"utils/checkers.py": listed})
    return [each for step in range(1, 15) for each in checkers_of(Checkout(root), step)]


LISTED = """
import no_such_package

CHECKERS = {
    "copies": ("Copies", "check_copies.py", ["--quiet"], ["--mend", "all"]),
    "new": ("New", "check_brand_new.py", [], None),
    "dates": ("Dates", "add_dates.py", ["--check-only"], []),
    "types": ("Types", "check_types.py", ["src"], None),
    "ruff": ("Ruff", None, None, None),
    "gone": ("Gone", "check_gone.py", [], None),
    "far": ("Far", "../evil.py", [], None),
    "odd": ("Odd", "unlisted.py", [1], None),
    "odder": 3,
    "hidden": ("Hidden", "unlisted.py", ["\\x1b[2J"], None),
}
raise SystemExit("this was run")
"""


def test_what_a_checkout_lists_is_what_is_run(tmp_path: Path) -> None:
    copies, new = found(tmp_path, LISTED)
    assert (copies.script, copies.step, copies.arguments) == ("check_copies.py", 5, ("--quiet",))
    assert copies.fix == "python utils/check_copies.py --mend all"
    assert new == Checker("check_brand_new.py", 14)
    assert new.fix is None


@pytest.mark.parametrize(
    "listed", ["", "CHECKERS = make()", "CHECKERS = [1]", "CHECKERS = {", "CHECKERS: dict = {}", "(" * 5000, "\0"]
)
def test_without_a_list_that_can_be_read_the_known_ones_are_run(listed: str, tmp_path: Path) -> None:
    assert [each.script for each in found(tmp_path, listed)] == ["check_copies.py", "check_repo.py"]


def test_a_fix_can_be_typed_as_it_is_told(tmp_path: Path) -> None:
    listed = "CHECKERS = {'x': ('X', 'check_copies.py', [], ['--mend', '; rm -rf x'])}"
    (copies,) = found(tmp_path, listed)
    assert copies.fix == "python utils/check_copies.py --mend '; rm -rf x'"


def test_what_is_left_out_is_not_known_otherwise() -> None:
    assert not set(LEFT_OUT) & {each.script for each in CHECKERS}
    assert all(LEFT_OUT.values())
