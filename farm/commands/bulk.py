"""Orders to one campaign or to several: which they are, the question, and how it ends."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import typer

from farm.client.client import Client
from farm.commands.completion import campaign_names
from farm.commands.exits import ExitCode, error_line, exit_code_of, worst
from farm.commands.shared import ask, print_json, say, say_error
from farm.documents.counting import counted
from farm.service.views import CampaignRowView
from storage.errors import RequestError, SeedbedError
from storage.states import CampaignState

T = TypeVar("T")
Names = Annotated[
    list[str] | None,
    typer.Argument(help="The campaigns.", metavar="[NAME]...", autocompletion=campaign_names),
]
All = Annotated[
    bool, typer.Option("--all", help="All campaigns of the project that this can change.")
]
States = Annotated[
    list[CampaignState] | None,
    typer.Option("--state", help="All campaigns of the project in this state. Repeatable."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say which campaigns it would change.")
]
_NAMED = 8
"""How many campaigns a question names."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The campaigns that an order is for: those named, or all, or those in some states."""

    names: Sequence[str]
    everything: bool = False
    states: Collection[CampaignState] = ()

    def check(self) -> None:
        """Raise RequestError unless it says one of the three."""
        said = [bool(self.names), self.everything, bool(self.states)]
        if sum(said) != 1:
            raise RequestError(
                "Say which campaigns: name them, or give --all, or --state: one of the three."
            )

    def found(self, client: Client, can_change: Callable[[CampaignRowView], bool]) -> list[str]:
        """Their names, the oldest first if they were not named."""
        if self.names:
            return list(dict.fromkeys(self.names))
        return [
            row.campaign
            for row in reversed(client.campaigns())
            if (row.state in self.states if self.states else can_change(row))
        ]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How an order is given and told about."""

    yes: bool
    dry_run: bool
    as_json: bool


def give(
    client: Client,
    choice: Choice,
    manner: Manner,
    *,
    verb: str,
    can_change: Callable[[CampaignRowView], bool],
    order: Callable[[str], None],
) -> None:
    """Give an order to each of the campaigns, after a question if they were not named."""
    choice.check()
    names = choice.found(client, can_change)
    if manner.dry_run:
        _show(names, verb, as_json=manner.as_json)
        return
    if not choice.names:
        if not names:
            if not manner.as_json:
                say(f"There is no campaign to {verb}.")
            return
        ask(question(verb, names), yes=manner.yes)
    for_each(names, order, as_json=manner.as_json)


def for_each(names: Sequence[T], order: Callable[[T], None], *, as_json: bool) -> None:
    """Do something for each of several. One that fails stops none of the others; the command then
    ends with the highest of their exit codes.
    """
    if len(names) == 1:
        order(names[0])
        return
    code = worst([_tried(name, order, as_json=as_json) for name in names])
    if code:
        raise typer.Exit(code)


def question(verb: str, names: Sequence[str]) -> str:
    """What a person is asked before an order to campaigns that the person did not name."""
    what = counted(len(names), "campaign")
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{verb.capitalize()} {what}: {', '.join(names[:_NAMED])}{more}?"


def _show(names: Sequence[str], verb: str, *, as_json: bool) -> None:
    for name in names:
        if as_json:
            print_json({"campaign": name, "order": verb, "dry_run": True})
        else:
            say(f"{name}: would {verb}")
    if not names and not as_json:
        say(f"There is no campaign to {verb}.")


def _tried(name: T, order: Callable[[T], None], *, as_json: bool) -> int:
    try:
        order(name)
    except SeedbedError as exc:
        if as_json:
            sys.stderr.write(error_line(exc))
        else:
            say_error(exc)
        return exit_code_of(exc)
    except typer.Exit as exc:
        return exc.exit_code
    return ExitCode.FINE
