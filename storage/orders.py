"""The orders of an operator to the fleet: its floor and ceiling, whether it is frozen, and which
workers and nodes must be drained.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import db_time, now
from storage.event_kinds import EventKind
from storage.events import record
from storage.tables import drains, scaling

_ONLY = 1


LIMITS = ("floor", "ceiling", "is_frozen")


def is_standing(limit: int | bool | None) -> bool:
    """Whether a limit is ordered. A ceiling of 0 is; None leaves it to the settings, and False is
    not frozen.
    """
    return limit is not None and limit is not False


@dataclass(frozen=True, kw_only=True)
class Given:
    """By whom an order was given, as they said, and when: seconds since 1970. A version before
    recorded neither.
    """

    by: str | None = None
    at: float | None = None


@dataclass(frozen=True, kw_only=True)
class FleetOrders:
    """None leaves a limit to the settings. `drains` names workers and nodes, a node by its id or
    its host's name.
    """

    floor: int | None = None
    ceiling: int | None = None
    is_frozen: bool = False
    drains: Mapping[str, Given] = field(default_factory=dict)
    given: Mapping[str, Given] = field(default_factory=dict)
    """Of each limit that is ordered, by whom and when."""


class Orders:
    """The orders in one job database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(readonly=True)

    def get(self) -> FleetOrders:
        with self._reader.connect() as connection:
            row = connection.execute(select(scaling)).first()
            targets = {
                drain.target: Given(by=drain.asked_by, at=drain.asked_at)
                for drain in connection.execute(select(drains))
            }
        if row is None:
            return FleetOrders(drains=targets)
        given = {name: Given(**given) for name, given in json.loads(row.given).items()}
        return FleetOrders(
            floor=row.floor,
            ceiling=row.ceiling,
            is_frozen=bool(row.is_frozen),
            drains=targets,
            given=given,
        )

    def scale(self, *, by: str | None = None, **changes: Any) -> None:
        """Set `floor`, `ceiling` or `is_frozen`; those not named stay as they are. None, or False,
        takes an order back.
        """
        with self._engine.begin() as connection:
            connection.execute(self._insert(scaling).values(id=_ONLY).on_conflict_do_nothing())
            row = connection.execute(select(scaling).with_for_update()).one()
            said = {"by": by, "at": now(connection)}
            given = {**json.loads(row.given), **dict.fromkeys(changes, said)}
            standing = {
                name: given[name]
                for name in given
                if is_standing({**row._mapping, **changes}[name])
            }
            connection.execute(update(scaling).values(**changes, given=json.dumps(standing)))
            before = {name: row._mapping[name] for name in changes}
            if before != changes:
                data = {**changes, "by": by}
                record(
                    connection, EventKind.FLEET_ORDERED, data=data, before=before, after=changes
                )

    def note_change(self, *, why: Sequence[str] = (), **change: Collection[str]) -> None:
        """Write down that the farm changes its fleet by itself: the pools from which it asks for
        workers, the workers that it ends, and the pools that it leaves alone for a time. `why` has
        a sentence for each.
        """
        data: dict[str, Any] = {name: sorted(names) for name, names in change.items() if names}
        if why:
            data["why"] = list(why)
        with self._engine.begin() as connection:
            record(connection, EventKind.FLEET_SCALED, data=data)

    def drain(self, target: str, *, by: str | None = None) -> None:
        with self._engine.begin() as connection:
            asked = self._insert(drains).values(target=target, asked_at=db_time(), asked_by=by)
            new = asked.on_conflict_do_nothing().returning(drains.c.target)
            if connection.execute(new).first() is not None:
                data = {"target": target, "by": by}
                record(connection, EventKind.FLEET_DRAIN_ORDERED, data=data)

    def undrain(self, targets: Collection[str]) -> int:
        """Take drains back; returns how many there were."""
        with self._engine.begin() as connection:
            gone = delete(drains).where(drains.c.target.in_(list(targets)))
            ended = connection.execute(gone.returning(drains.c.target)).scalars().all()
            for target in sorted(ended):
                record(connection, EventKind.FLEET_DRAIN_ENDED, data={"target": target})
            return len(ended)

    def _insert(self, table: Any) -> Any:
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)
