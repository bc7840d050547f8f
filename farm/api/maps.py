"""The API's routes about all renders of a campaign at once: bytes, bitmaps, counts, and the
pictures of those that somebody looks at.
"""

import gzip
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response

from farm.api.bodies import AtStage, Name, Project, Version
from farm.api.needs import needs
from farm.api.routing import answers_with, api_router, shows
from farm.campaign.map_code import REVIEWS, STATES
from farm.service.access import Deed
from farm.service.map_before import Befores
from farm.service.map_views import MapBefore, MapCells, MapCounts, MapLayout
from farm.service.render_map import Filter
from farm.service.render_maps import RenderMaps
from farm.service.thumbnails import Pictures, Shown
from storage.campaigns import Campaigns
from storage.errors import RequestError
from storage.render_codes import REASONS, RULES, RenderCodes
from storage.reviews import Reviews
from storage.states import Stage
from storage.store import Outputs

Json = dict[str, Any]
MOST_CELLS = 2_000
"""Renders of one request for cells."""
MOST_BEFORE = 500
"""Renders of one request for the version before: the recipes of each pair are computed."""
_BYTES = "application/octet-stream"
_WORDS = r"^[a-z_]+(,[a-z_]+){0,20}$"
_NUMBERS = r"^\d{1,16}(,\d{1,16})*$"

Words = Annotated[
    str | None, Query(pattern=_WORDS, max_length=300, description="Words with commas between.")
]
Deciles = Annotated[
    str | None,
    Query(pattern=r"^([1-9]|10)(,([1-9]|10)){0,9}$", description="1 for below 0.1, up to 10."),
]
At = Annotated[
    str | None,
    Query(
        pattern=r"^\d{1,3}:\d{1,7}(,\d{1,7})*(;\d{1,3}:\d{1,7}(,\d{1,7})*){0,40}$",
        max_length=20_000,
        description="Values of axes by their places, like 0:1,2;3:5; seeds are the last axis.",
    ),
]
Number = Annotated[int, Path(ge=0, lt=2**53)]
Atlas = Annotated[str, Path(pattern=r"^[0-9]{1,2}x[0-9]{1,2}-[0-9a-f]{12}$")]


def map_routers(
    campaigns: Campaigns, reviews: Reviews, codes: RenderCodes, outputs: Outputs
) -> list[APIRouter]:
    """All of them, over what the job database and the outputs have."""
    maps = RenderMaps(campaigns=campaigns, reviews=reviews, codes=codes)
    pictures = picture_routes(Pictures(campaigns, outputs))
    befores = before_routes(Befores(campaigns, maps))
    return [map_routes(maps), befores, filter_routes(maps), pictures]


