"""`farm bench`: measurements, as ratios side by side in one run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from farm.bench.overhead import measure
from farm.commands.shared import AsJson, out, print_json

app = typer.Typer(help="Measurements, as ratios side by side in one run.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measurements, as ratios side by side in one run."""


@app.command("overhead")
def overhead(
    pairs: Annotated[int, typer.Option(help="How many times each side is run, in turn.", min=1)] = 5,
    pictures: Annotated[int, typer.Option(help="Pictures a run, in steps of 32.", min=32, max=192)] = 96,
    work: Annotated[Path | None, typer.Option(help="Where the runs keep their files; a temporary folder when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """The whole farm against a bare diffusers loop, and against the loop that people write."""
    result = measure(pairs=pairs, pictures=pictures // 32 * 32, work=work)
    if as_json:
        print_json(result)
        return
    table = Table("figure", "median", "min", "max", title=f"overhead, {result['machine']['workers']} workers, {pairs} pairs")
    for name, spread in {**result["figures"], **result["peers"]}.items():
        table.add_row(name, *(f"{spread[key]:.3f}" for key in ("median", "min", "max")))
    out.print(table)
