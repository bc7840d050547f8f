"""All pages of the farm, put together."""

from collections.abc import Iterable

from fastapi import APIRouter

from farm.service.reading import Reading
from farm.web.assets import asset_routes
from farm.web.campaigns import campaign_list_routes
from farm.web.rendering import Renderer, environment
from farm.web.static_files import static_files


def page_routes(*, reading: Reading) -> Iterable[APIRouter]:
    """The routes of the pages."""
    static = static_files()
    renderer = Renderer(static, environment())
    yield asset_routes(renderer, static)
    yield campaign_list_routes(renderer, reading)
