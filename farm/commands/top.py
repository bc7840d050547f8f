"""`farm top`: a farm on one screen of a terminal."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import AsJson, Home, print_json, say, settings_for, show_table
from farm.commands.top_look import (
    MORE_ALERTS,
    Column,
    Look,
    T,
    alert_lines,
    as_json,
    campaign_columns,
    cells_of,
    failure_lines,
    headline,
    look,
    use_line,
    worker_columns,
)
from farm.connect import open_client

_FAILURES_SHOWN = 5


def top(
    every: Annotated[
        float, typer.Option("--every", min=0.5, help="Seconds between two looks.")
    ] = 3.0,
    once: Annotated[bool, typer.Option("--once", help="Print one look, and end.")] = False,
    home: Home = None,
    json: AsJson = False,
) -> None:
    """Show a farm while it works: pace, queue, campaigns, workers, alerts and failures.

    Without a terminal it prints one look.
    """
    with open_client(settings_for(home)) as client:
        if json:
            print_json(as_json(look(client, time.time())))
        elif once or not all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr)):
            show_look(look(client, time.time()))
        else:
            from farm.commands.top_screen import Top  # noqa: PLC0415  # only a screen needs it

            Top(partial(look, client), every_s=every).run()


def show_look(found: Look) -> None:
    """Print a look as plain tables."""
    say(headline(found))
    say(use_line(found))
    for line in alert_lines(found, {}) or ["No alert."]:
        say(line)
    say(MORE_ALERTS)
    _show(campaign_columns(found.at), found.campaigns, by=5)
    _show(worker_columns(), found.fleet.workers, by=0)
    for line in failure_lines(found)[:_FAILURES_SHOWN]:
        say(line)


def _show(columns: list[Column[T]], rows: Sequence[T], *, by: int) -> None:
    table = Table(*(column.name for column in columns), box=SIMPLE_HEAD, show_edge=False)
    for cells in cells_of(columns, rows, by=by, reverse=False):
        table.add_row(*cells)
    show_table(table)
