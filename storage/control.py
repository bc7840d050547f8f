"""Changes that people make to existing campaigns. Each is safe while the farm runs, and has the
same effect when it is made twice.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row, case, delete, func, select, update

from storage.bulk import carry_over, insert_chunks
from storage.campaigns import NAME_LEFT, with_proofs
from storage.clock import db_time
from storage.errors import Conflict
from storage.event_kinds import EventKind
from storage.inserting import insert_campaign, insert_proofs
from storage.links import end_links
from storage.locking import locked, locked_with_proofs
from storage.projects import Within, always
from storage.rows import ANY_CLASS, NewCampaign, NewChunk, RenderOutcome
from storage.settling import cancel_queued
from storage.states import HELD_BY_RULE, ChunkState, RenderState, moved
from storage.tables import campaigns, chunks, renders
from storage.telling import tell, tell_change, tell_end

_AT_ONCE = 10_000


class Control:
    """Changes to the campaigns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def pause(self, campaign_id: int) -> None:
        """Claim none of its chunks any more; leased chunks are finished."""
        paused_at = func.coalesce(campaigns.c.paused_at, db_time())
        with self._set(campaign_id, paused_at=paused_at) as (connection, rows):
            if any(row.paused_at is None for row in rows):
                tell(connection, rows[0], EventKind.CAMPAIGN_PAUSED)

    def resume(self, campaign_id: int) -> None:
        """Let a campaign go on, whether it was paused, halted or waits."""
        no_marks = {"paused_at": None, "halted": None, "waits_until": None, "waits_why": None}
        with self._set(campaign_id, waits=0, **no_marks) as (connection, rows):
            if any(row.paused_at or row.halted or row.waits for row in rows):
                was = {"paused": any(row.paused_at for row in rows), "stopped": rows[0].halted}
                tell(connection, rows[0], EventKind.CAMPAIGN_RESUMED, before=was)

    def set_priority(self, campaign_id: int, priority: int) -> None:
        with self._set(campaign_id, priority=priority) as (connection, rows):
            if any(row.priority != priority for row in rows):
                data, before = {"priority": priority}, rows[0].priority
                tell(
                    connection, rows[0], EventKind.CAMPAIGN_PRIORITY, data,
                    before=before, after=priority,
                )  # fmt: skip

    def cancel(self, campaign_id: int) -> None:
        """Paint nothing more of it. Leased chunks end with their batch; renders that are done stay
        done.
        """
        with self._engine.begin() as connection:
            rows = locked_with_proofs(connection, campaign_id)
            left = [row for row in rows if row.finished_at is None and row.cancelled_at is None]
            for row in left:
                kind = EventKind.CAMPAIGN_CANCELLED if row is left[0] else None
                _cancel(connection, row, kind)

    def retry(
        self,
        campaign_id: int,
        states: Iterable[RenderState],
        plan: Callable[[Sequence[int], int], Iterable[NewChunk]],
        only: int | None = None,
    ) -> int:
        """Queue renders that failed or are held again, all or one; returns how many. `plan` makes
        chunks of their numbers and the attempts that they have had.
        """
        again = (renders.c.campaign_id == campaign_id) & renders.c.state.in_(list(states))
        if only is not None:
            again &= renders.c.number == only
        with self._engine.begin() as connection:
            row = locked(connection, campaign_id)
            if row.cancelled_at is not None:
                raise Conflict(
                    f"The campaign {row.name} was cancelled: submit it under another name."
                )
            gone = connection.execute(
                delete(renders)
                .where(again)
                .returning(renders.c.number, renders.c.state, renders.c.reason, renders.c.attempts)
            ).all()
            for render in gone:
                moved(RenderState(render.state), RenderState.QUEUED)
            if gone:
                tries = max(render.attempts for render in gone)
                insert_chunks(
                    connection, campaign_id, plan(sorted(render.number for render in gone), tries)
                )
                failed = sum(render.state == RenderState.FAILED for render in gone)
                values = {
                    "failed": row.failed - failed,
                    "held": row.held - (len(gone) - failed),
                    "held_by_rule": row.held_by_rule - _held_by_rule(gone),
                    "finished_at": None,
                    "halted": None,
                }
                connection.execute(
                    update(campaigns).where(campaigns.c.id == campaign_id).values(**values)
                )
                tell_change(connection, row, EventKind.CAMPAIGN_RETRIED, {"renders": len(gone)})
            return len(gone)

    def replace(
        self,
        campaign_id: int,
        new: NewCampaign,
        kept: Sequence[tuple[int, int]],
        new_chunks: Iterable[NewChunk],
        proofs: tuple[NewCampaign, Iterable[NewChunk]] | None = None,
        within: Within = always,
    ) -> bool:
        """Put another version in a campaign's place: `kept` names, as (new number, old number),
        the renders that stay as they are. The proofs of the version before go with it. Nothing is
        changed if `within` raises.

        False, and nothing is changed, if some of those are not there any more: somebody has asked
        for another try of them.
        """
        with self._engine.begin() as connection:
            within(connection)  # a project is locked before its campaigns
            old = locked(connection, campaign_id)
            is_another = old.fingerprint != new.fingerprint
            _retire(connection, old, is_another=is_another)
            old_proofs = _retired_proofs(connection, old)
            history = {
                name: getattr(old, name)
                for name in ("device_s", "money", "created_at", "started_at", "paused_at")
            }
            history["version"] = old.version + is_another
            if kept and new.numerics_class is None and old.numerics_class != ANY_CLASS:
                history["numerics_class"] = old.numerics_class  # the kept renders are of that
            new_id = insert_campaign(
                connection, new, replaces=_still_painted(connection, old), **history
            )
            for k in range(0, len(kept), _AT_ONCE):
                carry_over(connection, old.id, new_id, kept[k : k + _AT_ONCE])
            counts, by_rule = _counts(connection, new_id)
            if sum(counts.values()) != len(kept):
                connection.rollback()
                return False
            insert_chunks(connection, new_id, new_chunks)
            before = None if old_proofs is None else _still_painted(connection, old_proofs)
            insert_proofs(connection, new_id, proofs, replaces=before, **history)
            values: dict[str, Any] = {**counts, "held_by_rule": by_rule}
            if new.released is not None:
                values["released"] = len(kept)
            if len(kept) == new.total:
                values["finished_at"] = db_time()
            connection.execute(update(campaigns).where(campaigns.c.id == new_id).values(**values))
            _tell_update(connection, old, new_id, counts)
        return True

    def record_file(self, campaign_id: int, written: RenderOutcome) -> None:
        """Note that a render's file was written again, of the same pixels and with other bytes."""
        same = (
            (renders.c.campaign_id == campaign_id)
            & (renders.c.number == written.number)
            & (renders.c.pixels == written.pixels)
        )
        with self._engine.begin() as connection:
            connection.execute(
                update(renders).where(same).values(sha256=written.sha256, bytes=written.bytes)
            )

    def forget(self, campaign_id: int) -> None:
        """Let nobody see a campaign any more; the next `prune` removes its rows."""
        with self._set(campaign_id, name=NAME_LEFT, pruned_at=db_time()) as (connection, rows):
            end_links(connection, rows[0].project, rows[0].name)
            if any(row.pruned_at is None for row in rows):
                tell(connection, rows[0], EventKind.CAMPAIGN_PRUNED)

    @contextmanager
    def _set(
        self, campaign_id: int, **values: Any
    ) -> Iterator[tuple[Connection, Sequence[Row[Any]]]]:
        """Change a campaign and its proofs; gives the transaction, and the rows as they were."""
        query = select(campaigns).where(with_proofs(campaign_id)).order_by(campaigns.c.id)
        with self._engine.begin() as connection:
            rows = connection.execute(query.with_for_update()).all()
            ids = [row.id for row in rows]
            connection.execute(update(campaigns).where(campaigns.c.id.in_(ids)).values(**values))
            yield connection, rows


