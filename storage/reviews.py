"""The log of decisions about renders, and what each of them changes in the queue."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    insert,
    literal_column,
    select,
    update,
)

from storage.bulk import insert_chunks
from storage.campaigns import chunk_row, with_proofs
from storage.clock import db_time
from storage.event_kinds import EventKind
from storage.failed_rules import fails_rule
from storage.held import follow_held
from storage.locking import locked_with_proofs
from storage.projects import Growing, freely
from storage.redoing import MakeRedos, add_redos
from storage.rows import CampaignRow, Chunk, NewChunk, dump
from storage.states import HELD_BY_RULE, ChunkState, RejectReason, RenderState, Verdict
from storage.tables import campaigns, chunks, renders, reviews
from storage.telling import tell_change
from storage.verdicts import (
    CODES,
    Decision,
    Numbers,
    Verdicts,
    fold,
    pack,
    step,
    unpack,
)

_AT_ONCE = 20_000
_SMALL = 500

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewDecision:
    """A decision as a client sends it. `client` and `sequence` name it: sent twice, it counts
    once.
    """

    client: str
    sequence: int
    verdict: Verdict | None
    undoes: int | None = None
    reason: RejectReason | None = None
    note: str | None = None
    reviewer: str | None = None
    chosen_by: Json


class Plan(Protocol):
    """How renders of a campaign are cut into chunks."""

    def chunks(self, numbers: Numbers) -> Iterable[NewChunk]: ...
    def numbers(self, chunk: Chunk) -> list[int]: ...


@dataclass(frozen=True)
class Outcome:
    """What a decision does: the renders that it is about, and sentences for the person."""

    numbers: Numbers
    answer: Json


Choose = Callable[[Verdicts, list[Decision]], Outcome]
"""Chooses the renders that a decision is about, given the verdicts and the log before it."""


class Reviews:
    """The decisions in one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def log(self, campaign_id: int) -> list[Decision]:
        """The decisions about a campaign's renders, in their order."""
        with self._reader.connect() as connection:
            return _log(connection, campaign_id)

    def verdicts(self, campaign: CampaignRow) -> Verdicts:
        """The verdicts on a campaign's renders; its proofs have those of their finals."""
        log = self.log(campaign.id if campaign.proof_of is None else campaign.proof_of)
        return fold(log)

    def decide(
        self,
        campaign_id: int,
        new: NewDecision,
        size: int,
        choose: Choose,
        plan: Plan,
        redo: MakeRedos | None = None,
        growing: Growing = freely,
    ) -> Json:
        """Write a decision and do what follows from it, in one transaction: renders that become
        approved are queued, those that are not approved any more are taken out of the queue as
        far as no worker has them. With `redo`, other pictures of the same cells are asked for, as
        far as `growing` lets the project.

        Returns what the client is told; a decision that was sent before gets the same answer, and
        changes nothing. One that is about no render is not written down. Raises NotFound if the
        campaign was removed, or replaced by another version.
        """
        with self._engine.begin() as connection:
            if redo is not None:
                growing(connection, 0)
            rows = locked_with_proofs(connection, campaign_id)
            row = next(row for row in rows if row.id == campaign_id)
            sent = _sent_before(connection, campaign_id, new)
            if sent is not None:
                return sent
            log = _log(connection, campaign_id)
            before = fold(log, size)
            outcome = choose(before, log)
            if not len(outcome.numbers):
                return outcome.answer
            entry = _entry(new, outcome)
            after = fold([*log, entry], size)
            answer = outcome.answer
            if row.released is not None:
                answer = {**answer, **_follow(connection, row, before, after, plan)}
            held = follow_held(connection, campaign_id, outcome.numbers, after, plan)
            answer = {**answer, **held}
            if redo is not None:
                growing(connection, len(outcome.numbers))
                redone = add_redos(connection, campaign_id, redo, outcome.numbers.tolist())
                answer = {**answer, "redone": redone}
            answer["entry"] = _write(connection, campaign_id, new, outcome, answer)
            _tell(connection, rows, campaign_id, new, answer, len(outcome.numbers))
            return answer

    def answer_to(self, campaign_id: int, new: NewDecision) -> Json | None:
        """What a client was told of a decision that it sent before; None if it did not."""
        with self._reader.connect() as connection:
            return _sent_before(connection, campaign_id, new)

    def ended(
        self, campaign_id: int, states: Collection[RenderState] = tuple(RenderState)
    ) -> Numbers:
        """The numbers of a campaign's renders that have ended in one of these states."""
        return self._numbers(campaign_id, renders.c.state.in_(list(states)))

    def held(self, campaign_id: int) -> Numbers:
        """Those that a rule holds for a person."""
        # The words that the index on renders that are not done is made with.
        is_held = literal_column("state <> 'done'") & (renders.c.state == RenderState.HELD)
        return self._numbers(campaign_id, is_held & renders.c.reason.in_(HELD_BY_RULE))

    def measured(
        self, campaign_id: int, *, drift_below: float | None = None, rule: str | None = None
    ) -> Numbers:
        """Those whose drift was measured and is below a limit, or that fail a rule of their
        brand; with neither, those that fail none of the rules that they were judged by.
        """
        if drift_below is not None:
            return self._numbers(campaign_id, renders.c.drift < drift_below)
        if rule is not None:
            return self._numbers(campaign_id, fails_rule(rule))
        passes = renders.c.rules_tested.is_not(None) & renders.c.rules_failed.is_(None)
        return self._numbers(campaign_id, passes)

    def _numbers(self, campaign_id: int, condition: ColumnElement[bool]) -> Numbers:
        """The numbers of a campaign's renders that fit, read in pages."""
        found, last = [np.empty(0, np.int64)], -1
        query = select(renders.c.number).where(renders.c.campaign_id == campaign_id, condition)
        while True:
            with self._reader.connect() as connection:
                page = (
                    connection.execute(
                        query.where(renders.c.number > last)
                        .order_by(renders.c.number)
                        .limit(_AT_ONCE)
                    )
                    .scalars()
                    .all()
                )
            found.append(np.fromiter(page, np.int64, len(page)))
            if len(page) < _AT_ONCE:
                return np.concatenate(found)
            last = page[-1]


