"""Service, API and client together, over real HTTP, without a dispatcher."""

import hashlib
import io
import json
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from actors.models.models import SEEDLING
from actors.painting.thumbnails import Thumbnails
from actors.pictures.files import pixels_digest, write
from actors.recipes.encoding import Encoding, Format
from farm.app import open_app, serve
from farm.campaign.specs import expansion_of, fingerprint
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch.chunk_job import chunk_job
from farm.home import Home
from farm.results.sheet_cells import LOOKS, CellState, cells_of
from farm.service.views import RenderCounts, UpdateCounts
from storage.campaigns import Campaigns
from storage.errors import NotFound, RequestError, WorkError
from storage.queue import Queue
from storage.rows import RenderOutcome, Settlement, WorkerRow
from storage.settling import Settling
from storage.states import Reason, RenderState
from storage.watching import Watching
from tests.campaigns import campaign


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings):
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        yield client


def paint_all(engine, settings, name="spring", *, chunks=None, fail=(), threads=None):
    """What a dispatcher and its workers do, with pictures of one colour each; renders in `fail`
    fail. With `threads`, thumbnails are made too.
    """
    queue, outputs = Queue(engine), settings.open_outputs()
    row = Campaigns(engine).get("default", name)
    plan = expansion_of(row.spec)
    session = queue.lead(owner=Home(settings.home).owner(), host="h", pid=1)
    while (chunks is None or chunks > 0) and (claimed := queue.claim(session, [(row.id, "w")])):
        chunks = None if chunks is None else chunks - 1
        job = chunk_job(row, plan, claimed[0])
        outcomes, small = [], Thumbnails(job, outputs, threads)
        for picture in job.pictures:
            if picture.number in fail:
                outcomes.append(
                    RenderOutcome(
                        number=picture.number,
                        digest=job.recipe(picture).digest,
                        state=RenderState.FAILED,
                        reason=Reason.UNKNOWN,
                        detail="boom",
                    )
                )
                continue
            pixels = np.full((128, 128, 3), picture.number * 7 % 256, np.uint8)
            data = write(pixels, {}, "", job.encoding)
            outputs.put(picture.key, data)
            small.add(picture.number, pixels)
            outcomes.append(
                RenderOutcome(
                    number=picture.number, digest=job.recipe(picture).digest,
                    state=RenderState.DONE, reason=Reason.PAINTED,
                    key=picture.key, pixels=pixels_digest(pixels), bytes=len(data),
                    sha256=hashlib.sha256(data).hexdigest(),
                    numerics_class="n", seconds=0.1,
                )
            )  # fmt: skip
        facts = {
            "load_s": 1.0,
            "loads": 1,
            "swaps": 2,
            "batch_s": [0.3],
            "megapixel_steps": 1.3,
            "encode_s": 0.1,
            "pictures": len(outcomes),
            "slots": 4,
            "uploads": len(outcomes),
            "upload_bytes": 9,
        }
        settlement = Settlement(
            chunk_id=job.chunk_id,
            campaign_id=row.id,
            lease=job.lease,
            worker="w",
            outcome="painted",
            outcomes=small.noted(outcomes) if threads else tuple(outcomes),
            facts=facts,
        )
        assert Settling(engine).settle(session, [settlement])


def test_submitting_twice_does_it_once(farm):
    first, second = farm.submit(campaign()), farm.submit(campaign())
    assert (first.created, second.created) == (True, False)
    assert first.renders.total == first.renders.queued == 18
    assert len(farm.campaigns()) == 1


def test_a_submission_and_a_dry_run_are_answered_with_warnings(farm):
    noted = campaign(vary={"product": ["mug"], "row": [{"color": "red", "shelf": "A"}]})
    answers = [
        farm.plan(noted),
        farm.submit(noted),
        farm.submit(noted),
        farm.submit(noted, update=True, fresh=True),
    ]
    for answer in answers:
        (warning,) = answer.warnings
        assert warning.path == ["vary", "row"]
        assert "'shelf'" in warning.message
    assert farm.submit(campaign(name="plain")).warnings == []


