"""Commands about the fleet: `workers`, `scale`, `drain`."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import AsJson, Home, print_json, say, settings_for, show_table
from farm.connect import open_client
from farm.service.fleet_views import Fleet


def workers(home: Home = None, as_json: AsJson = False) -> None:
    """The workers as the dispatcher last saw them."""
    with open_client(settings_for(home)) as client:
        rows = client.workers()
    if as_json:
        for row in rows:
            print_json(row)
        return
    table = Table(
        "worker",
        "state",
        "pool",
        "node",
        "device",
        "warm model",
        "numerics class",
        box=SIMPLE_HEAD,
    )
    for row in rows:
        warm = (row.warm or "")[:12]
        table.add_row(
            row.name,
            row.state,
            row.pool,
            row.node,
            row.device,
            warm,
            row.numerics_class,
        )
    show_table(table)
    for row in rows:
        if row.quarantined_why:
            say(f"{row.name} is in quarantine: {row.quarantined_why}")


def scale(
    floor: Annotated[
        int | None,
        typer.Option("--floor", help="Keep this many workers even if nothing waits.", min=0),
    ] = None,
    ceiling: Annotated[
        int | None, typer.Option("--ceiling", help="Have so many workers at most.", min=0)
    ] = None,
    freeze: Annotated[
        bool | None,
        typer.Option(
            "--freeze/--thaw", help="Neither ask for workers nor let any go, or do so again."
        ),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Take every order back: the settings stand again.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Order how many workers there are, or say what is ordered. Workers beyond the ceiling go
    after their chunk.

    An order stands, over restarts too, until it is changed or taken back. It goes before
    FARM_FLOOR, FARM_WORKERS and `up --workers`.
    """
    with open_client(settings_for(home)) as client:
        answer = (
            client.scaling()
            if (floor, ceiling, freeze, default) == (None, None, None, False)
            else client.scale(floor=floor, ceiling=ceiling, frozen=freeze, default=default)
        )
    _tell(answer, as_json=as_json)


def drain(
    target: Annotated[
        str,
        typer.Argument(
            help="A worker, or a node by its id or its host's name.", metavar="WORKER|NODE"
        ),
    ],
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give a worker, or all of a node, nothing more, and let it go once what it paints is
    settled.
    """
    with open_client(settings_for(home)) as client:
        answer = client.drain(target, undo=undo)
    _tell(answer, as_json=as_json)


def _tell(answer: Fleet, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    limits = [
        f"{word} {limit:,}"
        for word, limit in (("at least", answer.floor), ("at most", answer.ceiling))
        if limit is not None
    ]
    there = (
        ", ".join(f"{count:,} {state}" for state, count in sorted(answer.workers.items()))
        or "none"
    )
    say(
        f"Workers: {there}. Ordered:"
        f" {', '.join(limits) or 'as the settings say'}{', frozen' if answer.frozen else ''}."
    )
    for sentence in answer.orders:
        say(sentence)
    if answer.draining:
        say(f"To go: {', '.join(answer.draining)}.")
