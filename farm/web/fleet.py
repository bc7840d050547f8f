"""The page of the fleet: workers on their nodes, how their time was used, and what was changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.fleet import FleetService
from farm.service.fleet_reading import FleetReading
from farm.web.event_words import change_sentences
from farm.web.rendering import Renderer
from farm.web.routing import page_router

Json = dict[str, Any]
USES = {
    "painted_s": "Painted",
    "padding_s": "Empty places",
    "load_s": "Loading",
    "retries_s": "Painted again",
    "stopped_s": "Stopped early",
    "lost_s": "Lost",
    "idle_s": "Waiting",
}
"""The words for how a worker's time is used."""
NO_NODE = "Starting"


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine with its workers; one that has not answered yet has no id."""

    name: str
    node_id: str | None
    workers: Sequence[Json]


def fleet_page_routes(renderer: Renderer, reading: FleetReading, fleet: FleetService) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/fleet")
    @needs(Deed.SEE_FLEET)
    def show(request: Request) -> Response:
        overview, scaling = reading.overview(), fleet.scaling()
        return renderer.page(
            request,
            "fleet.html",
            page="fleet",
            fleet=overview,
            nodes=nodes_of(overview["workers"]),
            states=list(states_of(overview["workers"])),
            scaling=scaling,
            uses=USES,
            changes=[(event, change_sentences(event)) for event in overview["changes"]],
            may_order=access_of(request).may(Deed.ORDER_FLEET),
        )

    return routes


def nodes_of(workers: Sequence[Json]) -> list[Node]:
    """The workers by their nodes, in the order of the nodes' names; those that have not answered
    come last.
    """
    by_node: dict[tuple[bool, str, str], list[Json]] = {}
    for worker in workers:
        key = (worker["node"] is None, worker["node"] or NO_NODE, worker["node_id"] or "")
        by_node.setdefault(key, []).append(worker)
    return [
        Node(name=name, node_id=node_id or None, workers=by_node[unknown, name, node_id])
        for unknown, name, node_id in sorted(by_node)
    ]


def states_of(workers: Sequence[Json]) -> Iterator[tuple[str, int]]:
    """Each state that a worker is in, with how many are."""
    for state in ("painting", "idle", "starting", "draining", "quarantined"):
        count = sum(worker["state"] == state for worker in workers)
        if count:
            yield state, count