def test_a_dry_run_of_an_update_says_what_it_would_do_and_the_update_does_it(
    farm, engine, settings
):
    farm.submit(campaign())
    paint_all(engine, settings, fail={3})
    before = {f"{line['shot']}/{line['seed']}" for line in farm.manifest("spring")}
    more = campaign(vary={"product": ["mug", "vase"], "color": ["red", "blue"]})
    plan = farm.plan(more, update=True)
    assert plan.updated == UpdateCounts(kept=6, new=6, retired=12)
    changes = plan.changes
    assert [len(named) for named in (changes.kept, changes.new, changes.retired)] == [5, 5, 5]
    assert {*changes.kept, *changes.retired} <= before
    assert all("mug" in name for name in changes.kept)
    assert all("vase" in name for name in changes.new)
    assert not any("mug" in name for name in changes.retired)
    assert changes.megapixel_steps == pytest.approx(plan.megapixel_steps / 2, abs=0.001)
    assert changes.estimate_s == pytest.approx(plan.estimate_s / 2, abs=0.01)
    assert len(list(farm.manifest("spring"))) == 18  # nothing was changed
    assert farm.submit(more, update=True).updated == plan.updated
    assert sum(line["state"] == "done" for line in farm.manifest("spring")) == 5


def test_dry_runs_of_updates_that_change_nothing_or_everything(farm, engine, settings):
    assert farm.plan(campaign(), update=True).updated is None  # there is nothing to update
    farm.submit(campaign())
    assert farm.plan(campaign()).updated is None
    for given, fresh, counted in [
        ({}, False, UpdateCounts(kept=18, new=0, retired=0)),
        ({}, True, UpdateCounts(kept=0, new=18, retired=18)),
        ({"output": {"format": "webp"}}, False, UpdateCounts(kept=0, new=18, retired=18)),
    ]:
        plan = farm.plan(campaign(**given), update=True, fresh=fresh)
        assert plan.updated == counted
        assert bool(plan.changes.estimate_s) == bool(counted.new)
        assert farm.submit(campaign(**given), update=True, fresh=fresh).updated == counted
    with farm.of("elsewhere") as other:
        assert other.plan(campaign(), update=True).updated is None


def test_a_campaign_is_never_listed_as_made_after_it_was_started(farm, engine, settings):
    first = farm.submit(campaign()).created_at
    paint_all(engine, settings)
    farm.submit(campaign(priority=60), update=True)
    row = farm.status("spring")
    assert row.created_at == first <= row.started_at
    with engine.begin() as connection:  # as an update by a version before has left it
        connection.execute(text("UPDATE campaigns SET created_at = started_at + 9"))
    (row,) = farm.campaigns()
    assert row.created_at <= row.started_at


def of_before(engine, name="spring"):
    """Make a stored campaign one that the version before took: it did not say how seeds are
    derived.
    """
    spec = Campaigns(engine).get("default", name).spec
    with engine.begin() as connection:
        old = json.dumps({key: value for key, value in spec.items() if key != "derivation"})
        connection.execute(
            text("UPDATE campaigns SET spec = :spec WHERE name = :name"),
            {"spec": old, "name": name},
        )


def test_a_campaign_of_before_keeps_its_seeds_when_it_is_submitted_again_and_updated(farm, engine):
    def seeds():
        plan = expansion_of(Campaigns(engine).get("default", "spring").spec)
        return {render.shot.prompt: render.seed for _, render in plan.all_renders()}

    rows = [{"color": "red", "comment": "new"}, {"color": "blue", "comment": "old"}]
    changes = dict(
        vary={"product": ["mug"], "row": rows},
        notes=["comment"],
        seeds={"count": 1, "per": ["row"]},
    )
    farm.submit(campaign(**changes))
    now = seeds()
    of_before(engine)
    before = seeds()
    assert all(before[prompt] != now[prompt] for prompt in now)
    assert farm.submit(campaign(**changes)).created is False
    assert farm.submit(
        campaign(**{**changes, "priority": 60}), update=True
    ).updated == UpdateCounts(kept=0, new=2, retired=2)
    assert seeds() == before
    more = {**changes, "vary": {"product": ["mug", "box"], "row": rows}}
    farm.submit(campaign(**more), update=True)
    assert before.items() <= seeds().items()
    farm.submit(campaign(**more), update=True, fresh=True)
    assert before.items() <= seeds().items()


