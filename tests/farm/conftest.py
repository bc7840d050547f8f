"""A dispatcher over a real queue and a fleet that does as it is told."""

import pytest

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from farm.dispatch.autoscaler import Autoscaler
from farm.dispatch.dispatcher import Dispatcher
from farm.dispatch.finishing import Finishing
from farm.dispatch.replanning import Replanning
from farm.scheduling.spending import prices_of
from farm.scheduling.values import Limits, Pool
from farm.service.estimate import Estimates
from farm.service.explaining import Explaining
from farm.service.reading import Reading
from farm.service.reviews import ReviewService
from farm.service.submission import Submissions
from farm.service.updating import Updates
from storage.canaries import Canaries
from storage.layouts import Layouts
from storage.ledgers import Ledgers
from storage.orders import Orders
from storage.reuse import Reuse
from storage.reviews import Reviews
from tests.campaigns import data
from tests.farm.fakes import AtOnce, FakeFleet

RESTING = dict(seeds=[7], vary={"n": list(range(48))}, prompt="a mug {n}", settings={"steps": 10})


@pytest.fixture
def service(campaigns, control, watching, outputs, brands):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands,
        chunk=3,
    )  # fmt: skip


@pytest.fixture
def estimates(campaigns, watching, outputs, brands):
    return Estimates(campaigns=campaigns, watching=watching, outputs=outputs, brands=brands)


@pytest.fixture
def reading(engine, campaigns, watching, outputs):
    return Reading(
        campaigns=campaigns, reviews=Reviews(engine), watching=watching, outputs=outputs
    )


@pytest.fixture
def explaining(engine, campaigns, watching):
    return Explaining(campaigns=campaigns, reviews=Reviews(engine), watching=watching)


@pytest.fixture
def updates(campaigns, control, watching):
    return Updates(campaigns=campaigns, control=control, watching=watching, chunk=3)


@pytest.fixture
def start(engine, queue, settling, campaigns, watching, outputs, updates):
    begun = []

    def start(fleet, owner="one", quotas=None, spent_months=None, pools=(), **weights):
        session = queue.lead(owner=owner, host="h", pid=1)
        dispatcher = Dispatcher(
            session=session,
            queue=queue,
            settling=settling,
            campaigns=campaigns,
            watching=watching,
            canaries=Canaries(engine),
            reuse=Reuse(engine),
            ledgers=Ledgers(engine),
            finishing=Finishing(
                campaigns=campaigns,
                reviews=Reviews(engine),
                service=ReviewService(
                    campaigns=campaigns,
                    reviews=Reviews(engine),
                    watching=watching,
                    outputs=outputs,
                ),
                outputs=outputs,
            ),
            replanning=Replanning(updates, AtOnce()),
            layouts=Layouts(engine),
            fleet=fleet,
            autoscaler=Autoscaler(
                fleet=fleet,
                queue=queue,
                orders=Orders(engine),
                campaigns=campaigns,
                pools=pools or [Pool()],
                limits=Limits(ceiling=fleet.size),
                quotas=quotas or {},
                spent_months={} if spent_months is None else spent_months,
            ),
            weights=weights,
            quotas=quotas or {},
            spent_months={} if spent_months is None else spent_months,
            prices=prices_of(pools),
        )
        dispatcher.adopt()
        begun.append(dispatcher)
        return dispatcher

    yield start
    for dispatcher in begun:
        dispatcher.close()


@pytest.fixture
def campaign(service):
    return service.submit("p", data())[0]  # 18 renders in 6 chunks


@pytest.fixture
def resting(service, start, outputs, campaigns):
    """Submits a campaign and paints it with a worker that rests; returns its row."""

    def paint(**changes):
        row, _ = service.submit("p", data(**{**RESTING, **changes}))
        fleet = FakeFleet(1)
        dispatcher, painter = start(fleet), Painter("w", RestingEngine(0.0), outputs)
        for now in range(60):
            dispatcher.tick(float(now))
            fleet.results += [painter.paint(job) for job, _ in fleet.take()]
        return campaigns.get("p", row.name)

    return paint
