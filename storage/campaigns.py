"""Campaigns and their renders in the job database: writing them down, and reading them back."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from sqlalchemy import Engine, Row, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage.errors import AlreadyThere, NotFound
from storage.rows import CampaignRow, NewCampaign, NewChunk, RenderOutcome, dump
from storage.states import ChunkState, Reason, RenderState
from storage.tables import campaigns, chunks, renders

_INSERT_AT_ONCE = 10_000
_READ_AT_ONCE = 5_000


class Campaigns:
    """The campaigns of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def add(self, new: NewCampaign, new_chunks: Iterable[NewChunk], now: float) -> CampaignRow:
        """Write a campaign with all its chunks, or nothing. Raises AlreadyThere where its project has one of that name."""
        values = {**asdict(new), "spec": dump(new.spec), "created_at": now}
        try:
            with self._engine.begin() as connection:
                campaign_id = connection.execute(insert(campaigns).returning(campaigns.c.id), values).scalar_one()
                series = iter(new_chunks)
                while batch := list(islice(series, _INSERT_AT_ONCE)):
                    rows = [{**asdict(chunk), "campaign_id": campaign_id, "state": ChunkState.QUEUED} for chunk in batch]
                    connection.execute(insert(chunks), rows)
        except IntegrityError as exc:
            raise AlreadyThere(f"Project {new.project} has a campaign {new.name} already.") from exc
        return self.get(new.project, new.name)

    def get(self, project: str, name: str) -> CampaignRow:
        """Raises NotFound where the project has no campaign of that name."""
        with self._reader.connect() as connection:
            row = connection.execute(_campaigns().where(campaigns.c.project == project, campaigns.c.name == name)).first()
        if row is None:
            raise NotFound(f"Project {project} has no campaign {name}: `farm list` shows those it has.")
        return _campaign(row)

    def by_id(self, campaign_id: int) -> CampaignRow:
        with self._reader.connect() as connection:
            return _campaign(connection.execute(_campaigns().where(campaigns.c.id == campaign_id)).one())

    def all(self, project: str | None = None) -> list[CampaignRow]:
        """All campaigns, the newest first."""
        query = _campaigns().order_by(campaigns.c.id.desc())
        if project is not None:
            query = query.where(campaigns.c.project == project)
        with self._reader.connect() as connection:
            return [_campaign(row) for row in connection.execute(query)]

    def halt(self, campaign_id: int, sentence: str) -> None:
        """Stop claiming a campaign's chunks until somebody has read why."""
        self._set_halted(campaign_id, sentence)

    def resume(self, campaign_id: int) -> None:
        self._set_halted(campaign_id, None)

    def outcomes(self, campaign_id: int) -> Iterator[tuple[RenderOutcome, int, str | None]]:
        """Every render that has ended, in the order of the expansion, with its attempts and worker; read in pages, so that no
        transaction stays open while a caller works.
        """
        last = -1
        while True:
            query = select(renders).where(renders.c.campaign_id == campaign_id, renders.c.number > last)
            with self._reader.connect() as connection:
                page = connection.execute(query.order_by(renders.c.number).limit(_READ_AT_ONCE)).all()
            for row in page:
                yield _outcome(row), row.attempts, row.worker
            if len(page) < _READ_AT_ONCE:
                return
            last = page[-1].number

    def failures(self, campaign_id: int, limit: int) -> list[RenderOutcome]:
        """The first renders that did not end well."""
        query = select(renders).where(renders.c.campaign_id == campaign_id, renders.c.state != RenderState.DONE)
        with self._reader.connect() as connection:
            return [_outcome(row) for row in connection.execute(query.order_by(renders.c.number).limit(limit))]

    def _set_halted(self, campaign_id: int, sentence: str | None) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(halted=sentence))


def _campaigns() -> Select[Any]:
    running = (
        select(func.coalesce(func.sum(chunks.c.total), 0))
        .where(chunks.c.campaign_id == campaigns.c.id, chunks.c.state == ChunkState.LEASED)
        .scalar_subquery()
    )
    return select(campaigns, running.label("running"))


def _campaign(row: Row[Any]) -> CampaignRow:
    values = dict(row._mapping)
    return CampaignRow(**{**values, "spec": json.loads(values["spec"])})


def _outcome(row: Row[Any]) -> RenderOutcome:
    return RenderOutcome(
        number=row.number,
        digest=row.digest,
        state=RenderState(row.state),
        reason=Reason(row.reason),
        detail=row.detail,
        key=row.key,
        pixels=row.pixels,
        bytes=row.bytes,
        numerics_class=row.numerics_class,
        seconds=row.seconds,
    )
