"""The API's routes about the farm itself: its health, its workers and orders to them."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from farm.api.bodies import Drain, Scaling
from farm.api.needs import needs, open_to_all
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.farm_views import Ready
from farm.service.fleet import FleetService
from farm.service.fleet_reading import FleetReading
from farm.service.fleet_views import Fleet, FleetOverview, Worker
from farm.service.readiness import Readiness
from farm.service.reading import Reading
from farm.service.views import Health

Json = dict[str, Any]


def farm_routes(readiness: Readiness, home: str) -> APIRouter:
    """`home` says to a client which farm it has reached."""
    routes = api_router("farm")

    @routes.get("/health", **shows(Health))
    @open_to_all
    def health() -> Json:
        return {"farm": "seedbed", "home": home}

    @routes.get("/ready", **shows(Ready), responses={503: {"model": Ready}})
    @open_to_all
    def ready(response: Response) -> Ready:
        found = readiness.look()
        response.status_code = 200 if found.ready else 503
        return found

    return routes


def fleet_routes(reading: Reading, fleet: FleetService, looking: FleetReading) -> APIRouter:
    routes = api_router("fleet")

    @routes.get("/fleet", **shows(FleetOverview))
    @needs(Deed.SEE_FLEET)
    def overview() -> Json:
        """What each worker does, how the last day was used, and what was changed and why."""
        return looking.overview()

    @routes.get("/workers", **shows(list[Worker]))
    @needs(Deed.SEE_FLEET)
    def workers() -> list[Json]:
        return [asdict(worker) for worker in reading.workers()]

    @routes.get("/scaling", **shows(Fleet))
    @needs(Deed.SEE_FLEET)
    def scaling() -> Json:
        return fleet.scaling()

    @routes.post("/scaling", **shows(Fleet))
    @needs(Deed.ORDER_FLEET)
    def scale(body: Scaling) -> Json:
        return fleet.scale(
            floor=body.floor,
            ceiling=body.ceiling,
            is_frozen=body.frozen,
            default=body.default,
            by=body.by,
        )

    @routes.post("/drains", **shows(Fleet))
    @needs(Deed.ORDER_FLEET)
    def drain(body: Drain) -> Json:
        return fleet.drain(body.target, undo=body.undo, by=body.by)

    return routes
