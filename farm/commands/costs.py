"""`farm costs`: money by use, waste among it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from farm.commands.shared import (
    AsJson,
    Home,
    Project,
    print_json,
    say,
    settings_for,
    show_table,
)
from farm.connect import open_client
from farm.scheduling.money_text import money_text
from farm.service.cost_views import Amount, CampaignCosts, CostParts
from storage.errors import RequestError

_AGES = {"d": "days", "h": "hours", "m": "minutes"}


def costs(
    campaign: Annotated[
        str | None, typer.Argument(help="The campaign's name; all of the project if not given.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only attempts that ended since then: a date and time, or an age like 7d or 12h."
        ),
    ] = None,
    home: Home = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """What campaigns were given, how much of it was wasted and why, and what that cost."""
    if campaign is not None and since is not None:
        raise RequestError("--since is about a whole project: leave the campaign's name out.")
    with open_client(settings_for(home, project)) as client:
        if campaign is not None:
            answer = client.costs(campaign)
            print_json(answer) if as_json else _show_campaign(answer)
            return
        of_all = client.project_costs(None if since is None else moment_of(since))
    if as_json:
        print_json(of_all)
        return
    table = Table("campaign", "given", "painted", "wasted", "idle", "money", box=SIMPLE_HEAD)
    for name, parts in [*of_all.campaigns.items(), ("all", of_all.total)]:
        wasted_s = sum(amount.seconds for _, amount in wastes(parts))
        seconds = (parts.given_s, parts.painted.seconds, wasted_s, parts.idle.seconds)
        money = "" if parts.money is None else money_text(parts.money)
        table.add_row(name, *(f"{value:,.1f} s" for value in seconds), money)
    show_table(table)


def moment_of(text: str, now: datetime | None = None) -> float:
    """A moment, in seconds since 1970: a date and time in ISO 8601, or an age. Raises RequestError
    for anything else.
    """
    unit = _AGES.get(text[-1:])
    try:
        if unit is not None:
            age = timedelta(**{unit: float(text[:-1])})
            return ((now or datetime.now().astimezone()) - age).timestamp()
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise RequestError(
            f"--since {text} is no moment: write a date and time such as 2026-11-01T12:00, or an"
            " age such as 7d, 12h or 90m."
        ) from None


def wastes(parts: CostParts) -> Iterator[tuple[str, Amount]]:
    """The reasons of waste with their amounts."""
    for name in type(parts.waste).model_fields:
        yield name, getattr(parts.waste, name)


def _show_campaign(answer: CampaignCosts) -> None:
    table = Table("use", "seconds", "share", "money", box=SIMPLE_HEAD)
    rows = [("painted", answer.painted), *wastes(answer), ("idle", answer.idle)]
    for name, amount in [*rows, ("all", Amount(seconds=answer.given_s, money=answer.money))]:
        share = amount.seconds / answer.given_s if answer.given_s else 0.0
        money = "" if amount.money is None else money_text(amount.money)
        table.add_row(name, f"{amount.seconds:,.1f}", f"{share:.1%}", money)
    show_table(table)
    for what, each in (("picture", answer.per_picture), ("approved", answer.per_approved)):
        if each is not None:
            name = "An approved picture" if what == "approved" else "A picture"
            money = "" if each.money is None else f" and cost {money_text(each.money)}"
            say(f"{name} took {each.seconds:,.3g} s{money}, waste included.")
