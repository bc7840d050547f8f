"""`farm bench`: measurements, as ratios side by side in one run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from farm.bench.api import measure as measure_api
from farm.bench.approving import MILLION
from farm.bench.cold import measure as measure_cold
from farm.bench.creative import measure as measure_creative
from farm.bench.encode import measure as measure_encode
from farm.bench.eta import measure as measure_eta
from farm.bench.figures import Json
from farm.bench.fleet import measure as measure_fleet
from farm.bench.metrics import measure as measure_metrics
from farm.bench.models import measure as measure_models
from farm.bench.outputs import measure as measure_outputs
from farm.bench.overhead import measure as measure_overhead
from farm.bench.queue import measure as measure_queue
from farm.bench.submitting import FEWEST, STEP
from farm.bench.web import RENDERS
from farm.bench.web import measure as measure_web
from farm.commands.shared import AsJson, print_json, show_table

app = typer.Typer(
    help="Measurements, as ratios side by side in one run.",
    no_args_is_help=True,
    add_completion=False,
)


Work = Annotated[
    Path | None,
    typer.Option(help="Where the runs keep their files; a temporary folder when not given."),
]


@app.callback()
def bench() -> None:
    """Measurements, as ratios side by side in one run."""


@app.command("overhead")
def overhead(
    pairs: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 5,
    pictures: Annotated[
        int, typer.Option(help="Pictures a run, in steps of 32.", min=32, max=192)
    ] = 96,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """The whole farm against a bare diffusers loop, and against the loop that people write."""
    _show(measure_overhead(pairs=pairs, pictures=pictures // 32 * 32, work=work), as_json)


@app.command("cold")
def cold(
    pairs: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 5,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """From nothing to one picture: `farm run` in a new home against a bare diffusers script. Takes
    about three minutes.
    """
    _show(measure_cold(pairs=pairs, work=work), as_json)


@app.command("queue")
def queue(
    rounds: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 5,
    renders: Annotated[
        int, typer.Option(help=f"Renders in the queue, in steps of {STEP}.", min=FEWEST)
    ] = 1_000_000,
    batches: Annotated[
        int,
        typer.Option(
            help="Batches that the farm gives to resting workers, in steps of 20.", min=100
        ),
    ] = 2_000,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """The queue on both engines, and how busy it keeps its workers, against queues of others and
    Ray Data. Takes half an hour.
    """
    _show(
        measure_queue(
            rounds=rounds, renders=renders // STEP * STEP, batches=batches // 20 * 20, work=work
        ),
        as_json,
    )


@app.command("fleet")
def fleet(
    rounds: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 3,
    batches: Annotated[
        int,
        typer.Option(
            help="Batches that the farm gives to resting workers, in steps of 20.", min=100
        ),
    ] = 2_000,
    gpus: Annotated[
        int, typer.Option(help="Workers that are simulated.", min=1, max=100_000)
    ] = 10_000,
    renders: Annotated[
        int, typer.Option(help="Renders that are simulated.", min=200)
    ] = 10_000_000,
    models: Annotated[int, typer.Option(help="Models that they are of.", min=1, max=1000)] = 200,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Workers with uneven batches, models that share workers, and ten thousand simulated GPUs.
    Takes about a quarter of an hour.
    """
    result = measure_fleet(
        rounds=rounds,
        batches=batches // 20 * 20,
        gpus=gpus,
        renders=renders,
        models=models,
        work=work,
    )
    _show(result, as_json)


@app.command("outputs")
def outputs(
    rounds: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 20,
    pictures: Annotated[
        int, typer.Option(help="Pictures that each side writes, in all rounds together.", min=100)
    ] = 10_000,
    threads: Annotated[int, typer.Option(help="Threads that write them.", min=1, max=64)] = 8,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """The stores for pictures against a bare boto3 loop, on an S3 server of their own."""
    _show(measure_outputs(rounds=rounds, pictures=pictures, threads=threads, work=work), as_json)


@app.command("models")
def models(
    rounds: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 5,
    megabytes: Annotated[int, typer.Option(help="Of the model.", min=4, max=100_000)] = 1_000,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Fetching a registered model to an empty disk, verified, against boto3's own download, on an
    S3 server of their own.
    """
    _show(measure_models(rounds=rounds, megabytes=megabytes, work=work), as_json)


@app.command("creative")
def creative(
    rounds: Annotated[
        int,
        typer.Option(help="Batches painted, after one that is not counted.", min=1),
    ] = 5,
    proofs: Annotated[
        int, typer.Option(help=f"Proofs that are approved, in steps of {STEP}.", min=2 * STEP)
    ] = MILLION,
    as_json: AsJson = False,
) -> None:
    """What rules, drift and previews cost beside painting with the embedded model, what stopping
    half of the pictures at 40 % of the steps saves, and how long approving very many proofs takes.
    Takes about four minutes.
    """
    _show(measure_creative(rounds=rounds, proofs=proofs), as_json)


@app.command("api")
def api(
    pairs: Annotated[
        int, typer.Option(help="How many times each side is run, in turn.", min=1)
    ] = 3,
    pictures: Annotated[
        int, typer.Option(help="Pictures of a campaign, in steps of 2.", min=8, max=10_000)
    ] = 200,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """What the API takes under a mixed load of 50 requests a second beside a farm that paints, and
    what it takes from that farm. Takes about six minutes.
    """
    _show(measure_api(pairs=pairs, pictures=pictures // 2 * 2, work=work), as_json)


@app.command("eta")
def eta(as_json: AsJson = False) -> None:
    """Estimates of the time that is left against the time that it took, on recorded attempts."""
    report = measure_eta()
    if as_json:
        print_json(report)
        return
    table = Table("recording", "estimates", "median error", "p90 error", "within the range")
    for name, of in report["figures"].items():
        shares = (of["median_error"], of["p90_error"], of["within_range"])
        table.add_row(name, str(of["estimates"]), *(f"{share:.1%}" for share in shares))
    show_table(table)


@app.command("encode")
def encode(
    rounds: Annotated[
        int, typer.Option(help="How many times each encoder has each picture, in turn.", min=1)
    ] = 3,
    as_json: AsJson = False,
) -> None:
    """Pictures to files: the farm's formats and other encoders, against Pillow's default PNG.
    Takes about a minute.
    """
    _show(measure_encode(rounds=rounds), as_json)


@app.command("metrics")
def metrics(
    rounds: Annotated[int, typer.Option(help="How many pages are asked for.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """Pages of metrics of farms with up to 1,000 campaigns and 10,000 workers: their time, and the
    part of a processor that Prometheus takes. Takes about half a minute.
    """
    _show(measure_metrics(rounds=rounds), as_json)


@app.command("web")
def web(
    rounds: Annotated[
        int, typer.Option(help="How many times each campaign is looked at.", min=1)
    ] = 5,
    renders: Annotated[
        list[int], typer.Option(help="Renders of a campaign; again for others.", min=1_000)
    ] = [*RENDERS],  # noqa: B006  # nobody changes it
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """What a person waits for on the pages of large campaigns, in Chromium: first byte, first
    screen of pictures, jumps, decisions by a held key, memory. Takes about five minutes.
    """
    _show(measure_web(rounds=rounds, renders=renders, work=work), as_json)


def _show(result: Json, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    setup = ", ".join(f"{name} {value}" for name, value in result["setup"].items() if value)
    table = Table("figure", "median", "min", "max", title=result["bench"], caption=setup)
    for name, spread in {**result["figures"], **result["peers"]}.items():
        table.add_row(name, *(_readable(spread[key]) for key in ("median", "min", "max")))
    show_table(table)


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"
