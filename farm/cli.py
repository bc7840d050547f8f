"""The `farm` command: finds what was asked for, and turns errors into a sentence and an exit code."""

import signal
import sys

import typer

from farm.commands import bench, campaigns, control, database, doctor, farms, fleet, proofs
from farm.commands.shared import say_error
from farm.commands.simulate import simulate
from storage.errors import DatabaseError, RequestError, SeedbedError

FAILED, WRONG = 1, 2

app = typer.Typer(
    name="farm",
    help="Seedbed, a render farm for diffusion campaigns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(farms.demo)
app.command("run")(farms.run)
app.command("up")(farms.up)
app.command("submit")(campaigns.submit)
app.command("list")(campaigns.list_campaigns)
app.command("status")(campaigns.status)
app.command("watch")(campaigns.watch)
app.command("why")(control.why)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("cancel")(control.cancel)
app.command("retry")(control.retry)
app.command("priority")(control.priority)
app.command("prune")(control.prune)
app.command("sheet")(campaigns.sheet)
app.command("export")(campaigns.export)
app.command("reproduce")(proofs.reproduce)
app.command("verify")(proofs.verify)
app.command("workers")(fleet.workers)
app.command("scale")(fleet.scale)
app.command("drain")(fleet.drain)
app.command("simulate")(simulate)
app.command("doctor")(doctor.doctor)
app.add_typer(database.app, name="db")
app.add_typer(bench.app, name="bench")


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Exit codes: 0 fine, 1 the work failed, 2 the request was wrong."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        app(args=arguments)
    except (RequestError, DatabaseError) as exc:
        say_error(exc)
        sys.exit(WRONG)
    except SeedbedError as exc:
        say_error(exc)
        sys.exit(FAILED)


def _leave(_number: int, _frame: object) -> None:
    """Leave by the ordinary way out, so that what was started is ended."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