def test_a_campaign_of_before_is_told_that_its_column_of_seeds_is_not_obeyed(farm, engine):
    own = campaign(
        vary={
            "product": ["mug"],
            "row": [{"color": "red", "seed": 11}, {"color": "blue", "seed": "12 13"}],
        }
    )
    assert farm.submit(own).renders.total == 3
    of_before(engine)
    (warning,) = farm.submit(own).warnings
    assert "not obeyed" in warning.message


def test_a_changed_campaign_under_the_same_name_is_refused_with_what_changed(farm):
    farm.submit(campaign())
    with pytest.raises(
        RequestError,
        match=r"(?s)another name.*-prompt: a \{color\} \{product\}.*\+prompt: the \{color\}",
    ):
        farm.submit(campaign(prompt="the {color} {product}"))
    assert farm.status("spring").renders.total == 18


def test_the_same_file_at_the_same_time_is_one_campaign(farm):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: farm.submit(campaign()).created, range(4)))
    assert sorted(answers) == [False, False, False, True]


def test_a_model_is_the_same_wherever_it_lies(farm, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(SEEDLING, tmp_path / place)
    answers = [farm.submit(campaign(model=str(tmp_path / place))).created for place in ("a", "b")]
    assert answers == [True, False]


def test_the_same_name_is_free_in_another_project(farm):
    farm.submit(campaign())
    with Client(farm.url, project="other") as other:
        assert other.submit(campaign(prompt="the {color} {product}")).created


def test_a_dry_run_tells_and_writes_nothing(farm):
    plan = farm.plan(campaign())
    assert (plan.renders, plan.axes, plan.seeds, plan.groups) == (
        18,
        {"product": 3, "color": 2},
        3,
        1,
    )
    assert plan.first[0].prompt == "a red mug"
    assert (plan.budget_s, plan.estimate_s) == (None, plan.megapixel_steps)
    assert farm.campaigns() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            dict(
                seeds={"count": 2**32}, vary={"product": {"range": [1, 1000, 1]}, "color": ["red"]}
            ),
            "4,294,967,296,000 renders",
        ),
        (dict(skip=[{"color": "red"}, {"color": "blue"}]), "0 renders"),
        (dict(model="/no/such/model"), "model: The model /no/such/model was not found"),
        (dict(model="seedlin"), "was not found"),
        (
            dict(vary={"product": ["mug", "mug " * 60], "color": ["red"]}),
            "prompt: it grows to 64 tokens and the model reads 48",
        ),
        (dict(negative="grain, " * 40), "negative: it grows to"),
    ],
)
def test_what_cannot_be_painted_is_refused_and_nothing_is_written(farm, changes, words):
    with pytest.raises(RequestError, match=re.escape(words)):
        farm.submit(campaign(**changes))
    assert farm.campaigns() == []


def test_the_api_checks_for_itself(farm):
    answer = httpx.post(
        f"{farm.url}/api/v1/campaigns", json={"campaign": {"name": "x", "modle": "seedling"}}
    )
    assert answer.status_code == 422
    assert {
        "path": ["modle"],
        "message": "unknown key 'modle': did you mean 'model'?",
    } in answer.json()["problems"]


def test_only_this_machine_may_ask_and_only_with_json(farm):
    assert (
        httpx.get(f"{farm.url}/api/v1/campaigns", headers={"Host": "evil.example"}).status_code
        == 400
    )
    body = json.dumps({"campaign": campaign().model_dump(mode="json")})
    assert (
        httpx.post(
            f"{farm.url}/api/v1/campaigns", content=body, headers={"Content-Type": "text/plain"}
        ).status_code
        == 422
    )
    assert farm.campaigns() == []


