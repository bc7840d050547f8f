"""Estimates over a real queue and a fake fleet: through the service, the API and the command."""

import json
from dataclasses import replace
from functools import partial

import pytest
import yaml
from typer.testing import CliRunner

from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.documents.document import DocumentError
from farm.scheduling.spending import prices_of
from farm.scheduling.values import Limits
from farm.service.brands import BrandService
from farm.service.checking import CampaignChecks
from farm.service.estimate import Estimates
from farm.service.estimate_views import Estimate, Probe
from farm.service.forecasts import Fleet, Forecasts
from farm.service.intake import Intake
from farm.service.pacing import Pacing
from farm.service.probes import Probes
from farm.service.quotas import ProjectRoom
from storage.attempts import Attempts
from storage.errors import RequestError
from storage.ledgers import Ledgers
from storage.model_history import ModelHistory
from storage.orders import Orders
from storage.projects import Projects, Quota
from storage.reuse import Reuse
from storage.states import CampaignState
from tests.campaigns import campaign as written
from tests.campaigns import data
from tests.farm.fakes import answer, run
from tests.farm.test_money import POOLS, Named

ORDER = {"vary": {"product": ["mug", "bottle", "lamp", "vase"], "color": ["red", "blue"]}}


@pytest.fixture
def checks(outputs, brands):
    return CampaignChecks(Intake(outputs), BrandService(brands), None, prices_of(POOLS))


@pytest.fixture
def forecasts(engine, campaigns, watching, checks):
    pacing = Pacing(
        campaigns=campaigns,
        attempts=Attempts(engine),
        ledgers=Ledgers(engine),
        watching=watching,
        weights={},
        quotas={"p": 1},
    )
    return Forecasts(
        campaigns=campaigns,
        checks=checks,
        history=ModelHistory(engine),
        orders=Orders(engine),
        pacing=pacing,
        open_reuse=partial(Reuse, engine),
        fleet=Fleet(pools=POOLS, limits=Limits(ceiling=3), prices=prices_of(POOLS)),
        room=ProjectRoom(Projects(engine), {"p": 1}),
    )


@pytest.fixture
def estimates(engine, campaigns, watching, outputs, brands):
    return Estimates(
        campaigns=campaigns, watching=watching, outputs=outputs, brands=brands,
        room=ProjectRoom(Projects(engine)),
    )  # fmt: skip


@pytest.fixture
def probes(campaigns, watching, checks, outputs):
    return Probes(
        campaigns=campaigns, watching=watching, checks=checks, intake=Intake(outputs), chunk=3
    )


def rules(answer):
    return [bind["rule"] for bind in answer["binds"]]


class Measuring(Named):
    """Its workers say what they painted, and in which numerics class."""

    def paint(self, failure=None, **changes):
        for job, worker in self.take():
            said = answer(job, worker, failure, **changes)
            work = job.group.megapixel_steps * len(job.pictures)
            facts = replace(
                said.facts, shape=job.group.shape, numerics_class="c", megapixel_steps=work
            )
            outcomes = tuple(
                replace(outcome, numerics_class="c", bytes=1000 + outcome.number)
                for outcome in said.outcomes
            )
            self.results.append(replace(said, facts=facts, outcomes=outcomes))


def painted(start, rounds=12):
    """Everything that is queued, three renders in 10 s."""
    fleet = Measuring(1)
    dispatcher = start(fleet, pools=POOLS)
    run(dispatcher, fleet, rounds, seconds=10.0)
    return fleet, dispatcher


def test_without_history_an_estimate_counts_and_offers_a_probe(forecasts, campaigns):
    found = forecasts.estimate("p", data())
    Estimate.model_validate(found)
    assert (found["renders"], found["to_paint"], found["basis"]) == (18, 18, "none")
    assert [found[key] for key in ("device_s", "bytes", "now", "planned")] == [None] * 4
    assert rules(found)[:2] == ["no_history", "no_worker"]
    assert campaigns.all() == [], "an estimate changes nothing"


