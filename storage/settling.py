"""Records how leased chunks ended: many in one transaction, each guarded by its lease."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from storage.bulk import insert_chunks, insert_renders
from storage.campaigns import with_proofs
from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.layouts import keep_layouts
from storage.moments import is_to_come
from storage.rows import RenderOutcome, Settlement, dump
from storage.spent import Spent
from storage.states import AttemptOutcome, ChunkState, RenderState, moved
from storage.tables import attempts, campaigns, chunks, refusals
from storage.telling import finish_if_over, tell, tell_counted, tell_settled, tell_spent

_other = campaigns.alias("other")


def _with_proofs(wanted: str) -> ColumnElement[bool]:
    """Chooses campaigns with the rows of their proofs, or proofs with their campaigns."""
    ids: ColumnElement[Any] = bindparam(wanted, expanding=True)
    finals = select(_other.c.proof_of).where(_other.c.id.in_(ids), _other.c.proof_of.is_not(None))
    c = campaigns.c
    return or_(c.id.in_(ids), c.proof_of.in_(ids), c.id.in_(finals))


# Proofs and their campaign are locked together: device time and orders to stop concern both.
LOCK = (
    select(*(column for column in campaigns.c if column.name != "spec"), db_time().label("now"))
    .where(_with_proofs("wanted"))
    .order_by(campaigns.c.id)
    .with_for_update()
)

RETURN = (
    update(chunks)
    .where(
        chunks.c.id == bindparam("chunk"),
        chunks.c.lease == bindparam("token"),
        chunks.c.session_id == bindparam("session"),
        chunks.c.state == ChunkState.LEASED,
    )
    .values(
        state=bindparam("next"),
        failures=bindparam("failed_times"),
        losses=bindparam("lost_times"),
        bad_outputs=bindparam("bad_times"),
        session_id=None,
    )
)

CANCEL_QUEUED = (
    update(chunks)
    .where(chunks.c.campaign_id == bindparam("campaign"), chunks.c.state == ChunkState.QUEUED)
    .values(state=ChunkState.CANCELLED)
    .returning(chunks.c.total)
)


class Settling:
    """Writes outcomes into one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def settle(self, session: int, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Record how attempts ended, in one transaction, and return those that counted.

        A settlement whose lease is not the session's any more changes only a count. Recording the
        same twice has no further effect.
        """
        if not settlements:
            return []
        with self._engine.begin() as connection:
            # Always a campaign before its chunks: two that lock them in different orders would
            # wait for each other.
            wanted = sorted({s.campaign_id for s in settlements})
            known: dict[int, Any] = {
                row.id: row for row in connection.execute(LOCK, {"wanted": wanted})
            }
            if not known:
                return []
            time = next(iter(known.values())).now
            counted: list[Settlement] = []
            stale: list[Settlement] = []
            for s in settlements:
                if s.campaign_id in known:
                    (counted if _return_chunk(connection, session, s) else stale).append(s)
            insert_renders(
                connection, [_render_row(s, o, time) for s in counted for o in s.outcomes]
            )
            keep_layouts(connection, counted)
            rows = [_attempt_row(s, session, time) for s in counted]
            rows += [_stale_row(s, session, time) for s in stale]
            if rows:
                connection.execute(insert(attempts), rows)
            by_campaign: dict[int, list[Settlement]] = defaultdict(list)
            for s in counted:
                by_campaign[s.campaign_id].append(s)
            for campaign_id, group in by_campaign.items():
                _go_on(connection, known[campaign_id], group)
                _count(connection, known[campaign_id], group, time)
            tell_spent(connection, known, by_campaign)
        return counted


def cancel_queued(connection: Connection, campaign_ids: Iterable[int]) -> None:
    """Cancel the queued chunks of those of the campaigns that were cancelled, and finish those
    that have nothing left.
    """
    c = campaigns.c
    query = (
        select(c.id)
        .where(c.id.in_(list(campaign_ids)), c.cancelled_at.is_not(None))
        .order_by(c.id)
        .with_for_update()
    )
    for campaign_id in connection.execute(query).scalars().all():
        unwanted = sum(connection.execute(CANCEL_QUEUED, {"campaign": campaign_id}).scalars())
        if unwanted:
            mine = update(campaigns).where(c.id == campaign_id)
            columns = (c.id, c.project, c.name, c.proof_of)
            row = connection.execute(
                mine.values(cancelled=c.cancelled + unwanted).returning(*columns)
            ).one()
            tell(connection, row, EventKind.RENDERS_CANCELLED, counts={"cancelled": unwanted})
        finish_if_over(connection, campaign_id)


def _return_chunk(connection: Connection, session: int, settlement: Settlement) -> bool:
    ended = settlement.outcomes or settlement.again
    changed = connection.execute(
        RETURN,
        {
            "chunk": settlement.chunk_id,
            "token": settlement.lease,
            "session": session,
            "next": ChunkState.SETTLED if ended else ChunkState.QUEUED,
            "failed_times": settlement.failures,
            "lost_times": settlement.losses,
            "bad_times": settlement.bad_outputs,
        },
    )
    if changed.rowcount == 1 and settlement.refused_by and not ended:
        _refuse(connection, settlement.chunk_id, settlement.refused_by)
    return bool(changed.rowcount == 1)


def _refuse(connection: Connection, chunk_id: int, names: Iterable[str]) -> None:
    known = set(
        connection.execute(
            select(refusals.c.worker).where(refusals.c.chunk_id == chunk_id)
        ).scalars()
    )
    rows = [{"chunk_id": chunk_id, "worker": name} for name in sorted(set(names) - known)]
    if rows:
        connection.execute(insert(refusals), rows)


def _go_on(connection: Connection, campaign: Row[Any], settlements: Sequence[Settlement]) -> None:
    """Queue what the settled chunks left over."""
    for s in settlements:
        if s.again:
            refused = (
                connection.execute(
                    select(refusals.c.worker).where(refusals.c.chunk_id == s.chunk_id)
                )
                .scalars()
                .all()
            )
            insert_chunks(
                connection,
                campaign.id,
                [replace(chunk, refused_by=chunk.refused_by.union(refused)) for chunk in s.again],
            )


def _count(
    connection: Connection, campaign: Row[Any], settlements: Sequence[Settlement], time: float
) -> None:
    """Bring a campaign's counts up to date; its row is locked, so the values read of it still
    hold.
    """
    states = Counter(o.state for s in settlements for o in s.outcomes)
    by_rule = sum(o.is_held_by_rule for s in settlements for o in s.outcomes)
    device_s = sum(s.device_s for s in settlements)
    prices = [cost for s in settlements if (cost := s.spent.money) is not None]
    costs = {"money": func.coalesce(campaigns.c.money, 0) + sum(prices)} if prices else {}
    values: dict[str, Any] = {
        "done": campaign.done + states[RenderState.DONE],
        "failed": campaign.failed + states[RenderState.FAILED],
        "held": campaign.held + states[RenderState.HELD],
        "held_by_rule": campaign.held_by_rule + by_rule,
        "device_s": campaigns.c.device_s + device_s,
        **costs,
    }
    values |= _waiting(campaign, settlements, time, has_pictures=bool(states[RenderState.DONE]))
    halts = [s.halt for s in settlements if s.halt is not None]
    if halts:
        values["halted"] = halts[-1]
    ended = values["done"] + values["failed"] + values["held"] + campaign.cancelled
    if ended + campaign.rejected >= campaign.total:
        values["finished_at"] = time
    tell_settled(connection, campaign, settlements)
    tell_counted(connection, campaign, values, campaign.device_s + device_s)
    connection.execute(update(campaigns).where(campaigns.c.id == campaign.id).values(**values))
    names = ("device_s", "money", "halted")
    shared = {name: values[name] for name in names if name in values}
    connection.execute(
        update(campaigns)
        .where(with_proofs(campaign.id), campaigns.c.id != campaign.id)
        .values(**shared)
    )
    # What a version that was replaced takes is spent of the same budget.
    if campaign.pruned_at is not None:
        heir = update(campaigns).where(
            campaigns.c.replaces == campaign.id, campaigns.c.pruned_at.is_(None)
        )
        connection.execute(heir.values(device_s=campaigns.c.device_s + device_s, **costs))
    if campaign.cancelled_at is not None:
        cancel_queued(connection, [campaign.id])


def _waiting(
    campaign: Row[Any], settlements: Sequence[Settlement], time: float, *, has_pictures: bool
) -> dict[str, Any]:
    """The columns that say what a campaign waits for, as far as they change."""
    waits = [s.backoff for s in settlements if s.backoff is not None]
    # A chunk that was under way when the backoff began does not lengthen it.
    if waits and not is_to_come(campaign.waits_until, time):
        return {
            "waits": campaign.waits + 1,
            "waits_until": time + waits[-1].seconds,
            "waits_why": waits[-1].why,
        }
    if has_pictures and campaign.waits:
        return {"waits": 0, "waits_until": None, "waits_why": None}
    return {}


def _render_row(settlement: Settlement, outcome: RenderOutcome, time: float) -> tuple[object, ...]:
    return (
        settlement.campaign_id,
        outcome.number,
        outcome.digest,
        moved(RenderState.RUNNING, outcome.state).value,
        outcome.reason.value,
        outcome.detail,
        outcome.key,
        outcome.pixels,
        outcome.bytes,
        settlement.lease,
        settlement.worker,
        outcome.numerics_class,
        outcome.seconds,
        time,
        outcome.sha256,
        outcome.rules_tested,
        ",".join(outcome.rules_failed) or None,
        outcome.drift,
        outcome.thumbnail,
    )


def _attempt_row(settlement: Settlement, session: int, time: float) -> dict[str, object]:
    states = Counter(o.state for o in settlement.outcomes)
    return {
        "campaign_id": settlement.campaign_id,
        "chunk_id": settlement.chunk_id,
        "lease": settlement.lease,
        "worker": settlement.worker,
        "outcome": settlement.outcome,
        "detail": settlement.detail,
        "done": states[RenderState.DONE],
        "failed": states[RenderState.FAILED],
        "held": states[RenderState.HELD],
        "facts": dump(settlement.facts),
        "ended_at": time,
        "session_id": session,
        **asdict(settlement.spent),
    }


def _stale_row(settlement: Settlement, session: int, time: float) -> dict[str, object]:
    return {
        **_attempt_row(settlement, session, time),
        "outcome": AttemptOutcome.STALE,
        "done": 0,
        "failed": 0,
        "held": 0,
        "facts": json.dumps({}),
        # The same attempt may have been recorded before: its seconds are counted once.
        **asdict(Spent()),
    }
