"""What commands print is never cut: neither for another program nor on a narrow terminal."""

from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from farm.commands import shared
from farm.commands.progress import _Left

NAME = "spring-launch-of-every-product-in-every-colour-before-every-backdrop-there-is-v12"


def table():
    made = Table("campaign", "state", "renders", "left", "done", box=SIMPLE_HEAD)
    made.add_row(NAME, "running, stands still", "100,000", "99,000", "1,000")
    return made


def test_a_table_for_another_program_has_a_line_a_row(capsys):
    shared.show_table(table())
    (row,) = [line for line in capsys.readouterr().out.splitlines() if NAME in line]
    assert row.split() == [NAME, "running,", "stands", "still", "100,000", "99,000", "1,000"]


def test_on_a_narrow_terminal_names_are_folded_and_never_cut(monkeypatch):
    screen = StringIO()
    monkeypatch.setattr(
        shared, "out", Console(file=screen, force_terminal=True, width=60, color_system=None)
    )
    shared.show_table(table())
    folded = "".join(
        line[: line.find("  ", 2) if "  " in line[2:] else None].strip()
        for line in screen.getvalue().splitlines()
    )
    assert NAME in folded.replace("campaign", "", 1).replace("─", "")
    assert "…" not in screen.getvalue()


def test_time_left_is_said_once_it_is_known_and_never_the_time_that_has_passed():
    clock = iter(float(second) for second in range(1000))
    with Progress(
        _Left(), console=Console(file=StringIO()), get_time=lambda: next(clock), auto_refresh=False
    ) as progress:
        progress.add_task("c", total=1000)
        (task,) = progress.tasks
        assert _Left().render(task).plain == ""
        for _ in range(5):
            progress.advance(task.id, 10)
        assert _Left().render(task).plain.endswith(" left")
        progress.update(task.id, completed=1000)
        assert _Left().render(task).plain == ""
