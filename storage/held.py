"""Pictures that a rule holds for a person: their state follows the verdict."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from sqlalchemy import Connection, delete, select, update

from storage.bulk import insert_chunks
from storage.clock import db_time
from storage.rows import NewChunk, dump
from storage.states import HELD_BY_RULE, RenderState, Verdict, moved
from storage.tables import campaigns, renders
from storage.verdicts import Numbers, Verdicts

_AT_ONCE = 500

Json = dict[str, Any]
_STATES = {
    Verdict.APPROVED: RenderState.DONE,
    Verdict.REJECTED: RenderState.REJECTED,
    None: RenderState.HELD,
}


class Plan(Protocol):
    """How renders of a campaign are cut into chunks."""

    def chunks(self, numbers: Numbers) -> Iterable[NewChunk]: ...


def follow_held(
    connection: Connection, campaign_id: int, numbers: Numbers, after: Verdicts, plan: Plan
) -> Json:
    """Bring renders that a rule holds, of those that a decision is about, into the state that the
    verdict asks for. One that was stopped before it was finished is queued again once it is
    approved. The campaign's row is locked.
    """
    rows = _held(connection, campaign_id, numbers)
    moves = {row.number: _STATES[after.of(row.number)] for row in rows}
    again = [row for row in rows if moves[row.number] is RenderState.DONE and row.key is None]
    for row in again:
        moves[row.number] = RenderState.QUEUED
    rows = [row for row in rows if moves[row.number] != row.state]
    for row in rows:
        moved(RenderState(row.state), moves[row.number])
    _write(connection, campaign_id, {row.number: moves[row.number] for row in rows})
    _queue(connection, campaign_id, [row.number for row in again], plan)
    if rows:
        _count(connection, campaign_id, [(row.state, moves[row.number]) for row in rows])
    let_through = sum(moves[row.number] is RenderState.DONE for row in rows)
    return {"let_through": let_through, "painted_on": len(again)}


def _held(connection: Connection, campaign_id: int, numbers: Numbers) -> Sequence[Any]:
    """Those of these renders that a rule holds, or has held until a person decided."""
    query = select(renders.c.number, renders.c.state, renders.c.key).where(
        renders.c.campaign_id == campaign_id, renders.c.reason.in_(HELD_BY_RULE)
    )
    if len(numbers) <= _AT_ONCE:
        return connection.execute(query.where(renders.c.number.in_(numbers.tolist()))).all()
    wanted = set(numbers.tolist())
    return [row for row in connection.execute(query) if row.number in wanted]


def _write(connection: Connection, campaign_id: int, moves: dict[int, RenderState]) -> None:
    for state in set(moves.values()):
        numbers = [number for number, to in moves.items() if to is state]
        for k in range(0, len(numbers), _AT_ONCE):
            mine = (renders.c.campaign_id == campaign_id) & renders.c.number.in_(
                numbers[k : k + _AT_ONCE]
            )
            if state is RenderState.QUEUED:
                connection.execute(delete(renders).where(mine))
            else:
                connection.execute(update(renders).where(mine).values(state=state))


def _queue(connection: Connection, campaign_id: int, numbers: list[int], plan: Plan) -> None:
    """Queue renders again, and note that no rule holds them any more."""
    if not numbers:
        return
    mine = campaigns.c.id == campaign_id
    spec = json.loads(connection.execute(select(campaigns.c.spec).where(mine)).scalar_one())
    passed = sorted({*spec.get("passed", ()), *numbers})
    connection.execute(update(campaigns).where(mine).values(spec=dump({**spec, "passed": passed})))
    insert_chunks(connection, campaign_id, plan.chunks(np.array(sorted(numbers), np.int64)))


def _count(connection: Connection, campaign_id: int, moves: list[tuple[str, RenderState]]) -> None:
    """Bring a campaign's counts up to date. A render that is rejected is not released any more."""
    columns = {
        state: campaigns.c[state.value]
        for state in (RenderState.HELD, RenderState.DONE, RenderState.REJECTED)
    }
    steps = dict.fromkeys(columns, 0)
    for before, to in moves:
        steps[RenderState(before)] -= 1
        if to in steps:
            steps[to] += 1
    values: Json = {columns[state].name: columns[state] + step for state, step in steps.items()}
    values["held_by_rule"] = campaigns.c.held_by_rule + steps[RenderState.HELD]
    values["released"] = campaigns.c.released - steps[RenderState.REJECTED]
    mine = campaigns.c.id == campaign_id
    connection.execute(update(campaigns).where(mine).values(**values))
    c = campaigns.c
    ended = c.done + c.failed + c.held + c.cancelled + c.rejected
    connection.execute(update(campaigns).where(mine, ended < c.total).values(finished_at=None))
    connection.execute(
        update(campaigns)
        .where(mine, ended >= c.total, c.finished_at.is_(None))
        .values(finished_at=db_time())
    )
