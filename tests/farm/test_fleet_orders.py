"""The fleet as operators meet it: orders over the API, the token, and a dispatcher that does as it
is told.
"""

import httpx
import pytest

from actors.recipes.jobs import Failure, FailureKind
from farm.app import embedded_farm, open_app, serve
from farm.campaign.checks import parse_campaign
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch.autoscaler import HASTE_S, SCALING_S
from farm.scheduling.values import Limits
from storage.errors import NotFound, RequestError
from storage.orders import Orders
from storage.rows import WorkerRow
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet

TOKEN = "0123456789abcdef-and-more"


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url, ray="192.0.2.1:6379")


@pytest.fixture
def farm(settings):
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        yield client


def seen(watching, queue):
    session = queue.lead(owner="o", host="h", pid=1)
    rows = [
        WorkerRow(
            name="spot-1",
            state="painting",
            pool="spot",
            node="host-a",
            node_id="aa",
            device="cpu",
            numerics_class="c",
            warm=None,
        ),
        WorkerRow(
            name="spot-2",
            state="idle",
            pool="spot",
            node="host-a",
            node_id="bb",
            device="cpu",
            numerics_class="c",
            warm=None,
        ),
    ]
    watching.save_workers(session, rows)


# --- orders ---


def test_orders_about_the_fleet_are_kept_and_told(farm, watching, queue):
    assert farm.scaling().as_json() == {
        "floor": None,
        "ceiling": None,
        "frozen": False,
        "draining": [],
        "orders": [],
        "workers": {},
    }
    seen(watching, queue)
    assert farm.scale(floor=1, ceiling=3).workers == {"painting": 1, "idle": 1}
    frozen = farm.scale(frozen=True)
    assert frozen == farm.scaling()
    assert (frozen.floor, frozen.ceiling, frozen.frozen) == (1, 3, True)
    with pytest.raises(RequestError, match="At least 4 workers and at most 3"):
        farm.scale(floor=4)
    assert farm.scaling().floor == 1
    assert [row.pool for row in farm.workers()] == ["spot", "spot"]
    floor, ceiling, frozen = farm.scaling().orders
    assert floor.startswith("The floor was set to 1 by ")
    assert ceiling.startswith("The ceiling was set to 3 by ")
    assert frozen.startswith("The fleet was frozen by ")
    assert "UTC" in frozen
    assert farm.scale(ceiling=2, default=True).orders == [
        ceiling for ceiling in farm.scaling().orders if "to 2" in ceiling
    ]
    unset = farm.scale(default=True)
    assert (unset.floor, unset.ceiling, unset.frozen, unset.orders) == (
        None,
        None,
        False,
        [],
    )


def test_a_campaign_says_that_an_order_or_a_missing_farm_keeps_it_waiting(farm, watching, queue):
    farm.submit(parse_campaign(data(name="spring")))
    (row,) = farm.campaigns()
    assert (
        row.standstill
        == farm.status("spring").standstill
        == "No farm is running: start one with `farm up`."
    )
    seen(watching, queue)
    assert farm.status("spring").standstill is None
    assert not any("ceiling" in reason for reason in farm.why("spring"))
    farm.scale(ceiling=2)
    (reason,) = [reason for reason in farm.why("spring") if "ceiling" in reason]
    assert reason.startswith("The ceiling was set to 2 by ")
    assert "farm scale --default" in reason
    farm.scale(ceiling=3)
    assert not any("ceiling" in reason for reason in farm.why("spring")), (
        "there is room for another"
    )
    farm.scale(frozen=True)
    assert any("The fleet was frozen by " in reason for reason in farm.why("spring"))


def test_what_is_drained_is_a_worker_or_a_node_that_is_there(farm, watching, queue):
    seen(watching, queue)
    for target in ("spot-1", "host-a", "bb"):
        assert target in farm.drain(target).draining
    with pytest.raises(NotFound, match="no worker and no node host-b"):
        farm.drain("host-b")
    assert farm.drain("host-a", undo=True).draining == ["bb", "spot-1"]
    with pytest.raises(NotFound, match="is not being drained"):
        farm.drain("host-a", undo=True)


