"""How a campaign stands, in one word and one sentence, and whether it waits for a person. Pure: it
reads the rows that the API lists.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from farm.documents.counting import counted
from farm.scheduling.money_text import money_text
from farm.web.words import duration, rate_words, rough

Json = Mapping[str, Any]
BUDGET_NEAR = 0.9
"""The spent share of its budget at which a campaign wants to be looked at."""
DEADLINE_NEAR_S = 3_600.0


_TO_REVIEW = "Every proof that was asked for is painted; the rest waits for your decisions."
_TO_LET_THROUGH = "What is not done is held by drift or a rule of its brand: you decide about it."


class Group(StrEnum):
    """The parts of the list of campaigns, in their order."""

    NEEDS_YOU = "Needs you"
    PAINTING = "Painting"
    WAITING = "Waiting"
    ENDED = "Ended"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a campaign is painted, and when it will be done, in words; empty if unknown."""

    rate: str
    done_in: str
    between: str
    """The range in which nine of ten such campaigns end."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row of the list of campaigns."""

    row: Json
    group: Group
    why: str
    pace: Pace
    cost: str
    needs: str | None
    """What a person has to decide, in a few words; None if nothing."""

    @property
    def parts(self) -> list[tuple[str, int]]:
        """The counts that its bar is made of, the finished ones first."""
        counts = self.row["renders"]
        names = ("done", "held", "failed", "rejected", "running", "cancelled")
        return [(name, counts[name]) for name in names if counts[name]]

    @property
    def ended(self) -> int:
        counts = self.row["renders"]
        return sum(counts[name] for name in ("done", "failed", "held", "cancelled", "rejected"))


def standing_of(row: Json, now: float) -> Standing:
    """How a campaign stands at a moment in seconds since 1970."""
    needs = _needs(row, now)
    return Standing(
        row=row,
        group=_group(row, needs),
        why=why_of(row),
        pace=pace_of(row, now),
        cost=cost_words(row),
        needs=needs,
    )


def _group(row: Json, needs: str | None) -> Group:
    if needs is not None:
        return Group.NEEDS_YOU
    if row["state"] in ("done", "failed", "cancelled", "removing"):
        return Group.ENDED
    if row["renders"]["running"] or (row["proofs"] or {}).get("running"):
        return Group.PAINTING
    return Group.WAITING


def _needs(row: Json, now: float) -> str | None:
    """The first thing that only a person can do about a campaign."""
    counts, state = row["renders"], row["state"]
    if state == "awaiting_review":
        waiting = counts["undecided"] + counts["held_by_rule"]
        return f"{counted(waiting, 'render')} to decide about"
    if state in ("cancelled", "removing", "paused"):
        return None
    if state == "stopped":
        return "stopped: read why, then resume it"
    if counts["held"]:
        return f"{counted(counts['held'], 'picture')} held for you"
    if state == "failed":
        return f"{counted(counts['failed'], 'render')} failed"
    return None if state == "done" else _running_out(row, now)


def _running_out(row: Json, now: float) -> str | None:
    """Whether its budget or its time is about to end."""
    share = max(
        _share(row["device_s"], row["budget_s"]), _share(row["money"], row["budget_money"])
    )
    if share >= BUDGET_NEAR:
        return f"{share:.0%} of its budget is spent".replace("%", " %")
    deadline, eta = row["deadline"], row["eta"]
    if deadline is None:
        return None
    if deadline - now < DEADLINE_NEAR_S:
        left = deadline - now
        return f"due in {duration(left)}" if left > 0 else f"late by {duration(-left)}"
    if eta is not None and eta > deadline:
        return f"it will be late, probably by {duration(eta - deadline)}"
    return None


def _share(spent: float | None, budget: float | None) -> float:
    return (spent or 0.0) / budget if budget else 0.0


def pace_of(row: Json, now: float) -> Pace:
    """The pace of a row at a moment in seconds since 1970."""
    eta, low, high = row["eta"], row["eta_low"], row["eta_high"]
    rate = rate_words(row["renders_per_s"])
    if eta is None:
        return Pace(rate=rate, done_in="", between="")
    between = ""
    if low is not None and high is not None and round(high - low) > 0:
        between = f"{rough(max(low - now, 0))} to {rough(max(high - now, 0))}"
    done_in = f"done in {rough(max(eta - now, 1))}"
    return Pace(rate=rate, done_in=done_in, between=between)


def cost_words(row: Json) -> str:
    """What a campaign has cost beside its budget: money if workers have prices, and device
    time.
    """
    time, money = duration(row["device_s"]), row["money"]
    if row["budget_s"]:
        time += f" of {duration(row['budget_s'])}"
    if money is None:
        return time
    of = f" of {money_text(row['budget_money'])}" if row["budget_money"] else ""
    return f"{money_text(money)}{of} · {time}"


def why_of(row: Json) -> str:
    """Why a campaign is in its state, as one sentence; empty if the state says all."""
    counts, state = row["renders"], row["state"]
    told = row["halted"] or row["waits_for"] or row["standstill"]
    if told and state not in ("done", "failed", "cancelled"):
        return str(told)
    if state == "awaiting_review":
        return _TO_REVIEW if counts["undecided"] else _TO_LET_THROUGH
    if state == "paused":
        return "Somebody paused it; nothing of it is painted until it is resumed."
    if state == "failed":
        return _problems(counts["failed"], counts["held"])
    if state in ("done", "cancelled", "removing"):
        return ""
    if counts["running"] or (row["proofs"] or {}).get("running"):
        return _running_why(row)
    if row["refusal"]:
        return str(row["refusal"]["sentence"])
    return "It waits for a worker."


def _problems(failed: int, held: int) -> str:
    are_held = f"{counted(held, 'render')} {'is' if held == 1 else 'are'} held"
    if not failed:
        return f"{are_held}."
    return f"{counted(failed, 'render')} failed{f', {are_held}' if held else ''}."


def _running_why(row: Json) -> str:
    running = row["renders"]["running"] + (row["proofs"] or {}).get("running", 0)
    noun = "render is" if running == 1 else "renders are"
    return f"{running:,} {noun} with workers now."


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a person asked the list for."""

    text: str = ""
    state: str | None = None

    def fits(self, row: Json) -> bool:
        """Whether a row has every word of the text in its names, and the state."""
        if self.state is not None and row["state"] != self.state:
            return False
        names = " ".join(
            str(row[name] or "") for name in ("campaign", "project", "brand", "model", "state")
        ).lower()
        return all(word in names for word in self.text.lower().split())


def grouped_by_need(found: Iterable[Standing]) -> list[tuple[Group, list[Standing]]]:
    """Rows by their group, as the page shows them; groups without any are left out."""
    rows = list(found)
    parts = [(group, [one for one in rows if one.group is group]) for group in Group]
    return [(group, some) for group, some in parts if some]
