"""What the benchmarks of the queue measure with; how fast anything is, is none of a test's
business.
"""

import json
from dataclasses import FrozenInstanceError, fields
from itertools import count

import pytest
from typer.testing import CliRunner

from farm.bench import queue as bench
from farm.cli import app
from storage.bench.campaigns import add_ended
from storage.bench.peers import (
    has_procrastinate,
    orm_inserts_per_s,
    procrastinate_per_s,
    row_queue,
)
from storage.bench.queue import Pace, claim_and_settle, make_durable, pace
from storage.campaigns import Campaigns
from storage.rows import CampaignRow
from storage.states import CampaignState
from tests.storage.conftest import new_campaign, new_chunks


def test_a_campaign_goes_through_the_queue_to_its_end(engine, campaigns):
    campaign = campaigns.add(new_campaign(total=4000), new_chunks(count=20, size=200))
    make_durable(engine)
    measured = claim_and_settle(engine, campaign.id)
    assert (measured.renders, measured.largest_lap) == (4000, 200)
    assert measured.per_s > 0
    assert measured.flatness > 0
    ended = campaigns.by_id(campaign.id)
    assert (ended.state, ended.done) == (CampaignState.DONE, 4000)
    outcome, attempts, worker = campaigns.outcome(campaign.id, 3999)
    assert (len(outcome.digest), len(outcome.pixels), attempts, bool(worker)) == (64, 64, 1, True)


def test_flatness_is_told_from_laps_of_full_size(monkeypatch):
    monkeypatch.setattr(
        "storage.bench.queue.perf_counter", count().__next__
    )  # every lap takes a second
    measured = pace([100] * 30 + [1] * 30)
    assert measured == Pace(renders=3030, per_s=50.5, flatness=1.0, largest_lap=100)


def test_the_orm_submits_a_row_for_each_render(engine):
    assert orm_inserts_per_s(engine, 500) > 0


@pytest.mark.parametrize("at_once", [1, 20])
def test_a_row_queue_goes_to_its_end(postgres, at_once):
    measured = row_queue(postgres.new_database(), 400, at_once=at_once)
    assert (measured.renders, measured.largest_lap) == (400, at_once)


@pytest.mark.skipif(not has_procrastinate(), reason="procrastinate is not installed")
def test_procrastinate_goes_to_its_end(postgres):
    assert procrastinate_per_s(postgres.new_database(), 100, concurrency=2) > 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_result_has_a_spread_for_each_figure(monkeypatch, options):
    rounds = count(1)
    monkeypatch.setattr(
        bench,
        "measure_queues",
        lambda *_: bench.Queues(
            {"sqlite.flatness": next(rounds)}, {"row_queue.flatness": 1.0}, 180
        ),
    )
    monkeypatch.setattr(bench, "farm_efficiencies", lambda *_: {"dispatch_eff_20ms": 0.9})
    monkeypatch.setattr(
        bench, "ray_data_efficiencies", lambda *_: {"ray_data.dispatch_eff_20ms": 0.8}
    )
    done = CliRunner().invoke(app, ["bench", "queue", "--rounds", "3", *options])
    assert done.exit_code == 0, done.output
    if options:
        result = json.loads(done.output)
        assert set(result) == {"bench", "machine", "setup", "figures", "peers"}
        assert result["figures"]["sqlite.flatness"] == {"median": 2, "min": 1, "max": 3}
        assert set(result["figures"]) == {"sqlite.flatness", "dispatch_eff_20ms"}
        assert set(result["peers"]) == {"row_queue.flatness", "ray_data.dispatch_eff_20ms"}
        assert result["setup"]["chunk"] == 180
    else:
        assert "ray_data.dispatch_eff_20ms" in done.output


def test_campaigns_for_lists_are_over_and_can_be_listed(engine):
    add_ended(engine, 3)
    rows = Campaigns(engine).all("default")
    assert [row.name for row in rows] == ["ended-2", "ended-1", "ended-0"]
    assert {row.state for row in rows} == {CampaignState.CANCELLED}


def test_a_row_of_a_list_is_what_its_constructor_would_make(engine):
    """It is made without the constructor, which would take most of the time of a list."""
    add_ended(engine, 1)
    (row,) = Campaigns(engine).all("default")
    assert row == CampaignRow(**vars(row))
    assert set(vars(row)) == {field.name for field in fields(CampaignRow)}
    with pytest.raises(FrozenInstanceError):
        row.name = "other"
