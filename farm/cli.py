"""The `farm` command: finds what was asked for, and turns errors into a sentence and an exit
code.
"""

import signal
import sys
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any, cast

import typer
from typer import completion as typer_completion
from typer.core import TyperGroup
from typer.main import get_command

from farm.commands.exits import ExitCode, error_line, exit_code_of
from farm.commands.help import group_of, with_epilogs
from storage.errors import SeedbedError

_HELP = {"help_option_names": ["-h", "--help"]}

# name: (module and what in it, the first sentence of its help). A module is imported when its
# command is run, and no earlier: `farm list` waits for none of what `farm bench` needs. A test
# holds the sentences against the modules.
COMMANDS = {
    "demo": (
        "farms:demo",
        "Paint the demo campaign with the embedded model, and show its contact sheet.",
    ),
    "run": ("farms:run", "Paint one campaign on a farm of its own, then stop."),
    "up": ("farms:up", "Run a farm that stays, serving its API, until it is stopped."),
    "submit": ("campaigns:submit", "Give a campaign to the running farm."),
    "list": ("listing:list_campaigns", "The campaigns of the project, the newest first."),
    "status": ("listing:status", "Where a campaign is."),
    "top": (
        "top:top",
        "Show a farm while it works: pace, queue, campaigns, workers, alerts and failures.",
    ),
    "watch": ("campaigns:watch", "Follow a campaign until it is over."),
    "estimate": (
        "estimate:estimate",
        "What a campaign would take, before it is submitted: time, money, bytes, and what binds.",
    ),
    "costs": (
        "costs:costs",
        "What campaigns were given, how much of it was wasted and why, and what that cost.",
    ),
    "why": ("control:why", "Why a campaign or a render is waiting, or how it ended."),
    "pause": ("control:pause", "Start nothing more of a campaign; chunks under way are finished."),
    "resume": (
        "control:resume",
        "Let a campaign go on that was paused, or was stopped by the farm.",
    ),
    "cancel": ("control:cancel", "Want nothing of a campaign any more."),
    "retry": (
        "control:retry",
        "Try renders that failed or are held again: all of them, one kind, or one render.",
    ),
    "priority": ("control:priority", "Set a campaign's place among the others."),
    "review": ("reviews:review", "List what waits for a decision, and say what was decided."),
    "approve": (
        "reviews:approve",
        "Approve renders: the finals of approved proofs are painted, with the same seeds.",
    ),
    "reject": ("reviews:reject", "Reject renders: no final is painted of them."),
    "undo": (
        "reviews:undo",
        "Take a decision back.",
    ),
    "redo": (
        "reviews:redo",
        "Paint chosen pictures again with a recorded change, as versions of their cells.",
    ),
    "prune": (
        "prune:prune",
        "Forget campaigns of the project that are over, with their pictures or without.",
    ),
    "sheet": ("sheets:sheet", "Draw the contact sheet of what is done so far."),
    "diff": (
        "diff:diff",
        (
            "List what changed between two versions of a campaign, or two campaigns, and draw it"
            " side by side."
        ),
    ),
    "export": (
        "files:export",
        (
            "Copy a campaign's pictures and manifest to a folder or bucket, with a page, a table"
            " and the contact sheet."
        ),
    ),
    "reproduce": (
        "reproducing:reproduce",
        "Paint a picture again from what its file carries, and say whether it is the same.",
    ),
    "verify": ("files:verify", "Compare every file of a campaign with its recorded hash."),
    "clean": (
        "files:clean",
        (
            "Remove files that no render of a campaign has any more, such as those that an update"
            " has retired."
        ),
    ),
    "prompts": (
        "prompts:prompts",
        (
            "Every distinct prompt of a campaign file, with its negative, its tokens beside what"
            " each text encoder reads, and the words that its brand bans."
        ),
    ),
    "files": ("uploads:app", "Files: pictures and tables that were uploaded for campaigns."),
    "brands": ("brands:app", "Brand packs: what a brand wants of its campaigns."),
    "drift": ("drift:app", "Drift: how far compositions are from their anchors."),
    "adapters": ("adapters:app", "Registered adapters: LoRA files that campaigns name."),
    "models": ("models:app", "Registered models, and measurements of models."),
    "events": (
        "events:events",
        "Print what has changed: campaigns, renders, reviews, workers, the fleet.",
    ),
    "webhooks": ("webhooks:app", "Webhooks: addresses that hear of a project's events."),
    "notify": ("notify:app", "People who are told of a project's events, by mail or in a chat."),
    "audit": (
        "events:audit",
        "Print who changed what, when and from where: with --json, one JSON object a line.",
    ),
    "workers": ("fleet:workers", "The workers as the dispatcher last saw them."),
    "scale": ("fleet:scale", "Order how many workers there are, or say what is ordered."),
    "drain": (
        "fleet:drain",
        (
            "Give a worker, or all of a node, nothing more, and let it go once what it paints is"
            " settled."
        ),
    ),
    "tokens": ("tokens:app", "Tokens: what people and programs show to be known."),
    "share": (
        "links:share",
        "Make a link that shows one campaign to people outside, and print it, this once.",
    ),
    "links": ("links:app", "Links: campaigns shown to people outside."),
    "projects": ("projects:app", "Projects: their quotas, and who has which role in them."),
    "simulate": (
        "simulate:simulate",
        "How long campaigns would take with so many workers, and what they would cost.",
    ),
    "doctor": (
        "doctor:doctor",
        "Look at everything that painting needs, and say what to do about what is missing.",
    ),
    "logs": (
        "logs:logs",
        "What the farm and its workers say, the latest lines, about a campaign or a worker.",
    ),
    "config": (
        "settings:config",
        "Every setting, its value, and where that comes from.",
    ),
    "completion": (
        "completion:completion",
        "Print what a shell needs to complete commands, options, and names that the farm has.",
    ),
    "db": ("database:app", "The job database."),
    "bench": ("bench:app", "Measurements, as ratios side by side in one run."),
}


