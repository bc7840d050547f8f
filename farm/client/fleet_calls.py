"""The part of the client that is about the fleet: its workers, and orders to it."""

import getpass
import platform

from farm.client.transport import Transport
from farm.scheduling.alerts import Page, Sample
from farm.service.fleet_views import Fleet, FleetOverview, Worker


class FleetCalls:
    """Calls about the fleet, for a class that has the transport."""

    _http: Transport

    def workers(self) -> list[Worker]:
        """Each worker as the dispatcher last saw it."""
        return self._http.get(list[Worker], "workers")

    def fleet(self) -> FleetOverview:
        """What each worker does, how the last day was used, and what was changed and why."""
        return self._http.get(FleetOverview, "fleet")

    def metrics(self) -> Page:
        """The farm's own page of metrics, as one process of it serves it."""
        from prometheus_client.parser import (  # noqa: PLC0415
            text_string_to_metric_families,
        )  # other commands wait for none of it

        page: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(self._http.page("metrics")):
            for sample in family.samples:
                page.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
        return page

    def scaling(self) -> Fleet:
        """The orders to the fleet, and the number of workers in each state."""
        return self._http.get(Fleet, "scaling")

    def scale(
        self,
        *,
        floor: int | None = None,
        ceiling: int | None = None,
        frozen: bool | None = None,
        default: bool = False,
    ) -> Fleet:
        """Order how many workers there are at least and at most, and whether their number is to
        stay; None changes nothing.
        """
        body = {"floor": floor, "ceiling": ceiling, "frozen": frozen, "default": default}
        return self._http.post(Fleet, "scaling", {**body, "by": who()})

    def drain(self, target: str, *, undo: bool = False) -> Fleet:
        """Give a worker, or all of a node, nothing more and let it go; with `undo`, take that
        back.
        """
        return self._http.post(Fleet, "drains", {"target": target, "undo": undo, "by": who()})


def who() -> str:
    """Whoever gives an order, as operators know people: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user that the machine has no name for, as in many containers
        user = "someone"
    return "".join(c if c.isprintable() else "?" for c in f"{user}@{platform.node()}")[:120]