def test_a_farm_on_this_machine_alone_has_no_node_to_spare(settings, watching, queue):
    seen(watching, queue)
    with (
        open_app(settings.model_copy(update={"ray": "local"})) as app,
        serve(app, 0) as url,
        Client(url) as farm,
    ):
        with pytest.raises(RequestError, match="nowhere else to go"):
            farm.drain("host-a")
        assert farm.drain("spot-1").draining == ["spot-1"]


# --- the token ---


def test_with_a_token_nothing_but_that_a_farm_is_there_is_told_to_strangers(settings):
    closed = settings.model_copy(update={"token": read_settings(token=TOKEN).token})
    with open_app(closed) as app, serve(app, 0) as url:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": TOKEN},
            {"Authorization": f"bearer {TOKEN}x"},
        ):
            for path in (
                "/api/v1/campaigns",
                "/metrics",
                "/api/docs",
                "/api/openapi.json",
                "/api/v1/health/..",
            ):
                assert httpx.get(url + path, headers=headers).status_code == 401, path
            page = httpx.get(f"{url}/", headers=headers)
            assert (page.status_code, page.content) == (303, b"")
            assert page.headers["location"].startswith("/login")
        assert httpx.post(f"{url}/api/v1/scaling", json={"floor": 1}).status_code == 401
        assert httpx.get(f"{url}/api/v1/health").status_code == 200
        with Client(url, token=TOKEN) as client, client.of("other") as other:
            assert client.campaigns() == other.campaigns() == []
        with Client(url) as client, pytest.raises(RequestError, match="FARM_TOKEN"):
            client.campaigns()


def test_a_farm_listens_to_strangers_only_with_a_token(settings):
    with (
        pytest.raises(RequestError, match="set FARM_TOKEN"),
        embedded_farm(settings, port=0, host="0.0.0.0"),
    ):
        pass
    closed = settings.model_copy(update={"token": read_settings(token=TOKEN).token})
    with (
        embedded_farm(closed, port=0, host="0.0.0.0") as farm,
        Client(farm.url, token=TOKEN) as client,
    ):
        assert client.campaigns() == []


def test_a_token_is_in_no_text(settings):
    closed = read_settings(token=TOKEN)
    assert TOKEN not in repr(closed) + str(closed) + closed.model_dump_json()
    with pytest.raises(RequestError, match="FARM_TOKEN") as refused:
        read_settings(token="short-secret")
    assert "short-secret" not in str(refused.value)


# --- the dispatcher and its fleet ---


def rounds(dispatcher, count=3, since=NOW):
    for k in range(count):
        dispatcher.tick(since + k * SCALING_S)
    return since + count * SCALING_S


def test_a_worker_that_is_drained_finishes_its_chunk_and_goes(start, campaign, engine, campaigns):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    first, second = fleet.jobs()
    Orders(engine).drain("w0")
    now = rounds(dispatcher, since=now)
    assert fleet.stopped == [(second.chunk_id, second.lease)]
    assert [chunk.chunk_id for chunk in fleet.workers["w0"].assigned] == [
        first.chunk_id,
        second.chunk_id,
    ], "it gets nothing more"
    assert list(fleet.workers) == ["w0", "w1"], "another takes its place"
    fleet.results = [fleet_answer(first), fleet_answer(second, FailureKind.STOPPED)]
    fleet.take()
    now = rounds(dispatcher, since=now)
    assert fleet.retired == ["w0"]
    assert Orders(engine).get().drains == {}
    assert campaigns.by_id(campaign.id).done == 3


def fleet_answer(job, kind=None):
    from tests.farm.fakes import answer

    return answer(job, "w0", kind and Failure(kind=kind, detail="stopped"))