@pytest.mark.parametrize(
    "key", ["../secret", "..%2fsecret", "/etc/passwd", "%2e%2e/secret", "a%00b"]
)
def test_the_outputs_show_nothing_but_outputs(farm, settings, key):
    (settings.home / "secret").write_text("the password")
    assert httpx.get(f"{farm.url}/api/v1/outputs/{key}").status_code in (400, 404)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_a_page_of_another_site_gives_no_orders(farm, headers):
    farm.submit(campaign())
    answer = httpx.post(f"{farm.url}/api/v1/campaigns/spring/cancel", headers=headers)
    assert answer.status_code == 403
    assert farm.status("spring").renders.cancelled == 0
    same = {"Origin": farm.url, "Sec-Fetch-Site": "same-origin"}
    assert httpx.post(f"{farm.url}/api/v1/campaigns/spring/pause", headers=same).status_code == 200


def test_unknown_names_are_not_found(farm):
    for ask in (
        farm.status,
        farm.sheet,
        farm.save_manifest,
        lambda name: list(farm.manifest(name)),
    ):
        with pytest.raises(NotFound, match="farm list"):
            ask("nothing")


def test_a_farm_that_is_not_there_is_a_sentence():
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(WorkError, match="farm up"):
        nobody.campaigns()


def test_the_manifest_names_every_render_with_all_it_needs(farm, engine, settings):
    farm.submit(
        campaign(
            negative="grain",
            vary={"product": ["mug", "box"], "color": ["red"], "guidance": [3.0, 5.0]},
        )
    )
    paint_all(engine, settings)
    lines = list(farm.manifest("spring"))
    assert len(lines) == 12
    wanted = (
        "campaign stage number shot coordinates seed prompt negative settings digest pixels key"
        " bytes"
    )
    wanted += " sha256 state reason attempts worker numerics_class seconds finished_at"
    assert all(set(wanted.split()) <= set(line) for line in lines)
    assert {line["settings"]["guidance"] for line in lines} == {3.0, 5.0}
    assert len({line["key"] for line in lines}) == len({line["digest"] for line in lines}) == 12
    assert lines[0]["key"] == f"default/spring/final/{lines[0]['shot']}/{lines[0]['seed']}.png"
    with settings.open_outputs().open(lines[3]["key"]) as file:
        assert hashlib.sha256(file.read()).hexdigest() == lines[3]["sha256"]
    assert abs(lines[3]["finished_at"] - time.time()) < 3600
    written = Path(settings.outputs_address) / "default" / "spring" / "manifest.jsonl"
    assert farm.save_manifest("spring") == str(written)
    assert [json.loads(line) for line in written.read_text().splitlines()] == lines
    assert farm.status("spring").state == "done"


@pytest.mark.parametrize(
    "encoding",
    [Encoding(format=kind) for kind in (Format.PNG, Format.WEBP, Format.JXL)],
    ids=lambda e: e.name,
)
def test_the_sheet_shows_every_cell_in_its_place(farm, engine, settings, encoding):
    farm.submit(campaign(output={"format": encoding.format.value}))
    empty = Image.open(io.BytesIO(farm.sheet("spring")))
    paint_all(engine, settings)
    sheet = Image.open(io.BytesIO(farm.sheet("spring")))
    assert sheet.size == empty.size
    shades = {color for _, color in sheet.getcolors(1 << 24)}
    assert {(n * 7, n * 7, n * 7) for n in range(18)} <= shades


@pytest.mark.parametrize("kind", ["jpg", "webp", "jxl"])
def test_pictures_that_give_pixels_up_have_a_key_of_their_format_and_a_cell_on_the_sheet(
    farm, engine, settings, kind
):
    farm.submit(campaign(output={"format": kind, "quality": 80}))
    assert Campaigns(engine).get("default", "spring").encoding == f"{kind}-q80"
    paint_all(engine, settings)
    lines = list(farm.manifest("spring"))
    assert [line["key"].rpartition(".")[2] for line in lines] == [kind] * 18
    sheet = np.asarray(Image.open(io.BytesIO(farm.sheet("spring")))).astype(int)
    for n in range(18):
        assert (np.abs(sheet - n * 7).max(axis=2) <= 4).sum() > 5_000


