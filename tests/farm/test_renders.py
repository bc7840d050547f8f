"""Single renders over the API: all that is known of one, and the pictures that belong to it."""

import io

import httpx
import pytest
from PIL import Image
from sqlalchemy import update

from actors.models.models import SEEDLING
from farm.api.serving import serve
from farm.app import open_app
from farm.campaign.loading import load_campaign
from farm.campaign.specs import expansion_of
from farm.client.client import Client
from farm.config import read_settings
from farm.service.neighbours import before_and_after, of_its_seed, of_its_shot, versions_of
from farm.service.render_reading import RenderReading
from farm.service.render_views import RenderDetails, StepLooks
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.reviews import Reviews
from storage.tables import renders
from tests.campaigns import campaign, expansion
from tests.farm.resting import paint
from tests.farm.test_reviews import PROOFED, paint_proofs
from tests.pipelines import ip_adapter_of

AT = "/api/v1/campaigns/spring/renders"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def http(farm):
    with httpx.Client(base_url=farm.url) as made:
        yield made


def painted(farm, made, /, **changes):
    farm.submit(campaign(**{**PROOFED, "proof": None, **changes}))
    paint(made, "spring")


def details(http, number):
    answer = http.get(f"{AT}/{number}/details")
    assert answer.status_code == 200, answer.text
    return RenderDetails.model_validate(answer.json())


# --- what is known of a render ---


def test_a_render_is_told_before_it_is_painted(farm, http):
    farm.submit(campaign())
    told = details(http, 4)
    assert told.render["prompt"] == "a blue mug"
    assert told.pictures == []
    assert told.verdict is None
    assert (told.previous, told.next) == (3, 5)
    assert http.get(f"{AT}/18/details").status_code == 404


def test_proof_final_and_verdict_are_told_together(farm, settings, http):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.approve("spring", [0], by="Ada", note="crisp")
    paint(settings, "spring")
    told = details(http, 0)
    assert [one.stage for one in told.pictures] == ["proof", "final"]
    assert len({one.version for one in told.pictures}) == 2
    assert told.has_proofs
    assert (told.verdict.verdict, told.verdict.by, told.verdict.note) == (
        "approved",
        "Ada",
        "crisp",
    )
    assert [one.stage for one in details(http, 1).pictures] == ["proof"]


def test_a_redo_stands_beside_what_it_redoes(farm, settings, http):
    painted(farm, settings)
    number = farm.redo("spring", [1], next_seed=True).redone[0]
    told = details(http, number)
    assert [one.number for one in told.versions] == [1, number]
    assert [one.version for one in told.versions] == [1, 2]
    mine = [one.number for one in told.same_shot]
    assert mine[mine.index(1) + 1] == number


def test_the_same_render_of_the_version_before_is_told(farm, http):
    farm.submit(campaign())
    assert details(http, 0).before is None
    few = {"product": ["lamp", "mug"], "color": ["red", "blue"]}
    farm.submit(campaign(vary=few), update=True)
    before = {"version": 1, "number": 13, "is_same": True}
    assert details(http, 1).before.as_json() == before
    farm.submit(campaign(vary=few, prompt="one {color} {product}"), update=True)
    assert details(http, 1).before.as_json() == {"version": 2, "number": 1, "is_same": False}
    farm.submit(campaign(vary={**few, "product": ["vase", "mug"]}), update=True)
    assert details(http, 1).before is None, "there was no vase"
    place = campaign(vary={**few, "place": ["inside"]}, prompt="a {color} {product} {place}")
    farm.submit(place, update=True)
    assert details(http, 1).before is None, "it has another axis"
    told = http.get(f"{AT}/1/details", params={"version": 2}).json()
    assert told["before"] == before


# --- the renders around it ---


def test_neighbours_are_those_that_one_would_count():
    whole = expansion()  # 6 shots with 3 seeds
    assert of_its_shot(whole, 7) == [6, 7, 8]
    assert of_its_seed(whole, 7) == [1, 4, 7, 10, 13, 16]
    assert versions_of(whole, 7) == [7]
    assert before_and_after(whole, 0) == (None, 1)
    assert before_and_after(whole, 17) == (16, None)


def test_places_that_are_empty_are_passed_over():
    gaps = expansion(skip=[{"product": "mug", "color": "blue"}])  # without 3, 4, 5
    assert before_and_after(gaps, 2) == (1, 6)
    assert of_its_seed(gaps, 1) == [1, 7, 10, 13, 16]


def test_only_the_nearest_shots_are_named():
    long = expansion(vary={"n": list(range(100))}, prompt="{n}", seeds=[1])
    assert of_its_seed(long, 50) == list(range(38, 63))


# --- the pictures that belong to it ---


def test_steps_come_with_their_drift_from_what_the_render_begins_from(
    farm, settings, http, tmp_path
):
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "from.png")
    reference = {"image": str(tmp_path / "from.png"), "strength": 1.0}
    painted(farm, settings, previews={"at": [0.5]}, settings={"steps": 10}, reference=reference)
    told = StepLooks.model_validate(http.get(f"{AT}/0/steps").json())
    assert [look.step for look in told.looks] == [5, None]
    assert all(0 <= look.drift <= 1 for look in told.looks)
    assert http.get(f"{AT}/0/steps/6").status_code == 404


