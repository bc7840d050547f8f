"""Campaigns and their renders in the job database: writing them down, and reading them back."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Engine,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    String,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from storage.bulk import insert_chunks
from storage.clock import db_time
from storage.costs import Prices, money_of, prices_of
from storage.errors import AlreadyThere, Conflict, NotFound
from storage.inserting import insert_campaign, insert_proofs, tell_submitted
from storage.projects import Within, always
from storage.rows import CampaignRow, Chunk, NewCampaign, NewChunk, ProofCounts, RenderOutcome
from storage.states import ChunkState, Reason, RenderState
from storage.tables import campaigns, chunks, renders, sessions
from storage.telling import stop

_READ_AT_ONCE = 5_000

# A campaign that is replaced or forgotten frees its name; no campaign can have such a name.
NAME_LEFT = campaigns.c.name + "~" + cast(campaigns.c.id, String)
HAS_LEFT = campaigns.c.pruned_at.is_not(None) & campaigns.c.name.like("%~%")
# A campaign that is removed with its pictures keeps its name until they are deleted.
IS_LEAVING = campaigns.c.pruned_at.is_not(None) & campaigns.c.name.not_like("%~%")

_proofs = campaigns.alias("proofs")
_PROOF_COLUMNS = (
    "id", "total", "done", "failed", "held", "cancelled", "started_at", "megapixel_steps",
)  # fmt: skip


def with_proofs(campaign_id: int) -> ColumnElement[bool]:
    """Chooses the row of a campaign and that of its proofs, given either of them."""
    whole = select(func.coalesce(_proofs.c.proof_of, _proofs.c.id)).where(
        _proofs.c.id == campaign_id
    )
    mine = whole.scalar_subquery()
    return or_(campaigns.c.id == mine, campaigns.c.proof_of == mine)


class Campaigns:
    """The campaigns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def add(
        self,
        new: NewCampaign,
        new_chunks: Iterable[NewChunk],
        proofs: tuple[NewCampaign, Iterable[NewChunk]] | None = None,
        within: Within = always,
    ) -> CampaignRow:
        """Write a campaign with all its chunks, and its proofs with theirs, or nothing: not if
        `within` raises, which finds it there. Raises AlreadyThere if there is one of that name.
        """
        try:
            with self._engine.begin() as connection:
                campaign_id = insert_campaign(connection, new)
                within(connection)
                insert_chunks(connection, campaign_id, new_chunks)
                insert_proofs(connection, campaign_id, proofs)
                tell_submitted(connection, campaign_id, new, proofs and proofs[0])
        except IntegrityError as exc:
            raise AlreadyThere(f"{new.project} has a campaign {new.name} already.") from exc
        return self.get(new.project, new.name)

    def get(self, project: str, name: str) -> CampaignRow:
        """Raises NotFound if the project has no campaign of that name, Conflict if it is being
        removed.
        """
        mine = (campaigns.c.project == project) & (campaigns.c.name == name)
        with self._reader.connect() as connection:
            row = connection.execute(stored().where(mine, ~HAS_LEFT)).first()
        if row is None:
            raise NotFound(
                f"Project {project} has no campaign {name}: `farm list` shows those it has."
            )
        if row.pruned_at is not None:
            raise Conflict(
                f"The campaign {name} is being removed with its pictures. `farm prune {name}`"
                " finishes a removal that was broken off; then the name can be used again."
            )
        return campaign_of(row)

    def version(self, project: str, name: str, number: int) -> CampaignRow:
        """A version of a campaign, the present one or one that was replaced, under the campaign's
        name. Raises NotFound, with those that there are, if there is none of that number.
        """
        self.get(
            project, name
        )  # those of a campaign that is being removed cannot be read: their pictures go too
        found = {row.version: row for row in self.versions(project, name)}
        if number in found:
            return found[number]
        raise NotFound(
            f"The campaign {name} has no version {number}: there are {', '.join(map(str, found))}."
        )

    def versions(self, project: str, name: str) -> list[CampaignRow]:
        """The versions of a campaign that can be read, the oldest first, all under the campaign's
        name.
        """
        mine = or_(
            campaigns.c.version_of == name,
            (campaigns.c.name == name) & campaigns.c.pruned_at.is_(None),
        )
        query = stored().where(campaigns.c.project == project, mine).order_by(campaigns.c.id)
        with self._reader.connect() as connection:
            found = [campaign_of(row) for row in connection.execute(query)]
        return [_to_be_read(row, name) for row in found]

    def by_id(self, campaign_id: int, *, also_replaced: bool = False) -> CampaignRow:
        """Raises NotFound if the campaign was removed, or unless asked for those, replaced."""
        query = stored() if also_replaced else _campaigns()
        with self._reader.connect() as connection:
            row = connection.execute(query.where(campaigns.c.id == campaign_id)).first()
        return _still_there(row)

    def all(self, project: str | None = None, *, only_open: bool = False) -> list[CampaignRow]:
        """All campaigns, the newest first, without their specs; those that are being removed with
        their pictures too. With `only_open`, those that are not over.
        """
        query = (
            stored(with_spec=False)
            .where(~HAS_LEFT, campaigns.c.proof_of.is_(None))
            .order_by(campaigns.c.id.desc())
        )
        if project is not None:
            query = query.where(campaigns.c.project == project)
        if only_open:
            is_open = campaigns.c.finished_at.is_(None) & campaigns.c.pruned_at.is_(None)
            query = query.where(is_open)
        with self._reader.connect() as connection:
            return [campaign_of(row) for row in connection.execute(query)]

    def proofs_of(self, campaign: CampaignRow) -> CampaignRow:
        """The row of a campaign's proofs. Raises NotFound if it was submitted without."""
        query = stored().where(campaigns.c.proof_of == campaign.id)
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(
                f"The campaign {campaign.name} has no proofs: `proof:` in its file asks for them."
            )
        return campaign_of(row)

    def ended_unheard(self, session: int, margin_s: float) -> list[int]:
        """The ids of campaigns that ended since `margin_s` seconds before the last heartbeat of
        the session before: their manifests may not have been written.
        """
        last_heard = (
            select(func.max(sessions.c.heartbeat_at))
            .where(sessions.c.id < session)
            .scalar_subquery()
        )
        query = select(campaigns.c.id).where(
            campaigns.c.finished_at >= last_heard - margin_s, campaigns.c.pruned_at.is_(None)
        )
        with self._reader.connect() as connection:
            return list(connection.execute(query.order_by(campaigns.c.id)).scalars())

    def halt(self, campaign_id: int, sentence: str) -> None:
        """Stop claiming chunks of a campaign and of its proofs until somebody has read why."""
        with self._engine.begin() as connection:
            stop(connection, with_proofs(campaign_id), sentence)

    def note_refusals(self, refusals: Mapping[int, str | None]) -> None:
        """Write down the rules that keep campaigns waiting, by their ids; None if nothing does."""
        note = (
            update(campaigns)
            .where(campaigns.c.id == bindparam("campaign"))
            .values(refusal=bindparam("rule"))
        )
        with self._engine.begin() as connection:
            connection.execute(
                note, [{"campaign": number, "rule": rule} for number, rule in refusals.items()]
            )

    def outcomes(
        self, campaign_id: int, *, after: int = -1
    ) -> Iterator[tuple[RenderOutcome, int, str | None]]:
        """Every render that has ended, of those with numbers beyond `after`, in the order of the
        expansion, with its attempts and worker; read in pages, so that no transaction stays open
        while a caller works.
        """
        last, prices = after, None
        while True:
            query = select(renders).where(
                renders.c.campaign_id == campaign_id, renders.c.number > last
            )
            with self._reader.connect() as connection:
                if prices is None:
                    prices = prices_of(connection, campaign_id)
                page = connection.execute(
                    query.order_by(renders.c.number).limit(_READ_AT_ONCE)
                ).all()
            for row in page:
                yield outcome_of(row, prices), row.attempts, row.worker
            if len(page) < _READ_AT_ONCE:
                return
            last = page[-1].number

    def judged(self, campaign_id: int) -> Iterator[RenderOutcome]:
        """Every render whose picture was judged by the rules of its brand."""
        for outcome, _, _ in self.outcomes(campaign_id):
            if outcome.rules_tested is not None:
                yield outcome

    def under_way(self, campaign_id: int) -> list[Chunk]:
        """The chunks that workers have."""
        query = select(chunks).where(
            chunks.c.campaign_id == campaign_id, chunks.c.state == ChunkState.LEASED
        )
        with self._reader.connect() as connection:
            return [chunk_row(row) for row in connection.execute(query.order_by(chunks.c.id))]

    def failures(self, campaign_id: int, limit: int) -> list[RenderOutcome]:
        """The first renders that did not end well."""
        query = select(renders).where(
            renders.c.campaign_id == campaign_id, renders.c.state != literal_column("'done'")
        )
        with self._reader.connect() as connection:
            return [
                outcome_of(row)
                for row in connection.execute(query.order_by(renders.c.number).limit(limit))
            ]

    def outcome(
        self, campaign_id: int, number: int
    ) -> tuple[RenderOutcome, int, str | None] | None:
        """How one render ended, with its attempts and worker; None while it has not."""
        query = select(renders).where(
            renders.c.campaign_id == campaign_id, renders.c.number == number
        )
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
            prices = {} if row is None else prices_of(connection, campaign_id, row.worker or "")
        return None if row is None else (outcome_of(row, prices), row.attempts, row.worker)

    def outcomes_of(self, campaign_id: int, numbers: Collection[int]) -> list[RenderOutcome]:
        """How those of these renders ended that have."""
        query = select(renders).where(
            renders.c.campaign_id == campaign_id, renders.c.number.in_(numbers)
        )
        with self._reader.connect() as connection:
            return [outcome_of(row) for row in connection.execute(query)]

    def digests(self, campaign_id: int, numbers: Collection[int]) -> dict[int, str]:
        """The recipes' digests of those of these renders that have ended, by number."""
        query = select(renders.c.number, renders.c.digest).where(
            renders.c.campaign_id == campaign_id, renders.c.number.in_(numbers)
        )
        with self._reader.connect() as connection:
            return {row.number: row.digest for row in connection.execute(query)}

    def chunk_of(
        self, campaign_id: int, group_no: int, ordinal: int, number: int
    ) -> tuple[ChunkState, Chunk, int] | None:
        """The chunk that has a render (by its ordinal in its group, and its number), and how many
        others are before it.
        """
        mine = (chunks.c.campaign_id == campaign_id) & chunks.c.state.in_(
            (ChunkState.QUEUED, ChunkState.LEASED)
        )
        runs = select(chunks).where(
            mine, chunks.c.group_no == group_no, chunks.c.start <= ordinal, ordinal < chunks.c.stop
        )
        with self._reader.connect() as connection:
            found = connection.execute(runs.where(chunks.c.numbers.is_(None)).limit(1)).first()
            if found is None:
                named = connection.execute(
                    select(chunks).where(mine, chunks.c.numbers.is_not(None))
                )
                found = next((row for row in named if number in json.loads(row.numbers)), None)
            if found is None:
                return None
            ahead = select(func.count()).select_from(chunks)
            ahead = ahead.where(
                chunks.c.campaign_id == campaign_id,
                chunks.c.state == ChunkState.QUEUED,
                chunks.c.id < found.id,
            )
            return (
                ChunkState(found.state),
                chunk_row(found),
                int(connection.execute(ahead).scalar_one()),
            )


