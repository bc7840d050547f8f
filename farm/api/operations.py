"""The API's routes for operators."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from farm.api.bodies import Name, Project
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.diagnosis import Diagnosis
from farm.service.logs import LogReading
from farm.service.operation_views import FarmDiagnosis, LogEvent

Json = dict[str, Any]

After = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
WorkerName = Annotated[str, Query(min_length=1, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=5_000)]


def operation_routes(diagnosis: Diagnosis, logs: LogReading) -> APIRouter:
    routes = api_router("farm")

    @routes.get("/doctor", **shows(FarmDiagnosis))
    @needs(Deed.ORDER_FLEET)
    def doctor() -> Json:
        return diagnosis.look()

    @routes.get("/logs", **shows(list[LogEvent]))
    @needs(Deed.ORDER_FLEET)
    def of_farm(
        worker: WorkerName | None = None, after: After = None, limit: Limit = 100
    ) -> list[Json]:
        """The latest events of the farm's processes, or about one worker."""
        return logs.of_farm(worker, after=after, limit=limit)

    @routes.get("/campaigns/{name}/logs", **shows(list[LogEvent]))
    @needs(Deed.LOOK)
    def of_campaign(
        name: Name, project: Project = "default", after: After = None, limit: Limit = 100
    ) -> list[Json]:
        """The latest events about a campaign."""
        return logs.of_campaign(project, name, after=after, limit=limit)

    return routes
