"""The API's routes for operators."""

from typing import Any

from fastapi import APIRouter

from farm.api.routing import StrictRoute, shows
from farm.service.diagnosis import Diagnosis
from farm.service.operation_views import FarmDiagnosis

Json = dict[str, Any]


def operation_routes(diagnosis: Diagnosis) -> APIRouter:
    routes = APIRouter(tags=["farm"], route_class=StrictRoute)

    @routes.get("/doctor", **shows(FarmDiagnosis))
    def doctor() -> Json:
        return diagnosis.look()

    return routes
