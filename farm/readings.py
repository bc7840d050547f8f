"""What pages and routes read through, over the stores of a home."""

from farm.config import Settings
from farm.service.fleet_reading import FleetReading
from farm.service.live_quotas import live_quotas
from farm.service.model_reading import ModelReading
from farm.service.pacing import FRESH_S, Pacing
from farm.service.reading import Reading
from farm.service.steps import StepReading
from farm.stores import Stores


def reading_of(settings: Settings, stores: Stores) -> Reading:
    return Reading(
        campaigns=stores.campaigns, reviews=stores.reviews, watching=stores.watching,
        outputs=stores.outputs, pacing=pacing_of(settings, stores),
    )  # fmt: skip


def step_reading_of(stores: Stores) -> StepReading:
    return StepReading(
        campaigns=stores.campaigns, reviews=stores.reviews, layouts=stores.layouts,
        profiles=stores.profiles, outputs=stores.outputs, watching=stores.watching,
    )  # fmt: skip


def fleet_reading_of(stores: Stores) -> FleetReading:
    return FleetReading(watching=stores.watching, work=stores.fleet_work, events=stores.events)


def pacing_of(settings: Settings, stores: Stores) -> Pacing:
    return Pacing(
        campaigns=stores.campaigns,
        attempts=stores.attempts,
        ledgers=stores.ledgers,
        watching=stores.watching,
        weights=settings.shares,
        quotas=live_quotas(settings.quotas, stores.projects.worker_limits),
        fresh_s=FRESH_S,
    )


def model_reading_of(stores: Stores) -> ModelReading:
    return ModelReading(
        history=stores.history, profiles=stores.profiles, watching=stores.watching,
        registry=stores.registry,
    )  # fmt: skip