def load(name: str) -> Any:
    """The click command of that name, with all its options."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"farm.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return with_epilogs(group, name)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return with_epilogs(get_command(alone), name)


class _Commands(TyperGroup):
    """The commands by their names, each loaded when it is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="farm",
    cls=_Commands,
    help="Seedbed, a render farm for diffusion campaigns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings=_HELP,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seedbed {version('seedbed')}")
        raise typer.Exit


@app.callback()
def farm(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Seedbed, a render farm for diffusion campaigns."""


def _not_loaded() -> None:
    """Stands for a command in the list of all until it is loaded."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help, rich_help_panel=group_of(_name))(_not_loaded)


def whole() -> Any:
    """The click group with every command loaded, for those who look at all of them."""
    group = cast("_Commands", get_command(app))
    group.commands = {name: load(name) for name in COMMANDS}
    return group


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Its exit code tells the kind of error, see farm.commands.exits."""
    signal.signal(signal.SIGTERM, _leave)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that cannot show a letter is no failure
    typer_completion.completion_init()  # type: ignore[attr-defined]  # how shells ask, by typer
    asked = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in asked
    try:
        # else typer would print its own errors, and not as JSON
        ended = app(args=arguments, standalone_mode=not as_json)
    except SeedbedError as exc:
        sys.exit(_say_error(exc, as_json=as_json))
    except typer.TyperException as exc:
        sys.stderr.write(error_line(exc, exit_code=exc.exit_code, code="usage"))
        sys.exit(exc.exit_code)
    except typer.Abort:
        sys.exit(ExitCode.FAILED)
    if isinstance(ended, int):
        sys.exit(ended)


def _say_error(error: SeedbedError, *, as_json: bool) -> int:
    """Print an error as it was asked for; returns the exit code."""
    if as_json:
        sys.stderr.write(error_line(error))
    else:
        from farm.commands.shared import (  # noqa: PLC0415
            say_error,
        )  # most commands end well, and --help needs no settings

        say_error(error)
    return exit_code_of(error)


def _leave(_number: int, _frame: object) -> None:
    """Leave by the ordinary way out, so that what was started is ended."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