def test_a_look_can_be_nothing_but_a_picture(farm, settings, http):
    painted(farm, settings, previews={"at": [0.5]}, settings={"steps": 10})
    look = http.get(f"{AT}/0/steps/5")
    assert look.headers["content-type"] == "image/webp"
    assert look.headers["x-content-type-options"] == "nosniff"
    assert look.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert look.headers["cross-origin-resource-policy"] == "same-origin"
    same = http.get(f"{AT}/0/steps/5", headers={"If-None-Match": look.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    key = farm.render("spring", 0)["previews"][0]
    (settings.home / "outputs" / key).write_bytes(b"<html><script>alert(1)</script>")
    answer = http.get(f"{AT}/0/steps/5")
    assert answer.status_code == 404
    assert "is no picture any more" in answer.json()["detail"]


def test_the_picture_that_a_render_begins_from_is_shown(farm, http, tmp_path):
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "from.png")
    reference = {"image": str(tmp_path / "from.png"), "strength": 0.5}
    farm.submit(campaign(reference=reference))
    answer = http.get(f"{AT}/0/reference")
    assert Image.open(io.BytesIO(answer.content)).size == (64, 48)
    farm.submit(campaign(name="plain"))
    plain = http.get("/api/v1/campaigns/plain/renders/0/reference")
    assert plain.status_code == 404
    mood = ip_adapter_of(SEEDLING, tmp_path / "mood")
    likeness = {"model": str(mood), "image": str(tmp_path / "from.png")}
    farm.submit(campaign(name="like", likeness=likeness))
    answer = http.get("/api/v1/campaigns/like/renders/0/reference")
    assert Image.open(io.BytesIO(answer.content)).size == (64, 48)


# --- its campaign file ---


def test_a_campaign_file_of_one_render_has_its_recipe(farm, settings, http, tmp_path):
    hostile = 'a "{color}" {{mug}} # no: comment\n  - é'
    settings_ = {"steps": 7, "guidance": 2.5, "size": [128, 64]}
    farm.submit(campaign(prompt=hostile, settings=settings_, vary={"color": ["red: a", "<b>"]}))
    path = tmp_path / "one.yaml"
    path.write_text(http.get(f"{AT}/4/campaign").text, "utf-8")
    again = farm.submit(load_campaign(path).campaign)
    assert (again.campaign, again.renders.total) == ("spring-4", 1)
    with closing_engine(settings.database_address) as engine:
        rows = [Campaigns(engine).get("default", name) for name in ("spring", "spring-4")]
    recipes = [
        expansion.recipe(*expansion.render(number))
        for number, expansion in zip((4, 0), (expansion_of(row.spec) for row in rows), strict=True)
    ]
    assert recipes[0].digest == recipes[1].digest


def test_a_campaign_file_of_a_render_with_a_mask_has_its_recipe(farm, http, tmp_path):
    for name in ("shelf", "mask"):
        Image.new("RGB", (64, 48), "teal" if name == "shelf" else "white").save(
            tmp_path / f"{name}.png"
        )
    reference = {"image": str(tmp_path / "shelf.png"), "mask": str(tmp_path / "mask.png")}
    farm.submit(campaign(reference=reference))
    path = tmp_path / "one.yaml"
    path.write_text(http.get(f"{AT}/4/campaign").text, "utf-8")
    written = load_campaign(path).campaign.reference
    assert (written.image, written.mask) == (reference["image"], reference["mask"])
    assert http.get(f"{AT}/4/details").json()["render"]["mask"]["address"] == reference["mask"]


# --- decisions that are sent again ---


def undo(http, sequence, **body):
    sent = {"client": "page", "sequence": sequence, **body}
    return http.post("/api/v1/campaigns/spring/reviews/undo", json=sent)


@pytest.mark.parametrize("is_named", [True, False])
def test_an_undo_that_is_sent_again_gets_the_same_answer_and_takes_nothing_more_back(
    farm, settings, http, is_named
):
    painted(farm, settings)
    farm.approve("spring", [0])
    entry = farm.approve("spring", [1]).entry
    body = {"entry": entry} if is_named else {}
    first, again = undo(http, 7, **body), undo(http, 7, **body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["undoes"] == entry
    assert farm.reviews("spring").approved == 1


def test_the_tokens_of_a_render_are_counted_as_its_model_reads_them(farm, settings):
    farm.submit(
        campaign(prompt="a {color} mug", vary={"color": ["red", "red red red"]}, seeds=[1])
    )
    with closing_engine(settings.database_address) as engine:
        reading = RenderReading(campaigns=Campaigns(engine), reviews=Reviews(engine))
        short, long = (reading.tokens("default", "spring", number) for number in (0, 1))
    assert len(short) == len(long) > 0
    for one, other in zip(short, long, strict=True):
        assert other["prompt"] == one["prompt"] + 2
        assert one["prompt"] < one["limit"]


def test_a_picture_whose_file_has_no_hash_in_the_database_is_shown_too(farm, settings, http):
    """As early versions left them: pages ask for it by the digest of its recipe."""
    painted(farm, settings)
    with closing_engine(settings.database_address) as engine, engine.begin() as connection:
        connection.execute(update(renders).values(sha256=None))
    (told,) = details(http, 1).pictures
    digest = farm.render("spring", 1)["digest"]
    assert told.version == digest[:12]
    cells = http.get("/api/v1/campaigns/spring/map/cells", params={"numbers": "1"}).content
    assert digest[:12].encode() in cells
