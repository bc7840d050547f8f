"""The fleet as operators meet it: orders over the API, the token, and a dispatcher that does as it is told."""

import httpx
import pytest

from actors.jobs import Failure, FailureKind
from farm.app import embedded_farm, open_app, serve
from farm.autoscaler import HASTE_S, SCALING_S
from farm.client import Client
from farm.config import read_settings
from storage.errors import NotFound, RequestError
from storage.orders import Orders
from storage.rows import WorkerRow
from tests.farm.test_dispatcher import NOW, FakeFleet, campaign, service, start  # noqa: F401  # fixtures

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
        WorkerRow(name="spot-1", state="painting", pool="spot", node="host-a", node_id="aa", device="cpu", numerics_class="c", warm=None),
        WorkerRow(name="spot-2", state="idle", pool="spot", node="host-a", node_id="bb", device="cpu", numerics_class="c", warm=None),
    ]
    watching.save_workers(session, rows)


# --- orders ---


def test_orders_about_the_fleet_are_kept_and_told(farm, watching, queue):
    assert farm.scaling() == {"floor": None, "ceiling": None, "frozen": False, "draining": [], "workers": {}}
    seen(watching, queue)
    assert farm.scale(floor=1, ceiling=3)["workers"] == {"painting": 1, "idle": 1}
    assert farm.scale(frozen=True) == {**farm.scaling(), "floor": 1, "ceiling": 3, "frozen": True}
    with pytest.raises(RequestError, match="At least 4 workers and at most 3"):
        farm.scale(floor=4)
    assert farm.scaling()["floor"] == 1
    assert [row["pool"] for row in farm.workers()] == ["spot", "spot"]


def test_what_is_drained_is_a_worker_or_a_node_that_is_there(farm, watching, queue):
    seen(watching, queue)
    for target in ("spot-1", "host-a", "bb"):
        assert target in farm.drain(target)["draining"]
    with pytest.raises(NotFound, match="no worker and no node host-b"):
        farm.drain("host-b")
    assert farm.drain("host-a", undo=True)["draining"] == ["bb", "spot-1"]
    with pytest.raises(NotFound, match="is not being drained"):
        farm.drain("host-a", undo=True)


def test_a_farm_on_this_machine_alone_has_no_node_to_spare(settings, watching, queue):
    seen(watching, queue)
    with open_app(settings.model_copy(update={"ray": "local"})) as app, serve(app, 0) as url, Client(url) as farm:
        with pytest.raises(RequestError, match="nowhere else to go"):
            farm.drain("host-a")
        assert farm.drain("spot-1")["draining"] == ["spot-1"]


# --- the token ---


def test_with_a_token_nothing_but_that_a_farm_is_there_is_told_to_strangers(settings):
    closed = settings.model_copy(update={"token": read_settings(token=TOKEN).token})
    with open_app(closed) as app, serve(app, 0) as url:
        for path in ("/api/v1/campaigns", "/metrics", "/api/docs", "/api/openapi.json", "/api/v1/health/..", "/"):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"bearer {TOKEN}x"}):
                assert httpx.get(url + path, headers=headers).status_code == 401, path
        assert httpx.post(f"{url}/api/v1/scaling", json={"floor": 1}).status_code == 401
        assert httpx.get(f"{url}/api/v1/health").status_code == 200
        with Client(url, token=TOKEN) as client, client.of("other") as other:
            assert client.campaigns() == other.campaigns() == []
        with Client(url) as client, pytest.raises(RequestError, match="FARM_TOKEN"):
            client.campaigns()


def test_a_farm_listens_to_strangers_only_with_a_token(settings):
    with pytest.raises(RequestError, match="set FARM_TOKEN"), embedded_farm(settings, port=0, host="0.0.0.0"):
        pass
    closed = settings.model_copy(update={"token": read_settings(token=TOKEN).token})
    with embedded_farm(closed, port=0, host="0.0.0.0") as farm, Client(farm.url, token=TOKEN) as client:
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


def test_a_worker_that_is_drained_finishes_its_chunk_and_goes(start, campaign, engine, campaigns):  # noqa: F811
    fleet = FakeFleet(1)
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    first, second = fleet.jobs()
    Orders(engine).drain("w0")
    now = rounds(dispatcher, since=now)
    assert fleet.stopped == [(second.chunk_id, second.lease)]
    assert [held.chunk_id for held in fleet.workers["w0"].held] == [first.chunk_id, second.chunk_id], "it gets nothing more"
    assert list(fleet.workers) == ["w0", "w1"], "another takes its place"
    fleet.results = [fleet_answer(first), fleet_answer(second, FailureKind.STOPPED)]
    fleet.workers["w0"].jobs.clear()
    now = rounds(dispatcher, since=now)
    assert fleet.retired == ["w0"]
    assert Orders(engine).get().drains == frozenset()
    assert campaigns.by_id(campaign.id).done == 3


def fleet_answer(job, kind=None):
    from tests.farm.test_dispatcher import answer

    return answer(job, "w0", kind and Failure(kind=kind, detail="stopped"))


@pytest.mark.parametrize(("left_s", "in_haste"), [(HASTE_S + 60, False), (HASTE_S - 1, True)])
def test_a_worker_whose_time_is_short_hands_back_all_it_has(start, campaign, campaigns, left_s, in_haste):  # noqa: F811
    fleet = FakeFleet(1)
    orders = []
    fleet.stop = lambda worker, key, at_step=False: orders.append((key, at_step))
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    first, second = fleet.jobs()
    fleet.notices = {"w0": left_s}
    now = rounds(dispatcher, since=now)
    assert orders == [((second.chunk_id, second.lease), False), ((first.chunk_id, first.lease), in_haste)]
    fleet.results = [fleet_answer(first, FailureKind.STOPPED), fleet_answer(second, FailureKind.STOPPED)]
    fleet.take()
    rounds(dispatcher, since=now)
    assert fleet.retired == ["w0"]
    row = campaigns.by_id(campaign.id)
    assert (row.failed, row.held) == (0, 0)


def test_a_node_is_drained_once_with_all_that_is_on_it(start, campaign, engine):  # noqa: F811
    fleet = FakeFleet(2)
    dispatcher = start(fleet)
    now = rounds(dispatcher)
    Orders(engine).drain("n")
    rounds(dispatcher, since=now)
    assert fleet.drained == [""], "as the fakes have no node of their own"
    assert len(fleet.stopped) == 2


def test_workers_go_when_they_have_been_idle_and_a_floor_keeps_some(start, service, engine):  # noqa: F811
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
