"""Estimates put together, over a job database and the outputs."""

from functools import partial

from fastapi import APIRouter
from sqlalchemy import Engine

from farm.api.estimates import estimate_routes
from farm.config import Settings
from farm.scheduling.spending import prices_of
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks
from farm.service.forecasts import Fleet, Forecasts
from farm.service.intake import Intake
from farm.service.local_files import LocalFiles
from farm.service.pacing import Pacing
from farm.service.probes import Probes
from storage.attempts import Attempts
from storage.brands import Brands
from storage.campaigns import Campaigns
from storage.ledgers import Ledgers
from storage.model_history import ModelHistory
from storage.orders import Orders
from storage.profiles import Profiles
from storage.reuse import Reuse
from storage.store import Outputs
from storage.watching import Watching


def estimating_routes(
    settings: Settings, engine: Engine, outputs: Outputs, files: LocalFiles
) -> APIRouter:
    """The routes about estimates. `files` are those of this machine that a campaign may name."""
    campaigns, watching, pools = Campaigns(engine), Watching(engine), settings.pools()
    prices, buckets = prices_of(pools), settings.reference_buckets
    intake = Intake(outputs, buckets=buckets, s3_style=settings.s3_style, files=files)
    checks = CampaignChecks(intake, BrandService(Brands(engine)), Profiles(engine), prices)
    pacing = Pacing(
        campaigns=campaigns,
        attempts=Attempts(engine),
        ledgers=Ledgers(engine),
        watching=watching,
        weights=settings.shares,
        quotas=settings.quotas,
    )
    fleet = Fleet(pools=pools, limits=settings.limits(), prices=prices, quotas=settings.quotas)
    forecasts = Forecasts(
        campaigns=campaigns,
        checks=checks,
        history=ModelHistory(engine),
        orders=Orders(engine),
        pacing=pacing,
        open_reuse=partial(Reuse, engine),
        fleet=fleet,
    )
    probes = Probes(
        campaigns=campaigns, watching=watching, checks=checks, intake=intake, chunk=settings.chunk
    )
    return estimate_routes(forecasts, probes)