def test_a_campaign_is_estimated_by_what_its_model_has_shown(start, campaign, forecasts):
    """A chunk of three took 10 s on a worker that costs a cent a second."""
    painted(start)
    found = forecasts.estimate("p", data(name="next", prompt="other {product} {color}"))
    Estimate.model_validate(found)
    assert (found["reused"], found["to_paint"], found["basis"]) == (0, 18, "shape")
    assert found["device_s"] == pytest.approx(60.0)
    now = found["now"]
    assert (now["workers"], now["starting"]) == (1, 0)
    assert now["given_s"] == pytest.approx(60.0, rel=0.1)
    assert now["money"] == pytest.approx(now["given_s"] / 100)
    assert now["pools"] == {
        "gpu": {"workers": 1, "seconds": now["given_s"], "money": now["money"]}
    }
    assert now["eta_low"] < now["eta"] < now["eta_high"]
    assert rules(found) == ["quota"], "the project may have one worker of the three"
    planned = found["planned"]
    assert (planned["workers"], planned["starting"]) == (3, 2)
    assert planned["seconds"] == pytest.approx(now["seconds"], rel=0.1), "as the quota has it"


def test_more_workers_are_done_sooner_and_each_loads_the_model(start, campaign, forecasts):
    painted(start)
    other = data(name="next", prompt="other {product} {color}", seeds={"count": 40})
    found = forecasts.estimate("other", other, workers=4)
    now, planned = found["now"], found["planned"]
    assert planned["seconds"] < now["seconds"] / 3
    loads = 3 * 0.3  # each of the others loads the model, for 30 s
    assert planned["money"] == pytest.approx(now["money"] + loads, rel=0.02)
    assert rules(found) == ["ceiling"]


def test_what_the_project_has_is_not_painted_again(start, campaign, forecasts):
    painted(start)
    more = data(name="more", **ORDER)
    found = forecasts.estimate("p", more)
    assert (found["renders"], found["reused"], found["sampled"]) == (24, 18, 24)
    assert found["device_s"] == pytest.approx(20.0)
    elsewhere = forecasts.estimate("other", more)
    assert (elsewhere["reused"], elsewhere["sampled"]) == (0, 0)
    done = forecasts.estimate("p", data())
    assert (done["to_paint"], done["now"], done["binds"]) == (0, None, [])


def test_bytes_are_those_of_stored_pictures_of_the_encoding(start, campaign, forecasts, campaigns):
    painted(start)
    stored = [outcome.bytes for outcome, *_ in campaigns.outcomes(campaign.id)]
    found = forecasts.estimate("p", data(name="more", prompt="other {product} {color}"))
    assert found["bytes"] == sum(stored) > 0
    webp = data(name="webp", output={"format": "webp"})
    assert forecasts.estimate("p", webp)["bytes"] is None


def test_another_size_counts_as_the_model_does(start, campaign, forecasts):
    painted(start)
    small = forecasts.estimate("p", data(name="a", prompt="x {product} {color}"))
    large = data(name="b", prompt="x {product} {color}", settings={"size": [256, 256]})
    found = forecasts.estimate("p", large)
    assert found["basis"] == "model"
    assert found["device_s"] == pytest.approx(4 * small["device_s"])
    assert found["bytes"] == pytest.approx(4 * small["bytes"], rel=0.01)


def test_a_budget_that_will_not_last_is_told_with_how_far_it_goes(start, campaign, forecasts):
    painted(start)
    poor = data(name="poor", prompt="x {product} {color}", budget={"money": 0.3})
    found = forecasts.estimate("other", poor, workers=1)
    assert rules(found) == ["budget"]
    assert (
        "its budget is 0.3: it would be stopped after about 9 of 18" in found["binds"][0]["text"]
    )
    slow = data(name="slow", prompt="x {product} {color}", budget={"gpu_hours": 30 / 3600})
    assert rules(forecasts.estimate("other", slow, workers=1)) == ["budget"]


def test_the_quotas_of_a_project_are_named_with_what_they_leave(
    engine, start, campaign, forecasts, estimates
):
    painted(start)  # 60 s of device time in p
    projects, new = Projects(engine), data(name="new", prompt="x {product} {color}")
    projects.create("p", Quota(queued=17, device_hours=90 / 3600), {})
    found = forecasts.estimate("p", new, workers=1)
    Estimate.model_validate(found)
    assert rules(found) == ["no_room", "month"]
    refused, month = (bind["text"] for bind in found["binds"])
    assert "It would be refused. The project p has no room for this. It would have 18" in refused
    assert "about 9 of 18 renders are painted in it" in month
    assert estimates.plan(new, "p")["warnings"][0] == {"path": [], "message": refused}
    assert "refused" not in str(estimates.plan(data(), "p")["warnings"]), "all of it is there"
    projects.change("p", {"queued": 18, "device_hours": 1.0}, {})
    assert rules(forecasts.estimate("p", new, workers=1)) == []
    assert estimates.plan(new, "p")["warnings"] == []


