"""What the farm does for those who run its fleet: says how it stands, and takes orders about it.
The API is a thin skin over it.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from farm.documents.counting import counted
from farm.scheduling.orders import ordered_sentences
from storage.errors import Conflict, NotFound, RequestError
from storage.orders import Orders
from storage.watching import Watching

Json = dict[str, Any]


class FleetService:
    """The fleet, to whoever may ask."""

    def __init__(self, *, orders: Orders, watching: Watching, is_alone: bool) -> None:
        """`is_alone`: on a Ray cluster of its own, which is this machine."""
        self._orders = orders
        self._watching = watching
        self._is_alone = is_alone

    def scaling(self) -> Json:
        """The orders, None if the settings stay, and the number of workers in each state."""
        orders = self._orders.get()
        return {
            "floor": orders.floor,
            "ceiling": orders.ceiling,
            "frozen": orders.is_frozen,
            "draining": sorted(orders.drains),
            "orders": ordered_sentences(orders),
            "workers": dict(Counter(worker.state for worker in self._watching.workers())),
        }

    def scale(
        self,
        *,
        floor: int | None,
        ceiling: int | None,
        is_frozen: bool | None,
        default: bool = False,
        by: str | None = None,
    ) -> Json:
        """Order how many workers there are, or with `default` take every order back first. `by`
        says who orders it.

        Raises RequestError if the least would be more than the most.
        """
        given = {"floor": floor, "ceiling": ceiling, "is_frozen": is_frozen}
        changes: Json = {name: value for name, value in given.items() if value is not None}
        if default:
            changes = {"floor": None, "ceiling": None, "is_frozen": False, **changes}
        now = replace(self._orders.get(), **changes)
        if now.floor is not None and now.ceiling is not None and now.floor > now.ceiling:
            raise RequestError(
                f"At least {counted(now.floor, 'worker')} and at most {now.ceiling} cannot be:"
                " set both."
            )
        if changes:
            self._orders.scale(by=by, **changes)
        return self.scaling()

    def drain(self, target: str, *, undo: bool = False, by: str | None = None) -> Json:
        """Have a worker, or a node by its id or its host's name, get nothing more and go. Raises
        NotFound for what is neither.
        """
        if undo:
            if not self._orders.undrain([target]):
                raise NotFound(f"{target} is not being drained: `farm scale` lists what is.")
            return self.scaling()
        workers = self._watching.workers()
        if not any(target in (worker.name, worker.node, worker.node_id) for worker in workers):
            raise NotFound(f"There is no worker and no node {target}: `farm workers` lists them.")
        if self._is_alone and target not in {worker.name for worker in workers}:
            raise Conflict(
                f"The farm is alone on {target}, and has nowhere else to go: drain its workers, or"
                " `farm scale --ceiling 0`."
            )
        self._orders.drain(target, by=by)
        return self.scaling()
