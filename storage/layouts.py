"""Compositions of renders until the median of their set is known, and the medians."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from storage.rows import Settlement
from storage.states import Reason, RenderState, moved
from storage.tables import anchors, attempts, campaigns, layouts, renders

_AT_ONCE = 500
_NONE: Mapping[int, str] = {}


@dataclass(frozen=True, kw_only=True)
class SetLayout:
    """The composition of one render of a set whose median is not known."""

    number: int
    layout: str


class Layouts:
    """The sets of the campaigns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def anchors(self, campaign_id: int, seeds: Collection[int]) -> dict[int, str]:
        """The medians of those of the sets that have one, by seed."""
        found: dict[int, str] = {}
        wanted = sorted(seeds)
        with self._reader.connect() as connection:
            for k in range(0, len(wanted), _AT_ONCE):
                query = select(anchors.c.seed, anchors.c.layout).where(
                    anchors.c.campaign_id == campaign_id,
                    anchors.c.seed.in_(wanted[k : k + _AT_ONCE]),
                )
                found |= {row.seed: row.layout for row in connection.execute(query)}
        return found

    def waiting(self) -> list[int]:
        """The campaigns that have sets without a median."""
        with self._reader.connect() as connection:
            return list(connection.execute(select(layouts.c.campaign_id).distinct()).scalars())

    def full(self, campaign_id: int, least: int) -> dict[int, list[SetLayout]]:
        """By seed, the compositions of sets of which at least that many are known, and of those
        that have a median already, in the order of their numbers.
        """
        mine = layouts.c.campaign_id == campaign_id
        known = select(anchors.c.seed).where(anchors.c.campaign_id == campaign_id)
        many = (
            select(layouts.c.seed)
            .where(mine)
            .group_by(layouts.c.seed)
            .having((func.count() >= least) | layouts.c.seed.in_(known))
        )
        query = select(layouts).where(mine, layouts.c.seed.in_(many)).order_by(layouts.c.number)
        sets: dict[int, list[SetLayout]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query):
                one = SetLayout(number=row.number, layout=row.layout)
                sets.setdefault(row.seed, []).append(one)
        return sets

    def savings(self, campaign_id: int) -> tuple[int, float]:
        """How many pictures of a campaign were stopped early, over all attempts, and the device
        time in seconds that this saved.
        """
        query = select(attempts.c.facts).where(attempts.c.campaign_id == campaign_id)
        stopped, saved_s = 0, 0.0
        with self._reader.connect() as connection:
            for text in connection.execute(query).scalars():
                facts = json.loads(text)
                stopped += facts.get("stopped", 0)
                saved_s += facts.get("saved_s", 0.0)
        return stopped, saved_s

    def settle(
        self,
        campaign_id: int,
        seed: int,
        anchor: str,
        drifts: Mapping[int, float],
        held: Mapping[int, str] = _NONE,
    ) -> None:
        """Write down the median of a set and the drift of its renders so far, whose compositions
        are not needed any more. A median that is there already stays. Of those renders, the `held`
        are held for a person, each for a reason in words.
        """
        mine = (layouts.c.campaign_id == campaign_id) & (layouts.c.seed == seed)
        with self._engine.begin() as connection:
            _hold(connection, campaign_id, held)
            has_one = select(anchors.c.seed).where(
                anchors.c.campaign_id == campaign_id, anchors.c.seed == seed
            )
            if connection.execute(has_one).first() is None:
                values = {"campaign_id": campaign_id, "seed": seed, "layout": anchor}
                connection.execute(insert(anchors).values(values))
            theirs = (renders.c.campaign_id == campaign_id) & (renders.c.number == bindparam("n"))
            rows = [{"n": number, "value": value} for number, value in drifts.items()]
            if rows:
                change = update(renders).where(theirs).values(drift=bindparam("value"))
                connection.execute(change, rows)
                gone = delete(layouts).where(mine, layouts.c.number == bindparam("n"))
                connection.execute(gone, [{"n": number} for number in drifts])


def _hold(connection: Connection, campaign_id: int, held: Mapping[int, str]) -> None:
    """Hold renders that are done. Their campaign's row is locked before them."""
    if not held:
        return
    c = campaigns.c
    connection.execute(select(c.id).where(c.id == campaign_id).with_for_update())
    count = 0
    for number, detail in held.items():
        done = (
            (renders.c.campaign_id == campaign_id)
            & (renders.c.number == number)
            & (renders.c.state == RenderState.DONE)
        )
        state = moved(RenderState.DONE, RenderState.HELD)
        change = update(renders).where(done)
        found = connection.execute(change.values(state=state, reason=Reason.DRIFT, detail=detail))
        count += found.rowcount
    mine = update(campaigns).where(c.id == campaign_id)
    connection.execute(
        mine.values(done=c.done - count, held=c.held + count, held_by_rule=c.held_by_rule + count)
    )


def keep_layouts(connection: Connection, settlements: Iterable[Settlement]) -> None:
    """Write down the compositions of outcomes whose sets had no median when they were painted."""
    rows = [
        {
            "campaign_id": settlement.campaign_id,
            "seed": outcome.set_layout[0],
            "number": outcome.number,
            "layout": outcome.set_layout[1],
        }
        for settlement in settlements
        for outcome in settlement.outcomes
        if outcome.set_layout is not None
    ]
    if rows:
        again = delete(layouts).where(
            layouts.c.campaign_id == bindparam("c"), layouts.c.number == bindparam("n")
        )
        connection.execute(again, [{"c": row["campaign_id"], "n": row["number"]} for row in rows])
        connection.execute(insert(layouts), rows)