def _sent_before(connection: Connection, campaign_id: int, new: NewDecision) -> Json | None:
    query = select(reviews.c.answer, reviews.c.id).where(
        reviews.c.campaign_id == campaign_id,
        reviews.c.client == new.client,
        reviews.c.sequence == new.sequence,
    )
    row = connection.execute(query).first()
    return None if row is None else {**json.loads(row.answer), "entry": int(row.id)}


def _log(connection: Connection, campaign_id: int) -> list[Decision]:
    query = select(reviews).where(reviews.c.campaign_id == campaign_id).order_by(reviews.c.id)
    return [_decision(row) for row in connection.execute(query)]


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=row.id,
        verdict=None if row.verdict is None else Verdict(row.verdict),
        undoes=row.undoes,
        reason=None if row.reason is None else RejectReason(row.reason),
        note=row.note,
        reviewer=row.reviewer,
        chosen_by=json.loads(row.chosen_by),
        numbers=unpack(row.numbers),
        count=row._mapping["count"],
        decided_at=row.decided_at,
    )


def _entry(new: NewDecision, outcome: Outcome) -> Decision:
    """The decision as it would stand in the log, after all others."""
    return Decision(
        id=-1,
        verdict=new.verdict,
        undoes=new.undoes,
        reason=new.reason,
        note=new.note,
        reviewer=new.reviewer,
        chosen_by=new.chosen_by,
        numbers=outcome.numbers,
        count=len(outcome.numbers),
        decided_at=0.0,
    )


def _write(
    connection: Connection, campaign_id: int, new: NewDecision, outcome: Outcome, answer: Json
) -> int:
    values = {
        "campaign_id": campaign_id,
        "client": new.client,
        "sequence": new.sequence,
        "verdict": new.verdict,
        "undoes": new.undoes,
        "reason": new.reason,
        "note": new.note,
        "reviewer": new.reviewer,
        "chosen_by": dump(new.chosen_by),
        "numbers": pack(outcome.numbers),
        "count": len(outcome.numbers),
        "answer": dump(answer),
        "decided_at": db_time(),
    }
    statement = insert(reviews).values(values).returning(reviews.c.id)
    return int(connection.execute(statement).scalar_one())


def _tell(
    connection: Connection,
    rows: Sequence[Row[Any]],
    campaign_id: int,
    new: NewDecision,
    answer: Json,
    count: int,
) -> None:
    """Note a decision, and what it has made of the campaign and of its proofs."""
    shown = ("verdict", "undoes", "reason", "reviewer")
    said = {name: getattr(new, name) for name in shown if getattr(new, name) is not None}
    data = {"entry": answer["entry"], "renders": count, **said}
    if "redone" in answer:
        data["redone"] = len(answer["redone"])
    for row in rows:
        kind = EventKind.REVIEW_DECIDED if row.id == campaign_id else None
        tell_change(connection, row, kind, data)


