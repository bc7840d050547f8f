"""`farm db`: the job database."""

import typer

from farm.commands.shared import AsJson, Home, print_json, say, settings_for
from farm.documents.counting import counted
from storage.canaries import Canaries
from storage.database import closing_engine, prepare, shown_address, upgrade

app = typer.Typer(help="The job database.", no_args_is_help=True, add_completion=False)


@app.callback()
def database() -> None:
    """The job database."""


@app.command("upgrade")
def upgrade_tables(home: Home = None, as_json: AsJson = False) -> None:
    """Bring the tables to this version's shape. Safe to repeat; the other commands do it too."""
    settings = settings_for(home)
    with closing_engine(settings.database_address) as engine:
        revision = upgrade(engine)
    (
        print_json({"database": shown_address(settings.database_address), "revision": revision})
        if as_json
        else say(f"The database is at revision {revision}.")
    )


@app.command("forget-canaries")
def forget_canaries(home: Home = None, as_json: AsJson = False) -> None:
    """Forget what the canaries of each numerics class are: the next worker of a class to load a
    model says it anew.
    """
    with closing_engine(settings_for(home).database_address) as engine:
        prepare(engine)
        count = Canaries(engine).forget()
    print_json({"forgotten": count}) if as_json else say(
        f"Forgot {counted(count, 'canary', 'canaries')}."
    )
