"""The events of campaigns, told from their rows before and after a change. `counts` in an event
says by how much the change moved each of the campaign's counts: added up, they are the counts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.events import record
from storage.keys import campaign_name
from storage.rows import Json, Settlement
from storage.states import campaign_state
from storage.tables import campaigns

COUNTS = ("done", "failed", "held", "cancelled", "rejected")
BUDGET_NEARLY_SPENT = 0.9
MOST_BEFORE_FAILING = 100
_ENDS = {
    True: (EventKind.CAMPAIGN_FINISHED, EventKind.CAMPAIGN_REOPENED),
    False: (EventKind.PROOFS_FINISHED, EventKind.PROOFS_REOPENED),
}


def tell(
    connection: Connection,
    row: Row[Any],
    kind: EventKind,
    data: Json | None = None,
    *,
    counts: Mapping[str, int] | None = None,
    before: Any = None,
    after: Any = None,
) -> None:
    """Note an event about the campaign of a row, which may be that of its proofs."""
    about: Json = {"id": row.id, "stage": "final" if row.proof_of is None else "proof"}
    moved = {name: count for name, count in (counts or {}).items() if count}
    if moved:
        about["counts"] = moved
    record(
        connection,
        kind,
        project=row.project,
        campaign=title_of(row),
        data={**about, **(data or {})},
        before=before,
        after=after,
    )


def title_of(row: Row[Any]) -> str:
    """A campaign's own name, also of its proofs, and of a version that was replaced."""
    return campaign_name(row.name.partition("~")[0])


def tell_change(
    connection: Connection,
    before: Row[Any],
    kind: EventKind | None,
    data: Json | None = None,
    **more: Any,
) -> None:
    """Note what a change has made of a campaign since its row was read and locked: an event of the
    kind, and another if the campaign has ended or goes on.
    """
    query = select(*(column for column in campaigns.c if column.name != "spec"))
    after = connection.execute(query.where(campaigns.c.id == before.id)).one()
    if kind is not None:
        moved = {name: getattr(after, name) - getattr(before, name) for name in COUNTS}
        tell(connection, after, kind, data, counts=moved, **more)
    _, reopened = _ENDS[before.proof_of is None]
    if before.finished_at is None and after.finished_at is not None:
        tell_end(connection, after)
    elif before.finished_at is not None and after.finished_at is None:
        tell(connection, after, reopened)


def tell_end(connection: Connection, row: Row[Any], **changed: Any) -> None:
    """Note that a campaign, or its proofs, are over. `changed` has what is newer than the row."""
    values = {**row._mapping, **changed}
    ended: Json = {name: values[name] for name in ("total", *COUNTS)}
    by_rule = values["held_by_rule"]
    state = campaign_state(**ended, held_by_rule=by_rule, started=True, paused=False, halted=None)
    finished, _ = _ENDS[row.proof_of is None]
    tell(
        connection,
        row,
        finished,
        {"state": state, **ended, "device_s": round(values["device_s"], 3)},
    )


def finish_if_over(connection: Connection, campaign_id: int) -> None:
    """Let a campaign end if all its renders have, and note that."""
    c = campaigns.c
    ended = c.done + c.failed + c.held + c.cancelled + c.rejected
    over = (c.id == campaign_id) & (ended >= c.total) & c.finished_at.is_(None)
    columns = (column for column in c if column.name != "spec")
    finish = update(campaigns).where(over).values(finished_at=db_time()).returning(*columns)
    row = connection.execute(finish).first()
    if row is not None:
        tell_end(connection, row)


def stop(connection: Connection, mine: ColumnElement[bool], sentence: str) -> None:
    """Stop a campaign and its proofs, with the sentence that says why."""
    c = campaigns.c
    others = update(campaigns).where(mine, c.halted.is_distinct_from(sentence))
    halt = others.values(halted=sentence).returning(c.id, c.project, c.name, c.proof_of)
    if rows := connection.execute(halt).all():
        row = min(rows, key=lambda row: int(row.id))
        tell(connection, row, EventKind.CAMPAIGN_STOPPED, {"why": sentence})


# --- what settled chunks change ---


def tell_settled(connection: Connection, row: Row[Any], settlements: Sequence[Settlement]) -> None:
    """Note how each chunk ended: with the states of its renders, or that it went back."""
    for s in settlements:
        states = Counter(outcome.state.value for outcome in s.outcomes)
        data: Json = {
            "chunk": s.chunk_id, "lease": s.lease, "worker": s.worker, "outcome": s.outcome,
            "device_s": round(s.device_s, 3),
        }  # fmt: skip
        if s.detail:
            data["detail"] = s.detail
        if s.again:
            data["again"] = sum(chunk.total for chunk in s.again)
        kind = EventKind.RENDERS_SETTLED if states else EventKind.RENDERS_RETURNED
        tell(connection, row, kind, data, counts=states)


def tell_counted(
    connection: Connection, before: Row[Any], values: Mapping[str, Any], spent_s: float
) -> None:
    """Note what new counts mean: that a campaign waits, that enough of it has failed for a person
    to look, or that it is over.
    """
    if "waits_until" in values and values["waits_until"] is not None:
        why = {"why": values["waits_why"], "times": values["waits"]}
        tell(connection, before, EventKind.CAMPAIGN_WAITING, why)
    enough = max(1, min(before.total // 20, MOST_BEFORE_FAILING))
    if before.failed < enough <= values["failed"]:
        failed = {"failed": values["failed"], "total": before.total}
        tell(connection, before, EventKind.CAMPAIGN_FAILING, failed)
    if before.finished_at is None and values.get("finished_at") is not None:
        tell_end(connection, before, **{**values, "device_s": spent_s})


def tell_spent(
    connection: Connection,
    known: Mapping[int, Row[Any]],
    by_campaign: Mapping[int, Sequence[Settlement]],
) -> None:
    """Note of each campaign, its proofs counted in, that it was stopped or has little of its
    budget left. The rows are those from before.
    """
    wholes: dict[int, list[Settlement]] = {}
    for campaign_id, settlements in by_campaign.items():
        whole = known[campaign_id].proof_of or campaign_id
        wholes.setdefault(whole, []).extend(settlements)
    for whole, settlements in wholes.items():
        row = known.get(whole)
        if row is None or row.pruned_at is not None:
            continue
        halts = [s.halt for s in settlements if s.halt is not None]
        if halts and halts[-1] != row.halted:
            tell(connection, row, EventKind.CAMPAIGN_STOPPED, {"why": halts[-1]})
        spent_s = sum(s.device_s for s in settlements)
        money = sum(s.spent.money or 0.0 for s in settlements)
        _tell_budget(connection, row, "device_s", row.device_s, spent_s, "budget_s")
        _tell_budget(connection, row, "money", row.money or 0.0, money, "budget_money")


def _tell_budget(
    connection: Connection, row: Row[Any], spent: str, before: float, more: float, budget: str
) -> None:
    """Note that a campaign has little of a budget left, if it had more before."""
    limit = getattr(row, budget)
    if limit and before < BUDGET_NEARLY_SPENT * limit <= before + more:
        data = {spent: round(before + more, 3), budget: limit}
        tell(connection, row, EventKind.CAMPAIGN_BUDGET_LOW, data)
