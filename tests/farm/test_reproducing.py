"""`farm verify` on a home without a farm, and what the API does to prove pixels."""

import json
import shutil

import numpy as np
import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from actors.models.models import SEEDLING
from actors.pictures.files import write
from actors.recipes.encoding import Encoding
from farm.app import open_app, serve
from farm.campaign.specs import expansion_of
from farm.cli import app
from farm.client.client import Client
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound, RequestError
from storage.queue import Queue
from storage.tables import campaigns, renders
from tests.campaigns import campaign
from tests.farm.test_api import paint_all


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def engine(settings, farm):
    with closing_engine(settings.database_address) as engine:
        yield engine


@pytest.fixture
def verify(settings):
    def run(code):
        result = CliRunner().invoke(
            app, ["verify", "spring", "--home", str(settings.home), "--json"]
        )
        assert result.exit_code == code, (result.output, result.exception)
        *problems, summary = map(json.loads, result.stdout.splitlines())
        assert summary.pop("campaign") == "spring"
        return {problem["key"]: problem["problem"] for problem in problems}, summary

    return run


def test_verify_finds_what_was_damaged_what_is_missing_and_what_nobody_knows(
    farm, engine, settings, verify
):
    farm.submit(campaign())
    paint_all(engine, settings)
    farm.save_manifest("spring")
    assert verify(0) == (
        {},
        {"files": 18, "painted_again": 0, "wrong": 0, "repaired": 0, "retired": 0},
    )

    outputs = settings.home / "outputs"
    damaged, cut, lost, *_ = (line["key"] for line in farm.manifest("spring"))
    (outputs / damaged).write_bytes(
        write(np.zeros((128, 128, 3), np.uint8) + np.uint8(9), {}, "", Encoding())
    )
    (outputs / cut).write_bytes((outputs / cut).read_bytes()[:60])
    (outputs / lost).unlink()
    stranger = f"{lost.removesuffix('.png')}-copy.png"  # no name that the farm gives
    (outputs / stranger).write_bytes(b"x")
    problems, summary = verify(1)
    assert problems == {
        damaged: (
            "it was changed since it was painted: its bytes are not those that were recorded."
        ),
        cut: "it is not a picture any more, or not a whole one.",
        lost: "it is missing.",
        stranger: "no render has this file.",
    }
    assert summary["wrong"] == 4


def test_files_that_no_render_has_are_found_too_if_a_rule_holds_pictures(
    farm, engine, settings, verify
):
    farm.submit(campaign())
    paint_all(engine, settings)
    with engine.begin() as connection:
        first = update(renders).where(renders.c.number == 0)
        connection.execute(first.values(state="held", reason="brand"))
        counts = {"done": campaigns.c.done - 1, "held": 1, "held_by_rule": 1}
        connection.execute(update(campaigns).values(**counts))
    assert farm.status("spring").state == "awaiting_review"
    stranger = "default/spring/final/new.txt"
    (settings.home / "outputs" / stranger).write_bytes(b"x")
    assert verify(1)[0] == {stranger: "no render has this file."}


def test_a_campaign_under_way_is_not_blamed_for_what_its_workers_have_just_written(
    farm, engine, settings, verify
):
    farm.submit(campaign())
    paint_all(engine, settings, chunks=1)
    (settings.home / "outputs/default/spring/final/new.png").write_bytes(b"x")
    problems, summary = verify(0)
    assert not problems
    assert 0 < summary["files"] < 18


def test_one_render_and_the_files_of_a_campaign_can_be_asked_for(farm, engine, settings):
    farm.submit(campaign())
    with pytest.raises(NotFound, match="no render 5 that has ended"):
        farm.render("spring", 5)
    paint_all(engine, settings)
    lines = list(farm.manifest("spring"))
    assert farm.render("spring", 5) == lines[5]
    assert sorted(farm.files("spring")) == sorted(line["key"] for line in lines)
    with pytest.raises(NotFound):
        list(farm.files("autumn"))


def test_a_repaint_is_a_fresh_campaign_of_just_these_renders(farm, engine, settings):
    farm.submit(campaign(previews={"every": 2}))
    answer = farm.repaint("spring", [3, 11, 17])
    assert answer.renders.total == 3
    row = Campaigns(engine).get(answer.project, answer.campaign)
    assert (row.project, row.name.startswith("spring-verify-"), row.is_fresh) == (
        "reproduce",
        True,
        True,
    )
    plan = expansion_of(row.spec)
    assert plan.campaign.previews is None
    session = Queue(engine).lead(owner="test", host="h", pid=1)
    numbers = []
    while claimed := Queue(engine).claim(session, [(row.id, "w")]):
        numbers += claimed[0].numbers
    assert sorted(numbers) == [3, 11, 17]
    with pytest.raises(NotFound, match="no render 18"):
        farm.repaint("spring", [18])


def test_a_model_that_is_another_by_now_is_not_painted_with(farm, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(SEEDLING, folder)
    farm.submit(campaign(model=str(folder)))
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(RequestError, match="other weights than when spring was painted"):
        farm.repaint("spring", [0])
