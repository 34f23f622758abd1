from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from porting.report.detail import next_line


def test_a_command_is_one_line_however_long_it_is() -> None:
    command = f"porting check {' '.join(['tests_are_own'] * 20)}"
    console = Console(width=40, record=True)
    console.print(Group(Text("above"), next_line(command)), crop=False)
    assert console.export_text().splitlines() == ["above", f"Next: {command}"]
