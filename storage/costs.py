"""What attempts have cost, added up by the database: by campaign, stage and pool."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, case, func, or_, select

from storage.spent import USES, CostRow
from storage.states import RenderState
from storage.tables import attempts, campaigns, renders

_finals = campaigns.alias("finals")


class Costs:
    """The costs that one job database has recorded."""

    def __init__(self, engine: Engine) -> None:
        self._reader = engine.execution_options(readonly=True)

    def of_campaign(self, project: str, name: str) -> list[CostRow]:
        """The costs of a campaign, of its proofs, and of the versions that it has replaced."""
        return self._of(_is_called(project, name))

    def of_project(self, project: str, since: float | None) -> list[CostRow]:
        """The costs of all campaigns of a project, of the attempts that ended since then."""
        mine = _campaigns_of(project)
        return self._of(mine if since is None else mine & (attempts.c.ended_at >= since))

    def rejected_s(self, project: str, name: str) -> float:
        """The device time of pictures that were painted and then rejected."""
        query = (
            select(func.coalesce(func.sum(renders.c.seconds), 0.0))
            .join(campaigns, campaigns.c.id == renders.c.campaign_id)
            .join(_finals, _finals.c.id == _whole(), isouter=True)
            .where(_is_called(project, name), renders.c.state == RenderState.REJECTED)
        )
        with self._reader.connect() as connection:
            return float(connection.execute(query).scalar_one())

    def _of(self, mine: ColumnElement[bool]) -> list[CostRow]:
        a = attempts.c
        name = func.coalesce(_finals.c.version_of, _finals.c.name).label("campaign")
        is_proof = case((campaigns.c.proof_of.is_(None), 0), else_=1).label("is_proof")
        sums: Sequence[ColumnElement[Any]] = [
            func.coalesce(func.sum(a[use]), 0.0).label(use) for use in USES
        ] + [func.coalesce(func.sum(a[use] * a.price), 0.0).label(f"{use}_price") for use in USES]
        query = (
            select(
                name,
                is_proof,
                a.pool,
                func.count(a.price).label("priced"),
                func.count().label("attempts"),
                func.sum(a.done).label("done"),
                func.sum(a.held).label("held"),
                *sums,
            )
            .select_from(attempts.join(campaigns, campaigns.c.id == a.campaign_id))
            .join(_finals, _finals.c.id == _whole(), isouter=True)
            .where(mine)
            .group_by(name, is_proof, a.pool)
            .order_by(name, is_proof, a.pool)
        )
        with self._reader.connect() as connection:
            return [_row(row._mapping) for row in connection.execute(query)]


Prices = dict[tuple[str, float], float]
"""Of an hour, by the worker of an attempt and when that ended, in seconds since 1970."""


def prices_of(connection: Connection, campaign_id: int, worker: str | None = None) -> Prices:
    """The prices of the attempts at a campaign and at the versions that it has replaced, or of a
    worker's alone: those whose attempt had one.
    """
    mine = select(campaigns.c.project, campaigns.c.name).where(campaigns.c.id == campaign_id)
    row = connection.execute(mine).first()
    if row is None:
        return {}
    c, a, name = campaigns.c, attempts.c, row.name.partition("~")[0]
    called = or_(c.name == name, c.name.startswith(f"{name}~", autoescape=True))
    versions = select(c.id).where(c.project == row.project, called)
    query = select(a.worker, a.ended_at, a.price).distinct()
    query = query.where(a.campaign_id.in_(versions), a.price.is_not(None))
    if worker is not None:
        query = query.where(a.worker == worker)
    return {(row.worker, row.ended_at): row.price for row in connection.execute(query)}


def money_of(render: Row[Any], prices: Prices) -> float | None:
    """The price of a render's device time; None if its attempt had none. An attempt ends when its
    renders do.
    """
    price = prices.get((render.worker, render.finished_at))
    return None if price is None or render.seconds is None else render.seconds * price / 3600


def _whole() -> ColumnElement[Any]:
    """The id of the campaign that a row is, or whose proofs it has."""
    return func.coalesce(campaigns.c.proof_of, campaigns.c.id)


def _campaigns_of(project: str) -> ColumnElement[bool]:
    return campaigns.c.project == project


def _is_called(project: str, name: str) -> ColumnElement[bool]:
    mine = or_(_finals.c.name == name, _finals.c.version_of == name)
    return _campaigns_of(project) & mine


def _row(row: Any) -> CostRow:
    return CostRow(
        campaign=row["campaign"],
        is_proof=bool(row["is_proof"]),
        pool=row["pool"],
        attempts=int(row["attempts"]),
        kept=int(row["done"]) + int(row["held"]),
        seconds={use: float(row[use]) for use in USES},
        money=(
            {use: float(row[f"{use}_price"]) / 3600 for use in USES} if row["priced"] else None
        ),
    )
