"""All pages of the farm, put together."""

from collections.abc import Iterable

from fastapi import APIRouter

from farm.service.logins import LoginService
from farm.service.reading import Reading
from farm.web.assets import asset_routes
from farm.web.campaigns import campaign_list_routes, campaign_routes
from farm.web.login import login_routes
from farm.web.rendering import Renderer, environment
from farm.web.static_files import static_files


def page_routes(*, reading: Reading, logins: LoginService) -> Iterable[APIRouter]:
    """The routes of the pages."""
    static = static_files()
    renderer = Renderer(static, environment())
    yield asset_routes(renderer, static)
    yield login_routes(renderer, logins)
    yield campaign_list_routes(renderer, reading)
    yield campaign_routes(renderer, reading)
