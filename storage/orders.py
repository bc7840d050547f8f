"""What an operator has ordered of the fleet: its floor and ceiling, whether it is frozen, and what is to be drained."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import db_time
from storage.tables import drains, scaling

_ONLY = 1


@dataclass(frozen=True, kw_only=True)
class FleetOrders:
    """None leaves a limit to the settings. `drains` names workers and nodes, a node by its id or its host's name."""

    floor: int | None = None
    ceiling: int | None = None
    is_frozen: bool = False
    drains: frozenset[str] = frozenset()


class Orders:
    """The orders in one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def get(self) -> FleetOrders:
        with self._reader.connect() as connection:
            row = connection.execute(select(scaling)).first()
            targets = frozenset(connection.execute(select(drains.c.target)).scalars())
        if row is None:
            return FleetOrders(drains=targets)
        return FleetOrders(floor=row.floor, ceiling=row.ceiling, is_frozen=bool(row.is_frozen), drains=targets)

    def scale(self, **changes: Any) -> None:
        """Set `floor`, `ceiling` or `is_frozen`; what is not named stays as it is."""
        with self._engine.begin() as connection:
            given = self._insert(scaling).values({"id": _ONLY, **changes})
            connection.execute(given.on_conflict_do_update(index_elements=["id"], set_=changes))

    def drain(self, target: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._insert(drains).values(target=target, asked_at=db_time()).on_conflict_do_nothing())

    def undrain(self, targets: Collection[str]) -> int:
        """Take drains back; returns how many there were."""
        with self._engine.begin() as connection:
            return connection.execute(delete(drains).where(drains.c.target.in_(list(targets)))).rowcount

    def _insert(self, table: Any) -> Any:
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)
