"""The pages of models and of brand packs."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from farm.api.bodies import Version
from farm.api.needs import access_of, needs
from farm.campaign.brand import Pack
from farm.scheduling.drift import LEAST_GRIP
from farm.service.access import Deed
from farm.service.brands import BrandService
from farm.service.model_reading import ModelReading
from farm.service.reading import Reading
from farm.web.rendering import Renderer
from farm.web.review import InPath
from farm.web.routing import page_router

Json = dict[str, Any]


def model_page_routes(renderer: Renderer, models: ModelReading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/models")
    @needs(Deed.LOOK, across=True)
    def show(request: Request) -> Response:
        return renderer.page(
            request,
            "models.html",
            page="models",
            models=models.all(access_of(request)),
            adapters=models.adapters(),
            least_grip=LEAST_GRIP,
        )

    return routes


def brand_page_routes(renderer: Renderer, brands: BrandService, reading: Reading) -> APIRouter:
    routes = page_router(renderer)

    @routes.get("/brands")
    @needs(Deed.LOOK, across=True)
    def show(request: Request) -> Response:
        rows = brands.everywhere(access_of(request).projects(Deed.LOOK))
        return renderer.page(request, "brands.html", page="models", brands=newest_of(rows))

    @routes.get("/brands/{project}/{name}")
    @needs(Deed.LOOK)
    def brand(
        request: Request, project: InPath, name: InPath, version: Version = None
    ) -> Response:
        shown = brands.show(project, name, version)
        rows = [row for row in brands.all(project) if row["name"] == name]
        return renderer.page(
            request,
            "brand.html",
            page="models",
            project=project,
            brand=shown,
            pack=_whole(shown["pack"]),
            rules=rule_sentences(shown["pack"]),
            versions=[row["version"] for row in rows],
            uses=[row for row in reading.all(project) if row["brand"] == shown["brand"]],
        )

    return routes


def _whole(pack: Json) -> Json:
    """A pack with all its keys, None for those that it does not say, and with sizes as texts."""
    sizes = pack.get("sizes")
    texts = None if sizes is None else [f"{width}x{height}" for width, height in sizes]
    return {**dict.fromkeys(Pack.model_fields), **pack, "sizes": texts}


def newest_of(rows: Sequence[Json]) -> list[Json]:
    """The newest version of each brand, with how many versions there are."""
    newest: dict[tuple[str, str], Json] = {}
    for row in rows:
        key = (row["project"], row["name"])
        versions = newest[key]["versions"] + 1 if key in newest else 1
        newest[key] = {**row, "versions": versions}
    return list(newest.values())


def rule_sentences(pack: Json) -> list[str]:
    """What every finished picture is judged by, a sentence for each rule."""
    rules, told = pack.get("rules", {}), list[str]()
    if (space := rules.get("copy_space")) is not None:
        share = space.get("height") or space.get("width") or 0
        busy = space.get("busy", 0.02)
        told.append(
            f"An even area for text: the {space['side']} {share:.0%}, with edges on at most"
            f" {busy:.0%} of it."
        )
    if (area := rules.get("safe_area")) is not None:
        told.append(
            f"The subject stays {area['margin']:.0%} away from every edge; at most"
            f" {area.get('outside', 0.08):.0%} of it may not."
        )
    if rules.get("border") == "none":
        told.append("There is no frame, and no bars along two sides.")
    if (clipped := rules.get("clipped")) is not None:
        told.append(f"At most {clipped['at_most']:.0%} of the pixels are pure white or black.")
    if (sharpness := rules.get("sharpness")) is not None:
        told.append(f"Its sharpness is at least {sharpness['at_least']:g}.")
    if (palette := pack.get("palette")) is not None:
        told.append(
            f"At least {palette.get('share', 0.05):.0%} of the pixels are within ΔE00"
            f" {palette.get('within', 12):g} of a colour of the palette."
        )
    return told
