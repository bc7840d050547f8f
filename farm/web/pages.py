"""All pages of the farm, put together."""

from collections.abc import Iterable

from fastapi import APIRouter

from farm.service.brands import BrandService
from farm.service.events import EventReading
from farm.service.explaining import Explaining
from farm.service.fleet import FleetService
from farm.service.fleet_reading import FleetReading
from farm.service.logins import LoginService
from farm.service.model_reading import ModelReading
from farm.service.projects import ProjectService
from farm.service.reading import Reading
from farm.service.render_reading import RenderReading
from farm.service.tokens import TokenService
from farm.web.access import project_page_routes, token_page_routes
from farm.web.assets import asset_routes
from farm.web.campaigns import campaign_list_routes, campaign_routes
from farm.web.fleet import fleet_page_routes
from farm.web.library import brand_page_routes, model_page_routes
from farm.web.links import link_page_routes
from farm.web.log import log_page_routes
from farm.web.login import login_routes
from farm.web.new_campaign import new_campaign_routes
from farm.web.openid import openid_routes
from farm.web.picture import picture_page_routes
from farm.web.provider import Provider
from farm.web.rendering import Renderer, environment
from farm.web.review import review_routes
from farm.web.static_files import static_files
from storage.campaigns import Campaigns
from storage.reviews import Reviews
from storage.watching import Watching


def page_routes(
    *,
    reading: Reading,
    logins: LoginService,
    provider: Provider | None,
    address: str | None,
    campaigns: Campaigns,
    reviews: Reviews,
    watching: Watching,
    fleet: FleetService,
    fleet_reading: FleetReading,
    events: EventReading,
    projects: ProjectService,
    tokens: TokenService,
    models: ModelReading,
    brands: BrandService,
) -> Iterable[APIRouter]:
    """The routes of the pages. `address` is where browsers find the farm; None for the one that
    they ask it by.
    """
    renders = RenderReading(campaigns=campaigns, reviews=reviews)
    explaining = Explaining(campaigns=campaigns, reviews=reviews, watching=watching)
    static = static_files()
    renderer = Renderer(static, environment())
    yield asset_routes(renderer, static)
    yield login_routes(renderer, logins, address, has_provider=provider is not None)
    if provider is not None:
        yield openid_routes(renderer, logins, provider, address)
    yield link_page_routes(renderer, logins, address)
    yield campaign_list_routes(renderer, reading)
    yield campaign_routes(renderer, reading)
    yield review_routes(renderer, reading)
    yield picture_page_routes(renderer, renders, explaining)
    yield new_campaign_routes(renderer)
    yield fleet_page_routes(renderer, fleet_reading, fleet)
    yield log_page_routes(renderer, events)
    yield project_page_routes(renderer, projects)
    yield token_page_routes(renderer, tokens, projects)
    yield model_page_routes(renderer, models)
    yield brand_page_routes(renderer, brands, reading)
