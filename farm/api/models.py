"""The API's route about the models that campaigns use."""

from typing import Any

from fastapi import APIRouter, Request

from farm.api.needs import access_of, needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.model_reading import ModelReading
from farm.service.model_views import ModelInUse

Json = dict[str, Any]


def model_routes(models: ModelReading) -> APIRouter:
    routes = api_router("models")

    @routes.get("/models", **shows(list[ModelInUse]))
    @needs(Deed.LOOK, across=True)
    def all_models(request: Request) -> list[Json]:
        """The models of the projects in which one may look, the last used first."""
        return models.all(access_of(request))

    return routes
