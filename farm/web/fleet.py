"""The page of the fleet: workers on their nodes, how their time was used, and what was changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from farm.api.needs import access_of, needs
from farm.service.access import Deed
from farm.service.fleet import FleetService
from farm.service.fleet_reading import FleetReading
from farm.web.rendering import Renderer
from farm.web.routing import page_router
from farm.web.words import counted, state_word

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


def change_sentences(event: Json) -> list[str]:
    """A change of the fleet in words: the reasons that the farm wrote down, or the order."""
    data, kind = event["data"], event["kind"]
    by = f" by {data['by']}" if data.get("by") else ""
    if data.get("why") and kind == "fleet.scaled":
        return [str(sentence) for sentence in data["why"]]
    if kind == "fleet.scaled":
        return [_scaled(data)]
    if kind == "fleet.ordered":
        return [f"Ordered{by}: {_orders(data)}."]
    if kind == "fleet.drain_ordered":
        return [f"{data.get('target')} was told to drain{by}."]
    if kind == "fleet.drain_ended":
        return [f"{data.get('target')} drains no more: it has gone, or the order was taken back."]
    if kind == "worker.quarantined":
        why = data.get("why") or "it failed renders of several campaigns"
        return [f"{data.get('worker')} is in quarantine: {why}"]
    return [f"{data.get('worker')} was lost without being asked to go."]


def _scaled(data: Json) -> str:
    parts = [
        counted(len(data[key]), noun) + words
        for key, noun, words in (
            ("start", "worker", " asked for"),
            ("end", "worker", " ended"),
            ("cool", "pool", " left alone"),
        )
        if data.get(key)
    ]
    return f"{', '.join(parts)}.".capitalize()


def _orders(data: Json) -> str:
    words = {"floor": "at least {} workers", "ceiling": "at most {} workers"}
    told = [
        text.format(data[name]) if data[name] is not None else f"{name} as the settings say"
        for name, text in words.items()
        if name in data
    ]
    if "is_frozen" in data:
        told.append("frozen" if data["is_frozen"] else "not frozen")
    return ", ".join(told) or state_word("unchanged").lower()