@pytest.mark.parametrize(("left_s", "in_haste"), [(HASTE_S + 60, False), (HASTE_S - 1, True)])
def test_a_worker_whose_time_is_short_hands_back_all_it_has(
    start, campaign, campaigns, left_s, in_haste
):
    fleet = FakeFleet(1)
    orders = []
    fleet.stop = lambda worker, key, at_step=False: orders.append((key, at_step))
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    first, second = fleet.jobs()
    fleet.notices = {"w0": left_s}
    now = rounds(dispatcher, since=now)
    assert orders == [
        ((second.chunk_id, second.lease), False),
        ((first.chunk_id, first.lease), in_haste),
    ]
    fleet.results = [
        fleet_answer(first, FailureKind.STOPPED),
        fleet_answer(second, FailureKind.STOPPED),
    ]
    fleet.take()
    rounds(dispatcher, since=now)
    assert fleet.retired == ["w0"]
    row = campaigns.by_id(campaign.id)
    assert (row.failed, row.held) == (0, 0)


def test_workers_beyond_a_lowered_ceiling_get_nothing_more_and_go_after_their_chunk(
    start, campaign, engine
):
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    assert all(worker.assigned for worker in fleet.workers.values())
    Orders(engine).scale(ceiling=1, by="ann@studio")
    now = rounds(dispatcher, since=now)
    (surplus,) = dispatcher._autoscaler.leaving
    assert fleet.stopped == [chunk.key for chunk in fleet.workers[surplus].assigned[1:]], (
        "it hands back what it has not begun"
    )
    Orders(engine).scale(ceiling=None)
    rounds(dispatcher, since=now)
    assert dispatcher._autoscaler.leaving == frozenset(), "an order that is taken back keeps it"


def test_an_idle_worker_goes_at_once_when_the_ceiling_is_0_and_takes_no_work(
    start, service, engine
):
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    Orders(engine).scale(floor=1)
    now = rounds(dispatcher)
    assert list(fleet.workers) == ["w0"]
    Orders(engine).scale(ceiling=0)
    rounds(dispatcher, since=now)
    assert fleet.retired == ["w0"]


def test_a_node_is_drained_once_with_all_that_is_on_it(start, campaign, engine):
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    Orders(engine).drain("n")
    rounds(dispatcher, since=now)
    assert fleet.drained == [""], "as the fakes have no node of their own"
    assert len(fleet.stopped) == 2


def test_workers_go_when_they_have_been_idle_and_a_floor_keeps_some(start, service, engine):
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    Orders(engine).scale(floor=2)
    now = rounds(dispatcher)
    assert len(fleet.workers) == 2, "although nothing waits"
    dispatcher.tick(now + 1000)
    dispatcher.tick(now + 2000)
    assert fleet.retired == []
    Orders(engine).scale(floor=1)
    dispatcher.tick(now + 3000)
    assert len(fleet.retired) == 1
    Orders(engine).scale(floor=0, is_frozen=True)
    dispatcher.tick(now + 4000)
    assert len(fleet.retired) == 1
    Orders(engine).scale(is_frozen=False)
    dispatcher.tick(now + 5000)
    assert len(fleet.retired) == 2


def test_work_that_came_and_went_between_two_looks_counts_as_work(start, service, campaigns):
    """The fleet is looked at once a second, and a chunk may take less than that."""
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    service.submit("p", data())
    now = rounds(dispatcher)
    while campaigns.get("p", "spring").done < 18:
        fleet.paint()
        dispatcher.tick(now)
    now = rounds(dispatcher, since=now)
    service.submit("p", data(name="later"))
    idle_s = Limits(ceiling=1).idle_s
    dispatcher.tick(now + idle_s - SCALING_S)
    while campaigns.get("p", "later").done < 18:
        fleet.paint()
        dispatcher.tick(now + idle_s - SCALING_S)
    rounds(dispatcher, since=now + idle_s)
    assert fleet.retired == []
    rounds(dispatcher, since=now + 2 * idle_s)
    assert fleet.retired == ["w0"]