def chunk_row(row: Row[Any]) -> Chunk:
    fields = {name: row._mapping[name] for name in Chunk.__dataclass_fields__}
    return Chunk(
        **{**fields, "numbers": None if row.numbers is None else tuple(json.loads(row.numbers))}
    )


def _still_there(row: Row[Any] | None) -> CampaignRow:
    if row is None:
        raise NotFound("The campaign is not there any more: `farm list` shows those that are.")
    return campaign_of(row)


def _campaigns(*, with_spec: bool = True) -> Select[Any]:
    return stored(with_spec=with_spec).where(campaigns.c.pruned_at.is_(None))


def stored(*, with_spec: bool = True) -> Select[Any]:
    """The query for all campaigns, including those that nobody sees any more."""
    columns = [
        column if with_spec or column.name != "spec" else literal_column("'{}'").label("spec")
        for column in campaigns.c
    ]
    counts = [_proofs.c[name].label(f"proofs_{name}") for name in _PROOF_COLUMNS]
    return select(
        *columns,
        _running(campaigns).label("running"),
        *counts,
        _running(_proofs).label("proofs_running"),
        db_time().label("now"),
    ).select_from(campaigns.outerjoin(_proofs, _proofs.c.proof_of == campaigns.c.id))


def _running(of: FromClause) -> ScalarSelect[Any]:
    return (
        select(func.coalesce(func.sum(chunks.c.total), 0))
        .where(chunks.c.campaign_id == of.c.id, chunks.c.state == ChunkState.LEASED)
        .scalar_subquery()
    )