def _tell_update(
    connection: Connection, old: Row[Any], new_id: int, counts: dict[str, int]
) -> None:
    new = connection.execute(select(campaigns).where(campaigns.c.id == new_id)).one()
    shown = ("version", "total", "priority", "model", "fingerprint")
    tell(
        connection,
        new,
        EventKind.CAMPAIGN_UPDATED,
        {
            "replaces": old.id,
            "version": new.version,
            "total": new.total,
            "kept": sum(counts.values()),
        },
        counts=counts,
        before={name: getattr(old, name) for name in shown},
        after={name: getattr(new, name) for name in shown},
    )
    if new.finished_at is not None:
        tell_end(connection, new)


def _cancel(connection: Connection, row: Row[Any], kind: EventKind | None) -> None:
    """Renders that nobody has decided about are cancelled too. An event of that kind says so."""
    undecided = 0 if row.released is None else row.total - row.released - row.rejected
    values = {
        "cancelled_at": db_time(),
        "cancelled": row.cancelled + undecided,
        "released": None if row.released is None else row.released + undecided,
    }
    connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(**values))
    if kind is not None:
        tell(connection, row, kind, counts={"cancelled": undecided})
    cancel_queued(connection, [row.id])


def _retire(connection: Connection, old: Row[Any], *, is_another: bool) -> None:
    """Take a campaign out of its place. The same campaign painted again is the same version: it
    differs in nothing, and the one before it is not kept as a version.

    Its leased chunks go on until their workers have stopped, and count for nobody. Until then no
    chunk of the new version is claimed, since both write to the same places.
    """
    retired = {
        "name": NAME_LEFT,
        "pruned_at": db_time(),
        "version_of": old.name if is_another else None,
    }
    connection.execute(update(campaigns).where(campaigns.c.id == old.id).values(retired))
    queued = (chunks.c.campaign_id == old.id) & (chunks.c.state == ChunkState.QUEUED)
    connection.execute(update(chunks).where(queued).values(state=ChunkState.CANCELLED))


