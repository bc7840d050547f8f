"""The farm put together: every part is made here and handed to those that need it."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import APIRouter, FastAPI
from limits import parse

from farm.api.access import project_routes, token_routes
from farm.api.brands import brand_routes
from farm.api.campaigns import (
    campaign_routes,
    control_routes,
    explaining_routes,
    manifest_routes,
    submission_routes,
)
from farm.api.connections import Connections
from farm.api.costs import cost_routes
from farm.api.diff import diff_routes
from farm.api.files import file_routes, prune_routes, repair_routes
from farm.api.fleet import farm_routes, fleet_routes
from farm.api.hidden_paths import own_folders
from farm.api.links import link_routes
from farm.api.lists import campaign_list_routes, render_list_routes
from farm.api.live import Listeners, event_routes, stream_routes
from farm.api.maps import map_routers
from farm.api.models import model_routes
from farm.api.operations import operation_routes
from farm.api.outputs import output_routes
from farm.api.pauses import short_pauses
from farm.api.prompts import prompt_routes
from farm.api.registry import registry_routes
from farm.api.renders import render_routers
from farm.api.reviews import review_routes
from farm.api.routes import make_api
from farm.api.serving import serve
from farm.api.sheets import sheet_routes
from farm.api.steps import step_routes
from farm.api.texts import text_routes
from farm.api.uploads import upload_routes
from farm.config import Settings, known_secrets
from farm.dispatch.beginning import beginning, unusable
from farm.dispatch.supervisor import Supervisor
from farm.estimating import estimating_routes
from farm.home import Home
from farm.logs import log_to_file, shown_on
from farm.monitoring import meters_of, metrics_of
from farm.readings import (
    fleet_reading_of,
    model_reading_of,
    pacing_of,
    reading_of,
    step_reading_of,
)
from farm.service.brands import BrandService
from farm.service.campaign_texts import CampaignTexts
from farm.service.control import CampaignControl
from farm.service.costs import CostReading
from farm.service.diagnosis import Diagnosis
from farm.service.diff import Diffs
from farm.service.estimate import Estimates
from farm.service.events import EventReading
from farm.service.explaining import Explaining
from farm.service.fleet import FleetService
from farm.service.identity import Identities
from farm.service.intake import Intake
from farm.service.leftovers import Leftovers
from farm.service.links import LinkService
from farm.service.lists import Lists
from farm.service.local_files import LocalFiles
from farm.service.logins import LoginService
from farm.service.logs import LogReading
from farm.service.output_files import OutputFiles
from farm.service.preview_pruning import PreviewPruner
from farm.service.projects import ProjectService
from farm.service.prompt_list import PromptLists
from farm.service.pruning import Pruner
from farm.service.quotas import ProjectRoom
from farm.service.readiness import Readiness
from farm.service.reading import Reading
from farm.service.repainting import Repaints
from farm.service.repair import Repairs
from farm.service.review_reading import ReviewReading
from farm.service.reviews import ReviewService
from farm.service.sheets import Sheets
from farm.service.submission import Submissions
from farm.service.tokens import TokenService
from farm.service.uploads import UploadService
from farm.setting_groups import HOST, LOOPBACK
from farm.stores import Stores, open_stores
from farm.taking_in import intake_of, registry_of
from farm.telling import telling_routers
from farm.web.pages import page_routes
from farm.web.provider import Provider
from storage.answers import Answers
from storage.database import closing_engine, prepare, shown_address
from storage.logins import Logins
from storage.measured import measured
from storage.tokens import Tokens


@dataclass(frozen=True)
class RunningFarm:
    """An embedded farm: its address, and the process that keeps its dispatcher alive."""

    url: str
    supervisor: Supervisor


@contextmanager
def open_app(
    settings: Settings, host: str = HOST, own_token: str | None = None
) -> Iterator[FastAPI]:
    """The API over a home's database and outputs, for those who reach it on `host`. The tables of
    a SQLite database are brought up to date. Whoever shows `own_token` is an admin.
    """
    Home(settings.home).make()
    with (
        closing_engine(settings.database_address) as engine,
        _identities(settings, Tokens(engine), host, own_token) as identities,
    ):
        prepare(engine)
        meters = meters_of(engine)
        stores = open_stores(settings, engine, meters.outputs)
        allowed = _allowed_paths(settings, host)
        files, uploads = LocalFiles(allowed), UploadService(stores.uploads, stores.outputs)
        intake = intake_of(settings, stores, files, uploads)
        own = own_folders(settings.home, Path(settings.outputs_address))
        connections, listeners = Connections(), Listeners()
        events, links = EventReading(stores.events), LinkService(stores.links, stores.campaigns)
        provider = Provider(settings) if settings.oidc_issuer else None
        believed = provider.digest if provider else None
        logins = LoginService(identities, Logins(engine), links, believed)
        metrics = metrics_of(
            settings, engine, stores, meters, pacing_of(settings, stores), connections, listeners
        )
        app = make_api(
            [
                *_routers(settings, stores, intake, uploads, files),
                *map_routers(stores.campaigns, stores.reviews, stores.codes, stores.outputs),
                *render_routers(
                    stores.campaigns, stores.reviews, stores.outputs, step_reading_of(stores)
                ),
                stream_routes(events, listeners),
                event_routes(events),
                link_routes(links),
                *telling_routers(settings, engine),
                estimating_routes(settings, measured(engine), intake),
            ],
            metrics,
            Answers(engine),
            rate=parse(settings.rate),
            identities=identities,
            logins=logins,
            pages=_pages(settings, stores, events, logins, provider),
            hidden=() if allowed is None else own,
            shown=allowed or (),
        )
        app.state.connections, app.state.listeners = connections, listeners
        app.state.proxies = settings.proxies
        yield app


@contextmanager
def embedded_farm(
    settings: Settings,
    *,
    port: int,
    host: str = HOST,
    shown: str | None = None,
    supervisor: Supervisor | None = None,
) -> Iterator[RunningFarm]:
    """A farm for as long as the block lasts: its API serves at once, its dispatcher is the
    caller's to start. `shown` says how its events are shown on standard output, if at all: json
    or text. `supervisor` is the one of a `beginning` around this.

    Raises RequestError where the home has a farm already, or where anybody could give it orders.
    """
    with nullcontext(supervisor) if supervisor else beginning(settings, host, shown) as keeper:
        _log(settings, shown)
        with (
            Home(settings.home).own_token() as own_token,
            open_app(settings, host, own_token) as app,
            serve(app, port, host) as url,
            Home(settings.home).published(url),
            short_pauses(),
        ):
            try:
                yield RunningFarm(url, keeper)
            finally:
                keeper.stop()


def _identities(
    settings: Settings, tokens: Tokens, host: str, own_token: str | None
) -> Identities:
    admins = {"FARM_TOKEN": settings.secret, "(farm)": own_token}
    return Identities(
        tokens,
        admins={name: secret for name, secret in admins.items() if secret is not None},
        is_open=settings.secret is None and settings.oidc_issuer is None and host in LOOPBACK,
    )


def _pages(
    settings: Settings,
    stores: Stores,
    events: EventReading,
    logins: LoginService,
    provider: Provider | None,
) -> Iterable[APIRouter]:
    return page_routes(
        reading=reading_of(settings, stores), logins=logins, campaigns=stores.campaigns,
        reviews=stores.reviews, watching=stores.watching, events=events,
        fleet=_fleet_service(settings, stores), fleet_reading=fleet_reading_of(stores),
        projects=ProjectService(stores.projects), tokens=TokenService(stores.tokens),
        models=model_reading_of(stores), brands=BrandService(stores.brands),
        provider=provider, address=settings.address,
    )  # fmt: skip


def _log(settings: Settings, shown: str | None) -> None:
    known = known_secrets(settings)
    beside = shown_on(sys.stdout, shown, known=known) if shown else None
    try:
        log_to_file(Home(settings.home).logs / "api.log", known=known, beside=beside)
    except OSError as exc:
        raise unusable(settings.home, exc) from exc


def _preview_pruner(stores: Stores) -> PreviewPruner:
    return PreviewPruner(
        campaigns=stores.campaigns, removal=stores.removal, outputs=stores.outputs
    )


def _reading_routers(stores: Stores, reading: Reading) -> list[APIRouter]:
    lists = Lists(
        listing=stores.listing, campaigns=stores.campaigns, reviews=stores.reviews, reading=reading
    )
    return [
        campaign_list_routes(lists), render_list_routes(lists), campaign_routes(reading),
        manifest_routes(reading), output_routes(OutputFiles(stores.outputs)),
    ]  # fmt: skip


def _reviewing(stores: Stores, chunk: int | None) -> ReviewService:
    return ReviewService(
        campaigns=stores.campaigns,
        reviews=stores.reviews,
        watching=stores.watching,
        outputs=stores.outputs,
        chunk=chunk,
        room=ProjectRoom(stores.projects),
    )


def _review_router(stores: Stores, reviewing: ReviewService) -> APIRouter:
    reading = ReviewReading(campaigns=stores.campaigns, reviews=stores.reviews)
    return review_routes(reviewing, reading)


def _diagnosis(settings: Settings, stores: Stores) -> Diagnosis:
    return Diagnosis(
        watching=stores.watching,
        outputs=stores.outputs,
        version=version("seedbed"),
        database=shown_address(settings.database_address),
    )


def _fleet_service(settings: Settings, stores: Stores) -> FleetService:
    is_alone = settings.ray == "local"
    return FleetService(orders=stores.orders, watching=stores.watching, is_alone=is_alone)


def _access_routers(settings: Settings, stores: Stores, files: LocalFiles) -> list[APIRouter]:
    return [
        registry_routes(registry_of(settings, stores, files)),
        token_routes(TokenService(stores.tokens), files),
        project_routes(ProjectService(stores.projects)),
    ]


def _leftovers(stores: Stores) -> Leftovers:
    return Leftovers(campaigns=stores.campaigns, reviews=stores.reviews, outputs=stores.outputs)


def _routers(
    settings: Settings, stores: Stores, intake: Intake, uploads: UploadService, files: LocalFiles
) -> list[APIRouter]:
    """The services over the stores, and the API's routes to them."""
    campaigns, control, watching = stores.campaigns, stores.control, stores.watching
    outputs, chunk, room = stores.outputs, settings.chunk, ProjectRoom(stores.projects)
    reading, reviewing = reading_of(settings, stores), _reviewing(stores, chunk)
    submissions = Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs,
        brands=stores.brands, profiles=stores.profiles, intake=intake, chunk=chunk,
        prices=stores.prices, room=room, reviewing=reviewing,
    )  # fmt: skip
    estimates = Estimates(
        campaigns=campaigns, watching=watching, outputs=outputs, brands=stores.brands,
        profiles=stores.profiles, intake=intake, chunk=chunk, prices=stores.prices, room=room,
    )  # fmt: skip
    repaints = Repaints(
        campaigns=campaigns, watching=watching, outputs=outputs, intake=intake, chunk=chunk
    )
    repairs = Repairs(campaigns=campaigns, control=control, outputs=outputs, repaints=repaints)
    controls = CampaignControl(
        campaigns=campaigns, control=control, watching=watching, chunk=chunk
    )
    pruner = Pruner(campaigns=campaigns, removal=stores.removal, outputs=outputs, uploads=uploads)
    return [
        submission_routes(submissions, estimates, reading),
        text_routes(CampaignTexts(estimates, submissions, uploads), reading),
        *_reading_routers(stores, reading),
        sheet_routes(Sheets(campaigns=campaigns, reviews=stores.reviews, outputs=outputs)),
        brand_routes(BrandService(stores.brands)),
        prompt_routes(PromptLists(intake, BrandService(stores.brands))),
        step_routes(step_reading_of(stores)),
        model_routes(model_reading_of(stores)),
        cost_routes(CostReading(campaigns=campaigns, costs=stores.costs, reviews=stores.reviews)),
        diff_routes(Diffs(campaigns=campaigns, outputs=outputs)),
        file_routes(reading, _leftovers(stores)),
        repair_routes(repaints, repairs, reading),
        prune_routes(pruner, _preview_pruner(stores)),
        control_routes(controls, reading),
        explaining_routes(
            Explaining(campaigns=campaigns, reviews=stores.reviews, watching=watching)
        ),
        _review_router(stores, reviewing),
        operation_routes(
            _diagnosis(settings, stores), LogReading(Home(settings.home).logs, campaigns)
        ),
        fleet_routes(reading, _fleet_service(settings, stores), fleet_reading_of(stores)),
        upload_routes(uploads),
        *_access_routers(settings, stores, files),
        farm_routes(Readiness(watching, outputs), Home(settings.home).digest),
    ]


def _allowed_paths(settings: Settings, host: str) -> tuple[Path, ...] | None:
    """Whoever is on this machine may name any of its files: None. Others, those in the folders
    that the operator names.
    """
    return settings.allowed_paths if host in LOOPBACK else settings.allowed_paths or ()
