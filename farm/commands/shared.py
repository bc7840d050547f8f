"""What the commands share: their common options, and how they speak to a person or a program."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from farm.commands.completion import campaign_names
from farm.commands.times import with_iso_times
from farm.config import Settings, read_settings
from farm.documents.document import Document, Problem, sentences
from farm.scheduling.budget import estimate_sentence
from farm.service.views import Plan, View, Warned
from storage.errors import RequestError

Home = Annotated[
    Path | None, typer.Option("--home", help="Where the farm keeps its state (FARM_HOME).")
]
Project = Annotated[str | None, typer.Option("--project", help="The project (FARM_PROJECT).")]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="One JSON object, or one a line, on standard output and nothing else."
    ),
]
CampaignName = Annotated[
    str, typer.Argument(help="The campaign's name.", autocompletion=campaign_names)
]
Update = Annotated[
    bool,
    typer.Option("--update", help="Put this version in the place of the one submitted before."),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Paint all of it, even where the project has the pictures already."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", help="How long to wait at most, like 90s, 10m or 2h."),
]
CampaignPath = Annotated[Path, typer.Argument(help="The campaign file.", metavar="FILE")]

_WIDE = 100_000
"""Characters of a line that another program reads."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def settings_for(home: Path | None, project: str | None = None, **given: Any) -> Settings:
    return read_settings(home=home, project=project, **given)


def show_table(table: Table) -> None:
    """A table on standard output, no cell of it ever cut: folded on a terminal, in whole lines for
    another program.
    """
    for column in table.columns:
        column.overflow = "fold"
    out.print(table, soft_wrap=False, crop=False)


def print_json(value: Any) -> None:
    """To a program: a view, or a mapping that may have views in it. Its times are printed in ISO
    8601.
    """
    sys.stdout.write(json.dumps(with_iso_times(_plain(value)), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, default=View.as_json))


def say(text: str) -> None:
    """To a person, on standard output. What a stranger wrote is printed as it is, never as markup
    or as orders to the terminal.
    """
    out.print(escape(_printable(text)))


def say_aside(text: str) -> None:
    """Tell a person, on standard error, something beside the answer itself."""
    err.print(escape(_printable(text)))


def say_error(error: object) -> None:
    err.print(f"[bold red]Error:[/] {escape(_printable(str(error)))}")


def say_warnings(document: Document, warnings: Iterable[Warned]) -> None:
    """What a submission was answered with beside the answer, a line each on standard error, with
    the file's lines.
    """
    problems = [Problem(tuple(warned.path), warned.message) for warned in warnings]
    for sentence in sentences(problems, document, kind="warning"):
        say_aside(sentence)


def budget_sentence(plan: Plan) -> str | None:
    """How much of its budget a planned campaign would take; None if it has no budget."""
    if plan.budget_s is None:
        return None
    return estimate_sentence(
        plan.estimate_s, plan.budget_s, is_assumed=not plan.seconds_per_megapixel_step
    )


def is_interactive() -> bool:
    return sys.stdin.isatty()


def ask(question: str, *, yes: bool) -> None:
    """Go on if a person says so. Raises RequestError if there is nobody to ask."""
    if yes:
        return
    if not is_interactive():
        raise RequestError(
            f"{question} Nobody is there to answer: say --yes, or look first with --dry-run."
        )
    typer.confirm(
        question, abort=True, err=True
    )  # on standard error: the answer is what is on standard output


def _printable(text: str) -> str:
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
