"""Service, API and client together, over real HTTP, without a dispatcher."""

import io
import json
import re
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from actors.encode import png
from actors.models import SEEDLING
from farm.app import make_app, serve
from farm.client import Client
from storage.errors import NotFound, RequestError, WorkError
from storage.rows import RenderOutcome, Settlement
from storage.states import Reason, RenderState
from tests.campaigns import campaign


@pytest.fixture
def farm(settings):
    with serve(make_app(settings), 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def database(settings, farm):
    from storage.database import open_database

    engine = open_database(settings.database_url)
    yield engine
    engine.dispose()


def paint_all(database, settings, name="spring"):
    """What a dispatcher and its workers do, with pictures of one colour each."""
    import numpy as np

    from actors.encode import pixels_digest
    from farm.dispatcher import chunk_job
    from farm.specs import expansion_of
    from storage.campaigns import Campaigns
    from storage.outputs import FolderOutputs
    from storage.queue import Queue

    queue, outputs = Queue(database), FolderOutputs(settings.outputs_folder)
    row = Campaigns(database).get("default", name)
    plan = expansion_of(row.spec)
    session = queue.begin_session(host="h", pid=1, now=time.time())
    while chunks := queue.claim(session, [(row.id, "w")], time.time()):
        job = chunk_job(row, plan, chunks[0])
        outcomes = []
        for picture in job.pictures:
            pixels = np.full((128, 128, 3), picture.number * 7 % 256, np.uint8)
            outputs.put(picture.key, png(pixels, {}, ""))
            outcomes.append(
                RenderOutcome(
                    number=picture.number, digest=job.recipe(picture).digest, state=RenderState.DONE, reason=Reason.PAINTED,
                    key=picture.key, pixels=pixels_digest(pixels), bytes=1, numerics_class="n", seconds=0.1,
                )
            )  # fmt: skip
        facts = {
            "load_s": 1.0,
            "batch_s": [0.3],
            "megapixel_steps": 1.3,
            "encode_s": 0.1,
            "pictures": len(outcomes),
            "slots": 4,
            "uploads": len(outcomes),
            "upload_bytes": 9,
        }
        settlement = Settlement(
            chunk_id=job.chunk_id, campaign_id=row.id, lease=job.lease, worker="w", outcome="painted", outcomes=tuple(outcomes), facts=facts
        )
        assert queue.settle([settlement], time.time())


def test_submitting_twice_does_it_once(farm):
    first, second = farm.submit(campaign()), farm.submit(campaign())
    assert (first["created"], second["created"]) == (True, False)
    assert first["renders"]["total"] == first["renders"]["queued"] == 18
    assert len(farm.campaigns()) == 1


def test_a_changed_campaign_under_the_same_name_is_refused_with_what_changed(farm):
    farm.submit(campaign())
    with pytest.raises(RequestError, match=r"(?s)another name.*-prompt: a \{color\} \{product\}.*\+prompt: the \{color\}"):
        farm.submit(campaign(prompt="the {color} {product}"))
    assert farm.status("spring")["renders"]["total"] == 18


def test_the_same_file_at_the_same_time_is_one_campaign(farm):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: farm.submit(campaign())["created"], range(4)))
    assert sorted(answers) == [False, False, False, True]


def test_a_model_is_the_same_wherever_it_lies(farm, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(SEEDLING, tmp_path / place)
    answers = [farm.submit(campaign(model=str(tmp_path / place)))["created"] for place in ("a", "b")]
    assert answers == [True, False]


def test_the_same_name_is_free_in_another_project(farm):
    farm.submit(campaign())
    with Client(farm.url, project="other") as other:
        assert other.submit(campaign(prompt="the {color} {product}"))["created"]


def test_a_dry_run_tells_and_writes_nothing(farm):
    plan = farm.submit(campaign(), dry_run=True)
    assert (plan["renders"], plan["axes"], plan["seeds"], plan["groups"]) == (18, {"product": 3, "color": 2}, 3, 1)
    assert plan["first"][0]["prompt"] == "a red mug"
    assert farm.campaigns() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(seeds={"count": 2**32}, vary={"product": {"range": [1, 1000, 1]}, "color": ["red"]}), "4,294,967,296,000 renders"),
        (dict(skip=[{"color": "red"}, {"color": "blue"}]), "0 renders"),
        (dict(model="/no/such/model"), "model: The model /no/such/model was not found"),
        (dict(model="seedlin"), "was not found"),
        (dict(vary={"product": ["mug", "mug " * 60], "color": ["red"]}), "prompt: it grows to 64 tokens and the model reads 48"),
        (dict(negative="grain, " * 40), "negative: it grows to"),
    ],
)
def test_what_cannot_be_painted_is_refused_and_nothing_is_written(farm, changes, words):
    with pytest.raises(RequestError, match=re.escape(words)):
        farm.submit(campaign(**changes))
    assert farm.campaigns() == []


def test_the_api_checks_for_itself(farm):
    answer = httpx.post(f"{farm.url}/api/v1/campaigns", json={"campaign": {"name": "x", "modle": "seedling"}})
    assert answer.status_code == 422
    assert {"path": ["modle"], "message": "unknown key 'modle': did you mean 'model'?"} in answer.json()["problems"]


