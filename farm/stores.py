"""The job database and the outputs of a home, opened once, for the services over them."""

from dataclasses import dataclass

from farm.config import Settings
from farm.scheduling.spending import Prices, prices_of
from storage.attempts import Attempts
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.control import Control
from storage.costs import Costs
from storage.database import JobDatabase
from storage.events import Events
from storage.fleet_work import FleetWork
from storage.layouts import Layouts
from storage.ledgers import Ledgers
from storage.links import Links
from storage.listing import Listing
from storage.model_history import ModelHistory
from storage.orders import Orders
from storage.profiles import Profiles
from storage.projects import Projects
from storage.registry import Registry
from storage.removal import Removal
from storage.render_codes import RenderCodes
from storage.reviews import Reviews
from storage.store import Outputs
from storage.timed_outputs import TimedOutputs
from storage.timings import Timings
from storage.tokens import Tokens
from storage.uploads import Uploads
from storage.watching import Watching


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The job database and the outputs of a home."""

    campaigns: Campaigns
    attempts: Attempts
    ledgers: Ledgers
    brands: Brands
    profiles: Profiles
    registry: Registry
    layouts: Layouts
    listing: Listing
    control: Control
    costs: Costs
    links: Links
    orders: Orders
    tokens: Tokens
    projects: Projects
    uploads: Uploads
    removal: Removal
    reviews: Reviews
    codes: RenderCodes
    watching: Watching
    outputs: Outputs
    events: Events
    history: ModelHistory
    fleet_work: FleetWork
    prices: Prices


def open_stores(settings: Settings, engine: JobDatabase, timings: Timings) -> Stores:
    """The stores over a job database that is prepared, and the outputs that the settings name.
    `timings` note what is done with the outputs.
    """
    return Stores(
        campaigns=Campaigns(engine), attempts=Attempts(engine), ledgers=Ledgers(engine),
        brands=Brands(engine), profiles=Profiles(engine), layouts=Layouts(engine),
        listing=Listing(engine), control=Control(engine), costs=Costs(engine),
        links=Links(engine),
        orders=Orders(engine), tokens=Tokens(engine), projects=Projects(engine),
        uploads=Uploads(engine), removal=Removal(engine), reviews=Reviews(engine),
        events=Events(engine), watching=Watching(engine),
        outputs=TimedOutputs(settings.open_outputs(), timings),
        fleet_work=FleetWork(engine), history=ModelHistory(engine), codes=RenderCodes(engine),
        registry=Registry(engine),
        prices=prices_of(settings.pools()),
    )  # fmt: skip
