"""The fleet as those who run it look at it: what each worker does, how its time was used, and what
was changed and why.
"""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from farm.service.events import event_json
from storage.event_kinds import EventKind
from storage.events import Events, Wanted
from storage.fleet_work import FleetWork, UnderWay
from storage.rows import WorkerRow
from storage.watching import Watching

Json = dict[str, Any]
LATELY_S = 86_400.0
_CHANGES = 40
_LOOKED_AT = 50_000  # the newest events, among which changes are rare
_KINDS = tuple(
    kind.value
    for kind in EventKind
    if kind.startswith("fleet.") or kind in (EventKind.WORKER_LOST, EventKind.WORKER_QUARANTINED)
)


class FleetReading:
    """Reads what the job database has of a fleet."""

    def __init__(self, *, watching: Watching, work: FleetWork, events: Events) -> None:
        self._watching = watching
        self._work = work
        self._events = events

    def overview(self) -> Json:
        """The fleet now, the use of the last day, and the last changes."""
        workers = self._watching.workers()
        names = self._work.model_names({digest for row in workers for digest in row.loaded})
        paints = defaultdict[str, list[UnderWay]](list)
        for one in self._work.under_way():
            paints[one.worker].append(one)
        since, use = self._work.use_of_pools(LATELY_S)
        beyond = self._events.newest() - _LOOKED_AT
        changes = self._events.before(None, Wanted(kinds=_KINDS), limit=_CHANGES, beyond=beyond)
        return {
            "leader": self._watching.dispatcher(),
            "workers": [_worker(row, names, paints[row.name]) for row in workers],
            "since": since,
            "use": use,
            "changes": [event_json(row) for row in changes],
        }


def _worker(row: WorkerRow, names: dict[str, str], paints: list[UnderWay]) -> Json:
    campaigns = [asdict(one) for one in paints]
    return {
        **asdict(row),
        "models": [names.get(digest, digest[:12]) for digest in row.loaded],
        "paints": [{key: one[key] for key in one if key != "worker"} for one in campaigns],
    }
