"""All pages of the farm, put together."""

from collections.abc import Iterable

from fastapi import APIRouter

from farm.service.explaining import Explaining
from farm.service.fleet import FleetService
from farm.service.fleet_reading import FleetReading
from farm.service.logins import LoginService
from farm.service.reading import Reading
from farm.service.render_reading import RenderReading
from farm.web.assets import asset_routes
from farm.web.campaigns import campaign_list_routes, campaign_routes
from farm.web.fleet import fleet_page_routes
from farm.web.links import link_page_routes
from farm.web.login import login_routes
from farm.web.new_campaign import new_campaign_routes
from farm.web.picture import picture_page_routes
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
    campaigns: Campaigns,
    reviews: Reviews,
    watching: Watching,
    fleet: FleetService,
    fleet_reading: FleetReading,
) -> Iterable[APIRouter]:
    """The routes of the pages."""
    renders = RenderReading(campaigns=campaigns, reviews=reviews)
    explaining = Explaining(campaigns=campaigns, reviews=reviews, watching=watching)
    static = static_files()
    renderer = Renderer(static, environment())
    yield asset_routes(renderer, static)
    yield login_routes(renderer, logins)
    yield link_page_routes(renderer, logins)
    yield campaign_list_routes(renderer, reading)
    yield campaign_routes(renderer, reading)
    yield review_routes(renderer, reading)
    yield picture_page_routes(renderer, renders, explaining)
    yield new_campaign_routes(renderer)
    yield fleet_page_routes(renderer, fleet_reading, fleet)