def _follow(
    connection: Connection, row: Row[Any], before: Verdicts, after: Verdicts, plan: Plan
) -> Json:
    """Bring the queue and the counts of a campaign with proofs into line with new verdicts. Its
    row is locked.
    """
    change = step(before, after)
    is_first = row.version == 1  # another one keeps finals that nobody has approved there yet
    known = change.changed[before.were_approved[change.changed]] if is_first else change.changed
    released = _released(connection, row.id, known, plan)
    withdrawn = _withdraw(connection, row.id, np.intersect1d(change.withdraw, released), plan)
    new = np.setdiff1d(change.approve, released, assume_unique=True)
    insert_chunks(connection, row.id, plan.chunks(new))
    rejected = CODES[Verdict.REJECTED]
    was_left = change.changed[before.codes[change.changed] == rejected]
    is_left = change.changed[after.codes[change.changed] == rejected]
    released_after = np.setdiff1d(np.union1d(released, new), withdrawn, assume_unique=True)
    values: Json = {
        "released": row.released + len(new) - len(withdrawn),
        "rejected": row.rejected
        + len(np.setdiff1d(is_left, released_after, assume_unique=True))
        - len(np.setdiff1d(was_left, released, assume_unique=True)),
        "numerics_class": row.numerics_class or _class_of_proofs(connection, row.id),
    }
    ended = row.done + row.failed + row.held + row.cancelled + values["rejected"]
    values["finished_at"] = (row.finished_at or db_time()) if ended >= row.total else None
    connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(**values))
    kept = len(change.withdraw) - len(withdrawn)
    return {"queued": len(new), "withdrawn": len(withdrawn), "painted_all_the_same": kept}


def _class_of_proofs(connection: Connection, campaign_id: int) -> str | None:
    """The finals are painted by workers of the class that painted the proofs."""
    query = select(campaigns.c.numerics_class).where(
        with_proofs(campaign_id), campaigns.c.proof_of.is_not(None)
    )
    return connection.execute(query).scalar()


def _released(connection: Connection, campaign_id: int, numbers: Numbers, plan: Plan) -> Numbers:
    """Those of these renders that are painted, or wait in a chunk, or are with a worker."""
    if not len(numbers):
        return numbers
    query = select(renders.c.number).where(renders.c.campaign_id == campaign_id)
    if len(numbers) <= _SMALL:
        query = query.where(renders.c.number.in_(numbers.tolist()))
    there = set(connection.execute(query).scalars())
    for chunk in _chunks(connection, campaign_id, ChunkState.QUEUED, ChunkState.LEASED):
        there.update(plan.numbers(chunk))
    return np.array([number for number in numbers.tolist() if number in there], np.int64)


def _withdraw(connection: Connection, campaign_id: int, numbers: Numbers, plan: Plan) -> Numbers:
    """Take renders out of the chunks that no worker has; returns those that were in one."""
    if not len(numbers):
        return numbers
    unwanted, gone = set(numbers.tolist()), []
    for chunk in _chunks(connection, campaign_id, ChunkState.QUEUED):
        inside = plan.numbers(chunk)
        rest = tuple(number for number in inside if number not in unwanted)
        if len(rest) == len(inside):
            continue
        gone += [number for number in inside if number in unwanted]
        connection.execute(
            update(chunks).where(chunks.c.id == chunk.id).values(state=ChunkState.CANCELLED)
        )
        if rest:
            insert_chunks(connection, campaign_id, [_without(chunk, rest)])
    return np.array(sorted(gone), np.int64)


def _without(chunk: Chunk, rest: tuple[int, ...]) -> NewChunk:
    return NewChunk(
        group_no=chunk.group_no,
        numbers=rest,
        total=len(rest),
        lease=chunk.lease,
        failures=chunk.failures,
        losses=chunk.losses,
        bad_outputs=chunk.bad_outputs,
    )


def _chunks(connection: Connection, campaign_id: int, *states: ChunkState) -> list[Chunk]:
    query = select(chunks).where(chunks.c.campaign_id == campaign_id, chunks.c.state.in_(states))
    locked = query.order_by(chunks.c.id).with_for_update()
    return [chunk_row(row) for row in connection.execute(locked)]