def test_others_that_are_open_are_in_the_way(start, campaign, service, forecasts):
    painted(start, rounds=3)
    service.submit("p", data(name="long", prompt="l {product} {color}", priority=90))
    new = data(name="new", prompt="n {product} {color}")
    found = forecasts.estimate("p", new, workers=1)
    assert rules(found) == ["others"]
    assert found["now"]["seconds"] > found["now"]["given_s"] * 1.5


def test_proofs_are_painted_too_and_then_people_decide(start, campaign, forecasts):
    painted(start)
    with_proofs = data(
        name="proofed", prompt="x {product} {color}", proof={"seeds": 1, "steps": 5}
    )
    found = forecasts.estimate("other", with_proofs, workers=1)
    assert (found["renders"], found["proofs"], found["to_paint"]) == (18, 6, 24)
    assert rules(found) == ["review"]


def test_a_frozen_fleet_is_planned_as_it_is(engine, start, campaign, forecasts):
    painted(start)
    Orders(engine).scale(is_frozen=True)
    new = data(name="new", prompt="x {product} {color}")
    assert forecasts.estimate("other", new)["planned"]["workers"] == 1
    assert rules(forecasts.estimate("other", new, workers=2)) == ["frozen"]


def test_a_probe_tells_the_pace_and_its_pictures_are_reused(
    start, probes, forecasts, service, campaigns
):
    whole = data(deadline="2099-01-01T00:00:00Z")
    probe = probes.probe("p", whole, 5)
    Probe.model_validate(probe)
    assert (probe["renders"], probe["created"]) == (5, True)
    assert probe["campaign"].startswith("spring-probe-")
    assert probes.probe("p", whole, 5) == {**probe, "created": False}
    assert probes.probe("p", whole, 6)["campaign"] != probe["campaign"]
    fleet, dispatcher = painted(start, rounds=6)
    row = campaigns.get("p", probe["campaign"])
    assert (row.state, row.done, row.deadline) == (CampaignState.DONE, 5, None)
    found = forecasts.estimate("p", whole)
    assert (found["basis"], found["reused"]) == ("shape", 6), "of both probes"
    service.submit("p", whole)
    dispatcher.tick(2000.0)
    jobs = [job for job, _ in fleet.take() if job.campaign_id == campaigns.get("p", "spring").id]
    reused = [picture for job in jobs for picture in job.pictures if picture.reuse is not None]
    assert len(reused) == 6


def test_a_probe_of_a_campaign_with_proofs_paints_finals(probes, campaigns):
    probe = probes.probe("p", data(proof={"seeds": 1, "steps": 5}), 100)
    row = campaigns.get("p", probe["campaign"])
    assert (row.total, row.released, row.proofs) == (18, None, None)


def test_a_wrong_campaign_is_refused_by_both(forecasts, probes):
    for ask in (forecasts.estimate, partial(probes.probe, renders=3)):
        with pytest.raises(DocumentError):
            ask("p", data(model="nothing-here"))


# --- through the API ---


@pytest.fixture
def farm(tmp_path, monkeypatch):
    settings = read_settings(home=tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spring.yaml").write_text(yaml.safe_dump(data(settings={"steps": 5})))
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


def shown(*words, code=0):
    result = CliRunner().invoke(app, ["estimate", *words])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_the_client_and_the_command_say_the_same(farm):
    of = farm.estimate(written(settings={"steps": 5}), workers=4)
    assert (of.campaign, of.project, of.renders, of.now) == ("spring", "default", 18, None)
    assert json.loads(shown("spring.yaml", "--workers", "4", "--json").stdout) == of.as_json()
    said = shown("spring.yaml").stdout
    assert "spring: 18 renders." in said
    assert "Unknown bytes" in said
    assert "--probe 8" in said
    named = json.loads(
        shown("spring.yaml", "--name", "b", "--set", "seeds.count=1", "--json").stdout
    )
    assert (named["campaign"], named["renders"]) == ("b", 6)


def test_orders_out_of_bounds_are_refused(farm):
    for call in (
        lambda: farm.estimate(written(), workers=0),
        lambda: farm.estimate(written(), workers=1_001),
        lambda: farm.probe(written(), 0),
        lambda: farm.probe(written(), 1_001),
    ):
        with pytest.raises(RequestError):
            call()
    assert "--timeout" in str(shown("spring.yaml", "--timeout", "5s", code=1).exception)


def test_a_probe_is_an_ordinary_campaign(farm):
    probe = farm.probe(written(), 4)
    assert farm.status(probe.campaign).renders.total == 4
