"""The page of the fleet: what workers do, and orders to them, for those who may give any."""

import re

import httpx
import pytest

from farm.config import read_settings
from farm.service.access import Access, Role
from farm.service.fleet import FleetService
from farm.service.secrets import new_secret
from farm.web.fleet import nodes_of, states_of
from farm.web.rendering import links_for
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound
from storage.orders import Orders
from storage.queue import Queue
from storage.rows import WorkerRow
from storage.states import WorkerState
from storage.tokens import Tokens
from storage.watching import Watching
from tests.campaigns import campaign
from tests.web.conftest import served
from tests.web.looking import assert_everybody_can_use
from tests.web.painted import PROOFED, paint

ADMIN = "the-token-of-the-admin-here"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home", ray="192.0.2.1:6379")


def worker(name, state=WorkerState.IDLE, node="host-a", **changes):
    base = dict(pool="gpu", node_id=f"id-of-{node}", device="cpu", numerics_class="c", warm=None)
    return WorkerRow(**{"name": name, "state": state, "node": node, **base, **changes})


@pytest.fixture
def fleet(settings, url, client):
    """A campaign in part with a worker, and three others on two nodes."""
    client.submit(campaign(name="spring", **PROOFED))
    client.submit(campaign(name="autumn"))
    paint(settings, "spring", proofs=True)
    with closing_engine(settings.database_address) as engine:
        queue = Queue(engine)
        session = queue.lead(owner="o", host="head", pid=1)
        digest = seedling_digest(engine)
        autumn = Campaigns(engine).get("default", "autumn")
        queue.claim(session, [(autumn.id, "gpu-1")])
        Watching(engine).save_workers(
            session,
            [
                worker("gpu-1", WorkerState.PAINTING, loaded=(digest,)),
                worker("gpu-2", WorkerState.DRAINING),
                worker("gpu-3", WorkerState.QUARANTINED, "host-b", quarantined_until=2e9,
                       quarantined_why="It paints <b>other</b> pixels."),
                worker("gpu-4", WorkerState.STARTING, None, node_id=None, device=None),
            ],
        )  # fmt: skip
        orders = Orders(engine)
        orders.note_change(why=["1 worker was asked for."], start=["gpu"])
        orders.drain("gpu-2", by="ann")
    return client


def seedling_digest(engine):
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT model_digest FROM campaigns").scalar()


def test_the_api_tells_what_each_worker_does(fleet):
    overview = fleet.fleet()
    first = overview.workers[0]
    assert (first.name, first.models) == ("gpu-1", ["seedling"])
    assert [(one.campaign, one.stage) for one in first.paints] == [("autumn", "final")]
    assert overview.leader == "head"
    assert overview.use[""].painted_s >= 0
    kinds = [change.kind for change in overview.changes]
    assert kinds == ["fleet.drain_ordered", "fleet.scaled", "worker.quarantined"]


def test_everybody_can_read_it_in_every_window(look, fleet):
    page = look.open("/fleet")
    text = page.locator("#fleet").inner_text()
    assert "autumn" in text
    assert "1 worker was asked for." in text
    assert "It paints <b>other</b> pixels." in text
    assert_everybody_can_use(page)


def test_a_worker_is_drained_after_a_question_and_stays_if_that_is_taken_back(look, fleet):
    page = look.open("/fleet")
    button = page.get_by_role("button", name="Drain gpu-1")
    button.click()
    page.get_by_role("button", name="Leave it").click()
    assert fleet.scaling().draining == ["gpu-2"]
    button.click()
    page.get_by_role("button", name="Drain", exact=True).click()
    page.get_by_text("gpu-1 gets nothing more").wait_for()
    assert fleet.scaling().draining == ["gpu-1", "gpu-2"]
    page.get_by_role("button", name="Stop draining gpu-1").click()
    page.get_by_text("gpu-1 stays.").wait_for()
    assert fleet.scaling().draining == ["gpu-2"]


def test_a_refused_order_says_why(look, fleet, monkeypatch):
    page = look.open("/fleet")
    page.get_by_role("button", name="Drain the node").first.click()
    monkeypatch.setattr(FleetService, "drain", refuse)
    page.get_by_role("button", name="Drain", exact=True).click()
    page.get_by_text("There is no worker and no node").wait_for()
    look.pass_over("404")


def refuse(*_, **__):
    raise NotFound("There is no worker and no node host-a.")


def test_a_farm_without_workers_says_what_to_do(http):
    text = http.get("/fleet").text
    assert "No workers" in text
    assert "farm up" in text


def test_only_operators_are_offered_orders_and_only_the_farms_viewers_see_the_fleet(tmp_path):
    settings = read_settings(home=tmp_path / "home", token=ADMIN)

    def page_for(url, project, role):
        secret = new_secret()
        with closing_engine(settings.database_address) as engine:
            Tokens(engine).create(
                token_id=secret.id, person=f"{role}-{secret.id}", digest=secret.digest,
                expires_in_s=None, project=project, role=role,
            )  # fmt: skip
        with httpx.Client(base_url=url) as browser:
            browser.post("/login", data={"token": secret.text})
            return browser.get("/fleet"), browser.get("/").text

    with served(settings) as url:
        with closing_engine(settings.database_address) as engine:
            session = Queue(engine).lead(owner="o", host="head", pid=1)
            Watching(engine).save_workers(session, [worker("gpu-1")])
        viewer, of_viewer = page_for(url, "*", "viewer")
        operator, _ = page_for(url, "*", "operator")
        stranger, of_stranger = page_for(url, "spring", "operator")
    assert 'href="/fleet"' in of_viewer
    assert 'href="/fleet"' not in of_stranger
    assert (viewer.status_code, stranger.status_code) == (200, 403)
    assert "data-drain" not in viewer.text
    assert re.search(r'data-drain="gpu-1"', operator.text)


def test_the_navigation_leaves_out_what_one_may_not_see():
    def words(**roles):
        return [link.word for link in links_for(Access(person="ann", roles=roles))]

    assert "Fleet" not in words(spring=Role.OPERATOR)
    assert "Fleet" in words(**{"*": Role.VIEWER})
    assert links_for(None) == [link for link in links_for(None) if link.deed == "know"]


def test_workers_stand_with_their_nodes_and_those_that_start_come_last():
    rows = [{"name": name, "node": node, "node_id": node} for name, node in
            (("a", None), ("b", "n2"), ("c", "n1"), ("d", "n2"))]  # fmt: skip
    nodes = nodes_of(rows)
    assert [(node.name, [row["name"] for row in node.workers]) for node in nodes] == [
        ("n1", ["c"]),
        ("n2", ["b", "d"]),
        ("Starting", ["a"]),
    ]
    states = [{"state": state} for state in ("idle", "painting", "idle")]
    assert list(states_of(states)) == [("painting", 1), ("idle", 2)]
