"""Costs over a real queue: through the service, the API, the client and the command."""

import json

import pytest
from typer.testing import CliRunner

from actors.recipes.jobs import Failure, FailureKind
from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.scheduling.values import Pool
from farm.service.costs import CostReading
from storage.costs import Costs
from storage.errors import NotFound
from storage.reviews import Reviews
from tests.campaigns import campaign as written
from tests.campaigns import data
from tests.farm.fakes import NOW, answer, run
from tests.farm.test_money import POOLS, Named


@pytest.fixture
def costs(engine, campaigns):
    return CostReading(campaigns=campaigns, costs=Costs(engine), reviews=Reviews(engine))


def test_a_campaign_s_costs_say_what_came_of_every_second(start, campaign, campaigns, costs):
    """18 renders in chunks of three, 10 s each; the first chunk is lost, and one picture is no
    picture at first.
    """
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    dispatcher.tick(NOW)
    dispatcher.tick(NOW)
    fleet.paint(Failure(kind=FailureKind.WORKER_LOST, detail="it went"), lost_s=7.0)
    dispatcher.tick(NOW)
    for job, worker in fleet.take():
        fleet.results.append(answer(job, worker, bad=[job.pictures[0].number], seconds=10.0))
    run(dispatcher, fleet, 12, seconds=10.0)
    of = costs.of_campaign("p", "spring")
    assert of["pictures"] == campaigns.by_id(campaign.id).done == 18
    assert of["waste"]["lost"]["seconds"] == 14.0, "both chunks of the worker say so here"
    assert of["waste"]["retries"]["seconds"] > 0
    assert of["money"] == pytest.approx(of["given_s"] / 100)
    assert of["money"] == pytest.approx(campaigns.by_id(campaign.id).money)
    assert set(of["pools"]) == {"worker"} or set(of["pools"]) == {"gpu"}
    assert of["per_picture"]["seconds"] == pytest.approx(of["given_s"] / 18)
    assert (of["approved"], of["per_approved"]) == (None, None)
    whole = costs.of_project("p", None)
    assert whole["total"]["given_s"] == whole["campaigns"]["spring"]["given_s"] == of["given_s"]
    assert costs.of_project("p", 1e11)["campaigns"] == {}
    with pytest.raises(NotFound):
        costs.of_campaign("other", "spring")


def test_an_update_keeps_what_the_version_before_has_cost(start, service, campaign, costs):
    fleet = Named(1)
    dispatcher = start(fleet, pools=POOLS)
    run(dispatcher, fleet, 3, seconds=10.0)
    before = costs.of_campaign("p", "spring")["given_s"]
    assert before > 0
    service.submit("p", data(seeds={"count": 4}), update=True)
    assert costs.of_campaign("p", "spring")["given_s"] == before


@pytest.fixture
def farm(tmp_path, monkeypatch):
    settings = read_settings(home=tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        client.submit(written(name="spring"))
        yield client


def shown(*words, code=0):
    result = CliRunner().invoke(app, ["costs", *words])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_the_client_and_the_command_say_the_same(farm):
    of = farm.costs("spring")
    assert (of.campaign, of.given_s, of.money, of.per_picture) == ("spring", 0.0, None, None)
    assert farm.project_costs(since=0).campaigns == {}
    assert json.loads(shown("spring", "--json").stdout) == of.as_json()
    assert json.loads(shown("--json").stdout)["project"] == "default"
    assert "padding" in shown("spring").stdout
    assert "all" in shown("--since", "7d").stdout
    with pytest.raises(NotFound):
        farm.costs("none")


def test_a_pool_without_a_price_is_free_beside_one_that_has_one(start, campaign, costs):
    fleet = Named(1)
    dispatcher = start(fleet, pools=(Pool(name="own"), Pool(name="spot", price=1.0, limit=0)))
    run(dispatcher, fleet, 12)
    of = costs.of_campaign("p", "spring")
    assert (of["pictures"], of["money"]) == (18, 0.0)
