"""What workers do, and have done lately, in views for those who run a fleet."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from storage.clock import now
from storage.keys import campaign_name
from storage.spent import USES
from storage.states import ChunkState, Stage
from storage.tables import attempts, campaigns, chunks


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """The renders of a campaign, or of its proofs, in the chunks that a worker has."""

    worker: str
    project: str
    campaign: str
    stage: Stage
    renders: int


class FleetWork:
    """The work of the fleet of one job database."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def under_way(self) -> list[UnderWay]:
        """In the order of workers and campaigns."""
        c = campaigns.c
        name = func.coalesce(c.version_of, c.name)
        query = (
            select(chunks.c.worker, c.project, name.label("name"), c.proof_of,
                   func.sum(chunks.c.total).label("renders"))
            .join(campaigns, c.id == chunks.c.campaign_id)
            .where(chunks.c.state == ChunkState.LEASED)
            .group_by(chunks.c.worker, c.id)
            .order_by(chunks.c.worker, c.id)
        )  # fmt: skip
        with self._reader.connect() as connection:
            return [
                UnderWay(
                    worker=row.worker,
                    project=row.project,
                    campaign=campaign_name(row.name),
                    stage=Stage.FINAL if row.proof_of is None else Stage.PROOF,
                    renders=int(row.renders),
                )
                for row in connection.execute(query)
            ]

    def use_of_pools(self, lately_s: float) -> tuple[float, dict[str, dict[str, float]]]:
        """Since when, in seconds since 1970, and of each pool the seconds by use (`USES`) of the
        attempts that have ended in the last `lately_s` seconds.
        """
        a = attempts.c
        with self._reader.connect() as connection:
            since = now(connection) - lately_s
            # Attempts are read from the newest back: there is no index over times.
            before = select(a.id).where(a.ended_at < since).order_by(a.id.desc()).limit(1)
            first = connection.execute(before).scalar() or 0
            query = (
                select(a.pool, *(func.sum(a[use]).label(use) for use in USES))
                .where(a.id > first)
                .group_by(a.pool)
                .order_by(a.pool)
            )
            rows = connection.execute(query).mappings().all()
        return since, {
            row["pool"] or "": {use: round(float(row[use]), 3) for use in USES} for row in rows
        }

    def model_names(self, digests: Collection[str]) -> dict[str, str]:
        """The names of models by their digests, as the last campaigns with them have them."""
        c = campaigns.c
        newest = select(func.max(c.id)).where(c.model_digest.in_(digests)).group_by(c.model_digest)
        query = select(c.model_digest, c.model).where(c.id.in_(newest))
        with self._reader.connect() as connection:
            return {row.model_digest: row.model for row in connection.execute(query)}
