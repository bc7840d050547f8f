"""A real Prometheus scrapes a farm that paints: every panel and rule answers, and alerts fire in a
farm that has the fault, and resolve once it is mended.
"""

import json
import os
import threading
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from dashboards.alerts import alerts, recordings
from dashboards.boards import BOARDS
from dashboards.build import board_json
from farm.app import open_app, serve
from farm.config import read_settings
from farm.home import Home
from farm.scheduling.values import Pool
from storage.errors import OutputsError
from storage.outputs import FolderOutputs
from storage.projects import Projects, Quota
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet
from tests.prometheus import binary, filled, prometheus
from tests.queries import panels_of

MUTE = {
    "GPUs": "no worker here has one",
    "Power of a GPU": "no worker here has one",
    "Replication lag": "no server follows the database here",
}


class Outputs(FolderOutputs):
    """A folder that refuses writes while the test says so."""

    is_full = False

    def put(self, key, data):
        if self.is_full:
            raise OutputsError(f"Cannot write {key} in the outputs folder (No space left).")
        super().put(key, data)


class PaintingFleet(FakeFleet):
    """Paints each job at once, by a real painter that rests."""

    def __init__(self, outputs):
        super().__init__(size=2)
        self._outputs = outputs
        self._painters = {}

    def paint_all(self):
        for job, worker in self.take():
            painter = self._painters.setdefault(
                worker, Painter(worker, RestingEngine(0.0), self._outputs)
            )
            result = painter.paint(job)
            painter.acknowledge(*result.key)
            self.results.append(result)


class Leading:
    """A dispatcher that leads in a thread, round after round, and adds work as it goes."""

    def __init__(self, dispatcher, fleet, submit):
        self._dispatcher, self._fleet, self._submit = dispatcher, fleet, submit
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(30)
        self._dispatcher.end()

    def _run(self):
        now = NOW
        while not self._over.wait(0.2):
            now += 1
            if int(now) % 10 == 1:
                self._submit(f"c{int(now)}")
            self._dispatcher.tick(now)
            self._fleet.paint_all()


@pytest.fixture(scope="module")
def program():
    if binary() is None:
        assert "CI" not in os.environ, "prometheus is missing: apt-get install prometheus"
        pytest.skip("prometheus is missing: apt-get install prometheus")


@pytest.fixture
def outputs(tmp_path):
    return Outputs(tmp_path / "home" / "outputs")


@pytest.fixture
def settings(tmp_path, database_url):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("pools:\n- {name: spot, labels: {a: b}, price_per_hour: 0.5}\n")
    return read_settings(home=tmp_path / "home", database_url=database_url, fleet=fleet)


@pytest.fixture
def lead(start, outputs, settings, service):
    """Makes a dispatcher of the farm's own process, and gives it campaigns."""

    def submit(name):
        service.submit("default", data(name=name, seeds=[int(name[1:])]))

    def lead():
        fleet = PaintingFleet(outputs)
        owner = Home(settings.home).owner()
        pools = [Pool(name="spot", price=0.5)]
        return Leading(start(fleet, owner=owner, pools=pools), fleet, submit)

    return lead


@pytest.fixture
def work(service, control, engine):
    """A campaign that is late, as it is paused, in a project with a quota."""
    Projects(engine).create("default", Quota(queued=1000, workers=8), {})
    late, _ = service.submit("default", data(name="late", deadline="2020-01-01T00:00:00Z"))
    control.pause(late.id)


SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
def test_every_panel_and_rule_answers_and_alerts_come_and_go(
    program, tmp_path, settings, outputs, lead, work
):
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with ExitStack() as farm:
        app = farm.enter_context(open_app(settings))
        serving = farm.enter_context(ExitStack())
        url = serving.enter_context(serve(app, 0))
        port = urlsplit(url).port
        server = farm.enter_context(prometheus(folder, f"127.0.0.1:{port}"))
        with lead():
            _everything_answers(server)
            _storage_fails(server, outputs)
        _nobody_leads(server, lead)
        serving.close()
        server.wait_until(lambda: "FarmMetricsAbsent" in server.firing(), "the farm has ended")
        assert server.faults() == []


def _everything_answers(server):
    """Panels once there are two samples, and rules with a threshold that all exceed."""
    server.wait_until(lambda: server.ask("sum(farm_workers) > 0"), "workers")
    done = 'sum(rate(farm_renders_total{outcome="done"}[6s])) > 0'
    server.wait_until(lambda: server.ask(done), "renders that were painted")
    queries = [filled(query) for query in _queries()] + [rule["record"] for rule in recordings()]
    unanswered = set(queries)

    def all_answered():
        unanswered.difference_update({query for query in unanswered if server.ask(query)})
        return not unanswered

    server.wait_until(all_answered, unanswered)
    _comes(server, "FarmDeadlineAtRisk")
    assert server.faults() == []
    quiet = {"FarmStorageFailing", "FarmStorageErrors", "FarmDispatcherGone", "FarmDatabaseAway"}
    assert not quiet & server.firing()


def _queries():
    for board in BOARDS:
        for panel in panels_of(json.loads(board_json(board))):
            if panel["title"] not in MUTE:
                yield from (target["expr"] for target in panel["targets"])


def _storage_fails(server, outputs):
    outputs.is_full = True
    _comes(server, "FarmStorageFailing")
    _comes(server, "FarmCampaignStopped")
    outputs.is_full = False
    _goes(server, "FarmStorageFailing")


def _nobody_leads(server, lead):
    _comes(server, "FarmDispatcherGone")
    with lead():
        _goes(server, "FarmDispatcherGone")


def _comes(server, alert):
    assert alert in {one.name for one in alerts()}
    server.wait_until(lambda: alert in server.firing(), f"{alert} fires")


def _goes(server, alert):
    server.wait_until(lambda: alert not in server.firing(), f"{alert} resolves")