def test_a_sheet_shows_where_each_render_is(farm, engine, settings):
    farm.submit(campaign(skip=[{"product": "lamp", "color": "red"}], settings={"batch": 3}))
    paint_all(engine, settings, chunks=1, fail={1})
    row = Campaigns(engine).get("default", "spring")
    queue = Queue(engine)
    (chunk,) = queue.claim(
        queue.lead(owner=Home(settings.home).owner(), host="h", pid=1), [(row.id, "w")]
    )
    expansion, outcomes = (
        expansion_of(row.spec),
        [outcome for outcome, _, _ in Campaigns(engine).outcomes(row.id)],
    )
    cell_of = cells_of(row, expansion, outcomes, Campaigns(engine).under_way(row.id))
    states = [cell_of(number).state for number in range(18)]
    running = [
        render.number for render in expansion.renders(chunk.group_no, chunk.start, chunk.stop)
    ]
    assert [number for number, state in enumerate(states) if state is CellState.RUNNING] == running
    assert states[12:15] == [CellState.SKIPPED] * 3
    assert (states[0], states[1], cell_of(1).why) == (
        CellState.DONE,
        CellState.FAILED,
        "unknown: boom",
    )
    assert states[-1] is CellState.WAITING or 17 in running
    settings.open_outputs().delete(cell_of(0).key)
    colors = {
        color for _, color in Image.open(io.BytesIO(farm.sheet("spring"))).getcolors(1 << 24)
    }
    shown = {CellState.LOST, *states} - {CellState.DONE}
    assert {LOOKS[state].fill for state in shown} <= colors


def test_a_sheet_of_a_huge_campaign_is_refused(farm):
    farm.submit(campaign(seeds={"count": 5_000}))
    with pytest.raises(RequestError, match="too many for one sheet"):
        farm.sheet("spring")


def drop(engine, table):
    cascade = "" if engine.dialect.name == "sqlite" else " CASCADE"
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {table}{cascade}"))


def test_a_broken_database_is_a_sentence_not_a_traceback(farm, engine):
    farm.submit(campaign())
    drop(engine, "renders")
    with pytest.raises(WorkError, match="broke off"):
        list(farm.manifest("spring"))
    drop(engine, "campaigns")
    with pytest.raises(WorkError, match=r"cannot be used|has not the tables"):
        farm.status("spring")


# --- control ---


def test_a_campaign_is_paused_resumed_and_cancelled_and_each_twice_is_once(farm):
    farm.submit(campaign())
    for order, state in (
        (farm.pause, "paused"),
        (farm.resume, "queued"),
        (farm.cancel, "cancelled"),
    ):
        assert [order("spring").state for _ in range(2)] == [state] * 2
    status = farm.status("spring")
    assert (status.state, status.renders.cancelled, status.renders.queued) == (
        "cancelled",
        18,
        0,
    )
    for order in (farm.pause, farm.resume):
        with pytest.raises(RequestError, match="is over"):
            order("spring")
    with pytest.raises(RequestError, match="cancelled"):
        farm.retry("spring")


def test_orders_reach_what_was_named_and_nothing_else(farm):
    farm.submit(campaign())
    farm.submit(campaign(name="autumn"))
    with Client(farm.url, project="other") as other:
        other.submit(campaign())
        farm.pause("spring")
        farm.set_priority("spring", 90)
        assert (other.status("spring").state, other.status("spring").priority) == (
            "queued",
            50,
        )
    assert farm.status("autumn").state == "queued"
    assert farm.status("spring").priority == 90
    with pytest.raises(NotFound):
        farm.cancel("winter")
    with pytest.raises(RequestError, match="priority"):
        farm.set_priority("spring", 101)