def _to_be_read(row: CampaignRow, name: str) -> CampaignRow:
    """A version under its campaign's name: what a replaced one has not painted, nobody wants any
    more.
    """
    if row.pruned_at is None:
        return row
    unpainted = row.total - row.done - row.failed - row.held - row.rejected
    return replace(
        row,
        name=name,
        cancelled=unpainted,
        released=None if row.released is None else row.total - row.rejected,
        running=0,
        cancelled_at=row.cancelled_at or row.pruned_at,
    )


def campaign_of(row: Row[Any]) -> CampaignRow:
    values = dict(row._mapping)
    counts = {name: values.pop(f"proofs_{name}") for name in (*_PROOF_COLUMNS, "running")}
    proofs = None if counts["id"] is None else ProofCounts(**counts)
    # A list has a thousand of them, twice. The constructor of a frozen class sets each of its 45
    # fields by a call of its own: 20 µs of 31.
    campaign = object.__new__(CampaignRow)
    vars(campaign).update(values, spec=json.loads(values["spec"]), proofs=proofs)
    return campaign


def outcome_of(row: Row[Any], prices: Prices | None = None) -> RenderOutcome:
    """A render that has ended; `prices` tell what it has cost."""
    return RenderOutcome(
        number=row.number,
        digest=row.digest,
        state=RenderState(row.state),
        reason=Reason(row.reason),
        detail=row.detail,
        key=row.key,
        pixels=row.pixels,
        bytes=row.bytes,
        sha256=row.sha256,
        numerics_class=row.numerics_class,
        seconds=row.seconds,
        money=money_of(row, prices or {}),
        rules_tested=row.rules_tested,
        rules_failed=tuple(row.rules_failed.split(",")) if row.rules_failed else (),
        drift=row.drift,
        thumbnail=row.thumbnail,
        finished_at=row.finished_at,
    )
