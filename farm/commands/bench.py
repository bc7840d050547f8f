"""`farm bench`: measurements, as ratios side by side in one run."""

from pathlib import Path
from typing import Annotated

import typer

from farm.commands.shared import AsJson, print_json, say

app = typer.Typer(help="Measurements, as ratios side by side in one run.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measurements, as ratios side by side in one run."""


@app.command("overhead")
def overhead(
    pairs: Annotated[int, typer.Option(help="How many times each side is run, in turn.", min=1)] = 5,
    pictures: Annotated[int, typer.Option(help="Pictures a run.", min=8)] = 96,
    work: Annotated[Path | None, typer.Option(help="Where the runs keep their files; a temporary folder when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """The whole farm against a bare diffusers loop, and against the loop that people write."""
    from farm.bench.overhead import measure  # it loads torch, which no other command needs

    result = measure(pairs=pairs, pictures=pictures, work=work)
    print_json(result) if as_json else say(result["text"])