def test_what_failed_is_tried_again(farm, engine, settings):
    farm.submit(campaign())
    paint_all(engine, settings, fail={3, 4, 11})
    assert farm.status("spring").renders == RenderCounts(
        total=18, queued=0, running=0, held=0, done=15, failed=3, cancelled=0,
        rejected=0, undecided=0,
    )  # fmt: skip
    assert farm.retry("spring", render=4).retried == 1
    assert farm.retry("spring", render=4).retried == 0
    assert farm.retry("spring", failed=False).retried == 0
    assert farm.retry("spring").retried == 2
    with pytest.raises(NotFound, match="no render 18"):
        farm.retry("spring", render=18)
    paint_all(engine, settings)
    assert farm.status("spring").state == "done"
    assert {line["number"]: line["attempts"] for line in farm.manifest("spring")}[4] == 2


def test_an_update_paints_what_is_new_and_keeps_the_rest(farm, engine, settings):
    farm.submit(campaign())
    paint_all(engine, settings)
    before = {(line["shot"], line["seed"]): line["pixels"] for line in farm.manifest("spring")}
    changed = campaign(vary={"product": ["vase", "mug", "lamp"], "color": ["red", "blue"]})
    answer = farm.submit(changed, update=True)
    assert answer.updated == UpdateCounts(kept=12, new=6, retired=6)
    assert (answer.state, answer.renders.done, answer.renders.queued) == (
        "running",
        12,
        6,
    )
    assert farm.submit(changed, update=True).created is False
    paint_all(engine, settings)
    lines = list(farm.manifest("spring"))
    assert [line["number"] for line in lines] == list(range(18))
    assert {line["coordinates"]["product"] for line in lines} == {"vase", "mug", "lamp"}
    assert all(
        before[line["shot"], line["seed"]] == line["pixels"]
        for line in lines
        if line["coordinates"]["product"] != "vase"
    )
    assert farm.status("spring").state == "done"
    assert len(farm.campaigns()) == 1


def test_an_update_of_a_campaign_under_way_loses_nothing(farm, engine, settings):
    farm.submit(campaign())
    paint_all(engine, settings, chunks=2)
    done = farm.status("spring").renders.done
    assert 0 < done < 18
    updated = farm.submit(campaign(seeds={"count": 4}), update=True).updated
    assert updated == UpdateCounts(kept=done, new=24 - done, retired=18 - done)
    paint_all(engine, settings)
    assert farm.status("spring").renders.done == 24


def test_pruning_forgets_campaigns_that_are_over_and_keeps_their_pictures(farm, engine, settings):
    farm.submit(campaign())
    farm.submit(campaign(name="autumn"))
    paint_all(engine, settings)
    assert farm.prune(3600).pruned == 0
    assert farm.prune(0).pruned == 1
    assert [c.campaign for c in farm.campaigns()] == ["autumn"]
    assert len(list(Path(settings.outputs_address).rglob("*.png"))) == 18
    assert farm.submit(campaign()).created


def spend(engine, seconds):
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE campaigns SET device_s = {seconds}"))


def test_a_spent_budget_is_told_and_only_another_one_lets_it_go_on(farm, engine, settings):
    limited = campaign(budget={"gpu_hours": 10})
    assert farm.submit(limited).budget_s == 36_000
    paint_all(engine, settings, chunks=1)
    done = farm.status("spring").renders.done
    spend(engine, 36_000)
    spent = (
        f"It has spent 10 of its budget of 10 GPU hours with {18 - done} of 18 renders left: raise"
        " `budget`"
    )
    assert spent in why(farm, "spring")
    Campaigns(engine).halt(
        Campaigns(engine).get("default", "spring").id, "the dispatcher's sentence"
    )
    assert farm.status("spring").device_s == 36_000
    for _ in range(2):
        with pytest.raises(
            RequestError, match=re.escape(f"The campaign spring cannot be resumed. {spent}")
        ):
            farm.resume("spring")
        assert farm.submit(limited).halted == "the dispatcher's sentence"
    assert "farm resume" not in why(farm, "spring")

    with pytest.raises(
        RequestError, match=r"(?s)--update.*-  gpu_hours: 10.0.*\+  gpu_hours: 20.0"
    ):
        farm.submit(campaign(budget={"gpu_hours": 20}))
    raised = farm.submit(campaign(budget={"gpu_hours": 20}), update=True)
    assert (raised.state, raised.device_s, raised.updated.kept) == (
        "running",
        36_000,
        done,
    )
    assert farm.submit(campaign(), update=True).budget_s is None
    paint_all(engine, settings)
    assert farm.status("spring").state == "done"