def _retired_proofs(connection: Connection, old: Row[Any]) -> Row[Any] | None:
    """Take the proofs of a campaign out of their place; their row as it was, if there is one."""
    query = select(campaigns).where(campaigns.c.proof_of == old.id).with_for_update()
    proofs = connection.execute(query).first()
    if proofs is not None:
        _retire(connection, proofs, is_another=False)
    return proofs


def _held_by_rule(rows: Sequence[Any]) -> int:
    return sum(row.state == RenderState.HELD and row.reason in HELD_BY_RULE for row in rows)


def _counts(connection: Connection, campaign_id: int) -> tuple[dict[str, int], int]:
    """How many renders of a campaign have ended, by state, and how many a rule holds."""
    is_held = (renders.c.state == RenderState.HELD) & renders.c.reason.in_(HELD_BY_RULE)
    query = (
        select(
            renders.c.state,
            func.count().label("number"),
            func.sum(case((is_held, 1), else_=0)).label("by_rule"),
        )
        .where(renders.c.campaign_id == campaign_id)
        .group_by(renders.c.state)
    )
    rows = {row.state: row for row in connection.execute(query)}
    ends = [state.value for state in (RenderState.DONE, RenderState.FAILED, RenderState.HELD)]
    counts = {state: int(rows[state].number) if state in rows else 0 for state in ends}
    return counts, sum(int(row.by_rule) for row in rows.values())


def _still_painted(connection: Connection, old: Row[Any]) -> int | None:
    """The version whose workers have to stop first: the one being replaced, or one that this
    itself still waits for.
    """
    leased = (
        select(chunks.c.id)
        .where(chunks.c.campaign_id == old.id, chunks.c.state == ChunkState.LEASED)
        .limit(1)
    )
    return old.replaces if connection.execute(leased).first() is None else int(old.id)