def map_routes(maps: RenderMaps) -> APIRouter:
    routes = api_router("map")

    @routes.get("/campaigns/{name}/map", **answers_with(_BYTES))
    @needs(Deed.LOOK, in_links=True)
    def whole(
        request: Request,
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Response:
        """A byte for each render by its number: state, verdict and decile of drift, as
        `farm.campaign.map_code` packs them.
        """
        found = maps.of(maps.campaign(project, name, version, stage))
        return _bytes(request, found.codes.tobytes())

    @routes.get("/campaigns/{name}/map/layout", **shows(MapLayout))
    @needs(Deed.LOOK, in_links=True)
    def layout(
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Json:
        return maps.layout(maps.campaign(project, name, version, stage))

    @routes.get("/campaigns/{name}/map/cells", **shows(MapCells))
    @needs(Deed.LOOK, in_links=True)
    def cells(
        name: Name,
        numbers: Annotated[str, Query(pattern=_NUMBERS, max_length=17 * MOST_CELLS)],
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Json:
        """Some renders by their numbers, with commas between, as they are at this moment."""
        wanted = _some(numbers, MOST_CELLS)
        return maps.some(maps.campaign(project, name, version, stage), wanted)

    return routes


def before_routes(befores: Befores) -> APIRouter:
    routes = api_router("map")

    @routes.get("/campaigns/{name}/map/before", **shows(MapBefore))
    @needs(Deed.LOOK, in_links=True)
    def before(
        name: Name,
        numbers: Annotated[str, Query(pattern=_NUMBERS, max_length=17 * MOST_BEFORE)],
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
    ) -> Json:
        """The same for their counterparts in the version before."""
        return befores.of(project, name, version, stage, _some(numbers, MOST_BEFORE))

    return routes


def filter_routes(maps: RenderMaps) -> APIRouter:
    routes = api_router("map")

    @routes.get("/campaigns/{name}/map/matches", **answers_with(_BYTES))
    @needs(Deed.LOOK, in_links=True)
    def matches(
        request: Request,
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        state: Words = None,
        review: Words = None,
        reason: Words = None,
        rule: Words = None,
        drift: Deciles = None,
        at: At = None,
    ) -> Response:
        """A bit for each render by its number, the lowest bit of a byte first: whether it fits."""
        wanted = _filter(state, review, reason, rule, drift, at)
        found = maps.of(maps.campaign(project, name, version, stage)).matches(wanted)
        return _bytes(request, np.packbits(found, bitorder="little").tobytes())

    @routes.get("/campaigns/{name}/map/counts", **shows(MapCounts))
    @needs(Deed.LOOK, in_links=True)
    def counts(
        name: Name,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        state: Words = None,
        review: Words = None,
        reason: Words = None,
        rule: Words = None,
        drift: Deciles = None,
        at: At = None,
    ) -> Json:
        """How many renders fit, and how many of each value."""
        wanted = _filter(state, review, reason, rule, drift, at)
        return maps.of(maps.campaign(project, name, version, stage)).counts(wanted)

    return routes


def picture_routes(pictures: Pictures) -> APIRouter:
    routes = api_router("map")

    @routes.get("/campaigns/{name}/renders/{number}/picture", **answers_with("image/*"))
    @needs(Deed.LOOK, in_links=True)
    def picture(
        request: Request,
        name: Name,
        number: Number,
        project: Project = "default",
        version: Version = None,
        stage: AtStage = Stage.FINAL,
        size: Literal["whole", "small"] = "whole",
        of: Annotated[str | None, Query(pattern=r"^[0-9a-f]{6,64}$")] = None,
    ) -> Response:
        """A render's picture for a browser: every pixel of it, or no larger than 256 pixels a
        side. With `of`, the first digits of its file's digest, it may be kept.
        """
        make = pictures.small if size == "small" else pictures.whole
        found = make(project, name, number, version, stage)
        return _picture(request, found, is_named=of is not None and found.tag.startswith(of))

    @routes.get("/campaigns/{name}/atlases/{atlas}", **answers_with("image/*"))
    @needs(Deed.LOOK, in_links=True)
    def atlas(
        request: Request, name: Name, atlas: Atlas, project: Project = "default"
    ) -> Response:
        """Thumbnails of a campaign's pictures, of one size and in rows from the top left; the name
        says how many columns and rows there are. It never changes, and may be kept.
        """
        return _picture(request, pictures.atlas(project, name, atlas), is_named=True)

    return routes


def _some(numbers: str, most: int) -> list[int]:
    wanted = list(dict.fromkeys(int(number) for number in numbers.split(",")))
    if len(wanted) > most:
        raise RequestError(f"Ask for at most {most:,} renders at a time.")
    return wanted


def _filter(
    state: str | None,
    review: str | None,
    reason: str | None,
    rule: str | None,
    drift: str | None,
    at: str | None,
) -> Filter:
    pairs = [part.partition(":") for part in at.split(";")] if at else []
    return Filter(
        states=_words("state", state, STATES),
        reviews=_words("review", review, REVIEWS),
        reasons=_words("reason", reason, tuple(map(str, REASONS))),
        rules=_words("rule", rule, RULES),
        deciles=frozenset(int(one) for one in drift.split(",")) if drift else frozenset(),
        at={int(axis): [int(k) for k in values.split(",")] for axis, _, values in pairs},
    )


def _words(name: str, given: str | None, known: tuple[str, ...]) -> frozenset[str]:
    words = frozenset(given.split(",")) if given else frozenset[str]()
    if strange := words - set(known):
        raise RequestError(f"{name}: {min(strange)} is none of {', '.join(known)}.")
    return words


def _bytes(request: Request, data: bytes) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        data = gzip.compress(data, 1)
        headers["Content-Encoding"] = "gzip"
    return Response(data, media_type=_BYTES, headers=headers)


def _picture(request: Request, found: Shown, *, is_named: bool) -> Response:
    """A picture, so sent that a browser can take it for nothing else."""
    tag = f'"{found.tag[:32]}"'
    kept = "private, max-age=31536000, immutable" if is_named else "private, no-cache"
    headers = {
        "ETag": tag,
        "Cache-Control": kept,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": "inline",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.kind, headers=headers)
