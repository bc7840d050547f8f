"""The parts of one job database that estimates are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine

from storage.attempts import Attempts
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.ledgers import Ledgers
from storage.model_history import ModelHistory
from storage.orders import Orders
from storage.profiles import Profiles
from storage.projects import Projects
from storage.registry import Registry
from storage.reuse import Reuse
from storage.watching import Watching


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Campaigns, and what painting them has shown. `open_reuse` reads anew what projects have."""

    campaigns: Campaigns
    attempts: Attempts
    brands: Brands
    history: ModelHistory
    ledgers: Ledgers
    open_reuse: Callable[[], Reuse]
    orders: Orders
    profiles: Profiles
    projects: Projects
    registry: Registry
    watching: Watching


def measured(engine: Engine) -> Measured:
    return Measured(
        campaigns=Campaigns(engine),
        attempts=Attempts(engine),
        brands=Brands(engine),
        history=ModelHistory(engine),
        ledgers=Ledgers(engine),
        open_reuse=partial(Reuse, engine),
        orders=Orders(engine),
        profiles=Profiles(engine),
        projects=Projects(engine),
        registry=Registry(engine),
        watching=Watching(engine),
    )
