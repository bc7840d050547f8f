"""The API's routes about brand packs."""

from typing import Any

from fastapi import APIRouter, Response

from farm.api.bodies import Name, NewBrand, Project, Version
from farm.api.needs import needs
from farm.api.routing import api_router, shows
from farm.service.access import Deed
from farm.service.brands import BrandService
from farm.service.views import BrandVersion

Json = dict[str, Any]


def brand_routes(brands: BrandService) -> APIRouter:
    routes = api_router("brands")

    @routes.get("/brands", **shows(list[BrandVersion]))
    @needs(Deed.LOOK)
    def all_brands(project: Project = "default") -> list[Json]:
        return brands.all(project)

    @routes.post(
        "/brands",
        responses={201: {"description": "It is a new version."}},
        **shows(BrandVersion),
    )
    @needs(Deed.SUBMIT)
    def add(body: NewBrand, response: Response) -> Json:
        answer = brands.add(body.project, body.pack)
        response.status_code = 201 if answer["did"] == "added" else 200
        return answer

    @routes.get("/brands/{name}", **shows(BrandVersion))
    @needs(Deed.LOOK)
    def show(name: Name, project: Project = "default", version: Version = None) -> Json:
        return brands.show(project, name, version)

    return routes
