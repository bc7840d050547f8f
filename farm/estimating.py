"""Estimates put together, over a job database."""

from fastapi import APIRouter

from farm.api.estimates import estimate_routes
from farm.config import Settings
from farm.scheduling.spending import prices_of
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks
from farm.service.forecasts import Fleet, Forecasts
from farm.service.intake import Intake
from farm.service.live_quotas import live_quotas
from farm.service.pacing import Pacing
from farm.service.probes import Probes
from farm.service.quotas import ProjectRoom
from storage.measured import Measured


def estimating_routes(settings: Settings, measured: Measured, intake: Intake) -> APIRouter:
    """The routes about estimates."""
    campaigns, watching, pools = measured.campaigns, measured.watching, settings.pools()
    prices = prices_of(pools)
    checks = CampaignChecks(intake, BrandService(measured.brands), measured.profiles, prices)
    quotas = live_quotas(settings.quotas, measured.projects.worker_limits)
    room = ProjectRoom(measured.projects, quotas)
    pacing = Pacing(
        campaigns=campaigns,
        attempts=measured.attempts,
        ledgers=measured.ledgers,
        watching=watching,
        weights=settings.shares,
        quotas=quotas,
    )
    fleet = Fleet(pools=pools, limits=settings.limits(), prices=prices)
    forecasts = Forecasts(
        campaigns=campaigns,
        checks=checks,
        history=measured.history,
        orders=measured.orders,
        pacing=pacing,
        open_reuse=measured.open_reuse,
        fleet=fleet,
        room=room,
    )
    probes = Probes(
        campaigns=campaigns, watching=watching, checks=checks, intake=intake,
        room=room, chunk=settings.chunk,
    )  # fmt: skip
    return estimate_routes(forecasts, probes)