def test_only_this_machine_may_ask_and_only_with_json(farm):
    assert httpx.get(f"{farm.url}/api/v1/campaigns", headers={"Host": "evil.example"}).status_code == 400
    body = json.dumps({"campaign": campaign().model_dump(mode="json")})
    assert httpx.post(f"{farm.url}/api/v1/campaigns", content=body, headers={"Content-Type": "text/plain"}).status_code == 422
    assert farm.campaigns() == []


@pytest.mark.parametrize("key", ["../farm.db", "..%2ffarm.db", "/etc/passwd", "%2e%2e/farm.db", "a%00b"])
def test_the_outputs_show_nothing_but_outputs(farm, settings, key):
    assert settings.database_url.endswith("farm.db")
    assert httpx.get(f"{farm.url}/api/v1/outputs/{key}").status_code in (400, 404, 507)


def test_unknown_names_are_not_found(farm):
    for ask in (farm.status, farm.sheet, farm.save_manifest, lambda name: list(farm.manifest(name))):
        with pytest.raises(NotFound, match="farm list"):
            ask("nothing")


def test_a_farm_that_is_not_there_is_a_sentence():
    with Client("http://127.0.0.1:9") as nobody, pytest.raises(WorkError, match="farm up"):
        nobody.campaigns()


def test_the_manifest_names_every_render_with_all_it_needs(farm, database, settings):
    farm.submit(campaign(negative="grain", vary={"product": ["mug", "box"], "color": ["red"], "guidance": [3.0, 5.0]}))
    paint_all(database, settings)
    lines = list(farm.manifest("spring"))
    assert len(lines) == 12
    wanted = "campaign stage shot coordinates seed prompt negative settings digest pixels key bytes"
    wanted += " state reason attempts worker numerics_class seconds"
    assert all(set(wanted.split()) <= set(line) for line in lines)
    assert {line["settings"]["guidance"] for line in lines} == {3.0, 5.0}
    assert len({line["key"] for line in lines}) == len({line["digest"] for line in lines}) == 12
    assert lines[0]["key"] == f"default/spring/final/{lines[0]['shot']}/{lines[0]['seed']}.png"
    written = settings.outputs_folder / "default" / "spring" / "manifest.jsonl"
    assert farm.save_manifest("spring") == str(written)
    assert [json.loads(line) for line in written.read_text().splitlines()] == lines
    assert farm.status("spring")["state"] == "done"


def test_the_sheet_shows_every_cell_in_its_place(farm, database, settings):
    farm.submit(campaign())
    empty = Image.open(io.BytesIO(farm.sheet("spring")))
    paint_all(database, settings)
    sheet = Image.open(io.BytesIO(farm.sheet("spring")))
    assert sheet.size == empty.size
    shades = {color for _, color in sheet.getcolors(1 << 24)}
    assert {(n * 7, n * 7, n * 7) for n in range(18)} <= shades


def test_a_sheet_of_a_huge_campaign_is_refused(farm):
    farm.submit(campaign(seeds={"count": 1_000_000}))
    with pytest.raises(RequestError, match="too many for one sheet"):
        farm.sheet("spring")


def test_metrics_count_what_attempts_record(farm, database, settings):
    farm.submit(campaign())
    text = httpx.get(f"{farm.url}/metrics").text
    assert 'farm_queue_renders{model="seedling",state="queued"} 18.0' in text
    paint_all(database, settings)
    text = httpx.get(f"{farm.url}/metrics").text
    assert 'farm_renders_total{model="seedling",outcome="done"} 18.0' in text
    assert 'farm_renders_total{model="seedling",outcome="held"} 0.0' in text
    assert 'farm_paint_seconds_count{model="seedling"}' in text
    assert 'farm_uploads_total{model="seedling"} 18.0' in text
    assert text == httpx.get(f"{farm.url}/metrics").text


def test_every_query_of_the_dashboard_names_series_and_labels_that_are_served(farm, database, settings):
    from dashboards.build import TARGET

    farm.submit(campaign())
    paint_all(database, settings)
    text = httpx.get(f"{farm.url}/metrics").text
    served: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        served.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    queries = re.findall(r'"expr": "(.*)"', TARGET.read_text())
    assert len(queries) >= 15
    for query in queries:
        names = re.findall(r"\bfarm_[a-z_]+", query)
        assert names, query
        for name in names:
            assert name in served, query
        asked = set(re.findall(r'(\w+)=\\"', query)) | {
            label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")
        }
        assert asked <= set().union(*(served[name] for name in names)), query


def test_the_dashboard_is_what_the_code_builds():
    from dashboards.build import TARGET, build

    assert build() == TARGET.read_text()


def test_a_broken_database_is_a_sentence_not_a_traceback(farm, settings):
    farm.submit(campaign())
    with sqlite3.connect(settings.home / "farm.db") as connection:
        connection.execute("DROP TABLE renders")
    with pytest.raises(WorkError, match="broke off"):
        list(farm.manifest("spring"))
    with sqlite3.connect(settings.home / "farm.db") as connection:
        connection.execute("DROP TABLE campaigns")
    with pytest.raises(WorkError, match="job database cannot be used"):
        farm.status("spring")
