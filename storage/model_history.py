"""What attempts at a model's campaigns have shown, and how large its pictures became: what
estimates are made of.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, func, select

from storage.spent import USES, PastChunk, PastPace
from storage.states import RenderState
from storage.tables import attempts, campaigns, renders

Json = dict[str, Any]
_ATTEMPTS = 200
_CAMPAIGNS = 8  # the newest of the model, whose files are looked at
_FILES = 100  # of each of them


@dataclass(frozen=True, kw_only=True)
class UsedModel:
    """A model that campaigns have used: as the newest of them calls it, and what that is. Times
    are seconds since 1970.
    """

    digest: str
    name: str
    pipeline: str
    campaigns: int
    last_used_at: float


@dataclass(frozen=True, kw_only=True)
class StoredFiles:
    """Some pictures of one campaign: the bytes of each, by its number."""

    spec: Json = field(repr=False)
    bytes: dict[int, int]


class ModelHistory:
    """The history of models in one job database."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def used(self, projects: Collection[str] | None) -> list[UsedModel]:
        """The models of the campaigns of some projects, or with None of all, the last used first.
        Proofs count with their campaigns.
        """
        c = campaigns.c
        mine = c.pruned_at.is_(None) & c.proof_of.is_(None)
        chosen = mine if projects is None else mine & c.project.in_(projects)
        newest = (
            select(func.max(c.id).label("id"), func.count().label("campaigns"))
            .where(chosen)
            .group_by(c.model_digest)
            .subquery()
        )
        query = (
            select(c.model_digest, c.model, c.spec, c.created_at, newest.c.campaigns)
            .join(newest, newest.c.id == c.id)
            .order_by(c.id.desc())
        )
        with self._reader.connect() as connection:
            return [
                UsedModel(
                    digest=row.model_digest,
                    name=row.model,
                    pipeline=json.loads(row.spec).get("model", {}).get("pipeline", ""),
                    campaigns=row.campaigns,
                    last_used_at=row.created_at,
                )
                for row in connection.execute(query)
            ]

    def chunks(self, model_digest: str, limit: int = _ATTEMPTS) -> list[PastChunk]:
        """The last attempts that painted something of a model, the oldest first."""
        lately = _lately(model_digest)
        query = (
            select(attempts)
            .where(attempts.c.campaign_id.in_(lately), attempts.c.megapixel_steps > 0)
            .order_by(attempts.c.id.desc())
            .limit(limit)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [_chunk(row, model_digest) for row in reversed(rows)]

    def files(self, model_digest: str, encoding: str) -> Iterator[StoredFiles]:
        """Some of the newest pictures of a model that were written in an encoding."""
        newest = (
            select(campaigns.c.id, campaigns.c.spec)
            .where(
                campaigns.c.model_digest == model_digest,
                campaigns.c.encoding == encoding,
                campaigns.c.done > 0,
            )
            .order_by(campaigns.c.id.desc())
            .limit(_CAMPAIGNS)
        )
        with self._reader.connect() as connection:
            for row in connection.execute(newest).all():
                query = (
                    select(renders.c.number, renders.c.bytes)
                    .where(
                        renders.c.campaign_id == row.id,
                        renders.c.state == RenderState.DONE,
                        renders.c.bytes > 0,
                    )
                    .limit(_FILES)
                )
                found = connection.execute(query).all()
                yield StoredFiles(
                    spec=json.loads(row.spec),
                    bytes={one.number: one.bytes for one in found},
                )


def _lately(model_digest: str) -> Any:
    return (
        select(campaigns.c.id)
        .where(campaigns.c.model_digest == model_digest)
        .order_by(campaigns.c.id.desc())
        .limit(20)
    )


def _chunk(row: Any, model_digest: str) -> PastChunk:
    facts = json.loads(row["facts"])
    spent = {use: float(row[use]) for use in USES}
    pace = PastPace(
        campaign_id=row["campaign_id"],
        model=model_digest,
        worker=row["worker"],
        ended_at=row["ended_at"],
        given_s=sum(spent.values()),
        painted_s=sum(facts.get("batch_s", ())),
        renders=row["done"] + row["failed"] + row["held"],
        megapixel_steps=row["megapixel_steps"],
    )
    return PastChunk(
        pace=pace,
        pool=row["pool"] or "",
        shape=facts.get("shape", ""),
        numerics_class=facts.get("numerics_class", ""),
        loads=facts.get("loads", 0),
        load_s=facts.get("load_s", 0.0),
    )