def test_why_says_that_what_is_under_way_takes_the_rest_of_a_budget(farm, engine, settings):
    farm.submit(campaign(budget={"gpu_hours": 10}))
    session = Queue(engine).lead(owner=Home(settings.home).owner(), host="h", pid=1)
    Queue(engine).claim(session, [(Campaigns(engine).get("default", "spring").id, "w")])
    assert "budget" not in why(farm, "spring")
    spend(engine, 35_999.9)
    assert (
        "It has spent 10 of its budget of 10 GPU hours, and what is under way may take the rest"
        in why(farm, "spring")
    )
    farm.pause("spring")
    assert "It is paused" in why(farm, "spring")


def test_what_is_painted_once_more_to_verify_it_has_no_budget(farm, engine, settings):
    farm.submit(campaign(budget={"gpu_hours": 10}))
    paint_all(engine, settings)
    assert farm.repaint("spring", [0]).budget_s is None


def test_a_campaign_of_a_version_without_budgets_is_the_same_still(farm, engine):
    farm.submit(campaign())
    with engine.begin() as connection:
        (spec,) = connection.execute(text("SELECT spec FROM campaigns")).scalars()
        old = json.loads(spec)
        del old["campaign"]["budget"]
        connection.execute(
            text("UPDATE campaigns SET spec = :spec, fingerprint = :of"),
            {"spec": json.dumps(old), "of": fingerprint(old)},
        )
    assert not farm.submit(campaign()).created


def why(farm, *target):
    return " ".join(farm.why(*target))


def test_why_says_what_a_campaign_waits_for(farm, engine, settings):
    farm.submit(campaign())
    assert "farm up" in why(farm, "spring")
    session = Queue(engine).lead(owner=Home(settings.home).owner(), host="h", pid=1)
    assert "No worker is ready" in why(farm, "spring")
    rows = [
        WorkerRow(name="w", state="idle", node=None, device=None, numerics_class=None, warm=None)
    ]
    Watching(engine).save_workers(session, rows)
    assert why(farm, "spring") == "Its next chunk is about to be given to a worker."
    spring = Campaigns(engine).get("default", "spring").id
    Campaigns(engine).note_refusals({spring: '["priority","urgent",50,90]'})
    first = "The campaign urgent of priority 90 goes first. Its own priority is 50."
    assert why(farm, "spring") == first
    (row,) = farm.campaigns()
    assert farm.status("spring").refusal == row.refusal
    assert row.refusal.as_json() == {
        "rule": "priority", "other": "urgent", "has": 50, "limit": 90, "sentence": first,
    }  # fmt: skip
    Campaigns(engine).note_refusals({spring: '["a rule of a later version"]'})
    assert farm.status("spring").refusal is None
    assert why(farm, "spring") == "Its next chunk is about to be given to a worker."
    farm.pause("spring")
    assert "farm resume spring" in why(farm, "spring")
    farm.cancel("spring")
    assert why(farm, "spring") == "It is over (cancelled): 18 cancelled."


def test_why_says_where_a_render_is(farm, engine, settings):
    farm.submit(campaign())
    assert re.search(
        r"Render 17 waits in a chunk of \d+, behind [1-9]\d* chunks", why(farm, "spring", 17)
    )
    session = Queue(engine).lead(owner=Home(settings.home).owner(), host="h", pid=1)
    Queue(engine).claim(session, [(Campaigns(engine).get("default", "spring").id, "worker-1")])
    assert "that worker-1 has, on attempt 1" in why(farm, "spring", 0)
    paint_all(engine, settings, fail={17})
    assert why(farm, "spring", 17) == "Render 17 is failed (unknown) by w, on attempt 1. boom"
    with pytest.raises(NotFound, match="no render 18"):
        farm.why("spring", 18)
