"""A look at the farm that answers: its version, leader, database, outputs and workers."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from farm.service.outputs_trial import MOST_SKEW_S, try_outputs
from storage.errors import SeedbedError
from storage.store import Outputs
from storage.watching import Watching

Json = dict[str, Any]


class Diagnosis:
    """Looks at what a farm needs, and changes nothing but a small file that it removes."""

    def __init__(
        self, *, watching: Watching, outputs: Outputs, version: str, database: str
    ) -> None:
        """`database` is its address without a password."""
        self._watching = watching
        self._outputs = outputs
        self._version = version
        self._database = database

    def look(self) -> Json:
        """The time by this machine's clock, and a finding for each thing that was looked at."""
        looked_at = time.time()
        looks: dict[str, Callable[[], str]] = {
            "version": lambda: f"Seedbed {self._version}",
            "database": self._look_at_database,
            "leader": self._look_at_leader,
            "outputs": lambda: try_outputs(self._outputs),
            "workers": self._look_at_workers,
        }
        findings = [_finding(name, look) for name, look in looks.items()]
        return {"looked_at": looked_at, "findings": findings}

    def _look_at_database(self) -> str:
        skew_s = self._watching.clock_skew_s()
        if abs(skew_s) > MOST_SKEW_S:
            raise SeedbedError(
                f"The clock of {self._database} is {skew_s:.0f} s from that of the farm: set the"
                " clocks."
            )
        return f"{self._database} answers, its clock is {skew_s:.1f} s from the farm's"

    def _look_at_leader(self) -> str:
        leader = self._watching.leader()
        if leader is None:
            raise SeedbedError(
                "No dispatcher leads, so nothing is painted: start one with `farm up`, or look at"
                " the farm's logs."
            )
        if not leader.is_fresh:
            raise SeedbedError(
                f"The dispatcher on {leader.host} was heard last {leader.silent_s:.0f} s ago: look"
                " whether it runs."
            )
        return f"a dispatcher on {leader.host} leads, heard {leader.silent_s:.1f} s ago"

    def _look_at_workers(self) -> str:
        counts = Counter(str(worker.state) for worker in self._watching.workers())
        told = ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items()))
        return told or "none: they are started as work waits for them"


def _finding(name: str, look: Callable[[], str]) -> Json:
    try:
        return {"check": name, "fine": True, "detail": look()}
    except (SeedbedError, OSError) as exc:
        return {"check": name, "fine": False, "detail": str(exc)}
