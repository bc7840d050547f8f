"""The map of a campaign: bytes, bitmaps and counts over HTTP, held against what each render is."""

import gzip
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from farm.campaign.map_code import unpacked
from farm.service.render_maps import RenderMaps
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.render_codes import RenderCodes
from storage.reviews import Reviews
from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.farm.test_reviews import paint_proofs
from tests.web.many import many

PATH = "/api/v1/campaigns/spring"


@pytest.fixture
def database(settings):
    with closing_engine(settings.database_address) as engine:
        yield engine


@pytest.fixture
def painted(client, settings, database):
    """Eighteen renders in chunks; render 5 failed, two chunks of 3 wait."""
    client.submit(campaign())
    paint_all(database, settings, chunks=None, fail=(5,))
    return client


def codes(http, **parameters):
    return [unpacked(code) for code in http.get(f"{PATH}/map", params=parameters).content]


def bits(http, **parameters):
    found = http.get(f"{PATH}/map/matches", params=parameters).content
    return np.flatnonzero(
        np.unpackbits(np.frombuffer(found, np.uint8), bitorder="little")
    ).tolist()


def test_every_render_is_a_byte(painted, http):
    assert codes(http) == [
        ("failed" if number == 5 else "done", "undecided", 0) for number in range(18)
    ]


def test_the_layout_says_what_a_number_means(painted, http):
    layout = http.get(f"{PATH}/map/layout").json()
    assert [axis["name"] for axis in layout["axes"]] == ["product", "color"]
    assert layout["axes"][0]["labels"] == ["mug", "bottle", "lamp"]
    assert (layout["size"], layout["total"], layout["seeds_per_shot"]) == (18, 18, 3)
    line = painted.render("spring", 10)
    cell, seed = divmod(10, 3)
    assert line["coordinates"] == {
        "product": layout["axes"][0]["labels"][cell // 2],
        "color": layout["axes"][1]["labels"][cell % 2],
    }
    assert line["seed"] == layout["seeds"][seed]


def test_a_campaign_that_waits_and_one_that_was_cancelled(client, http):
    client.submit(campaign())
    assert {state for state, _, _ in codes(http)} == {"waiting"}
    client.cancel("spring")
    assert {state for state, _, _ in codes(http)} == {"cancelled"}


def test_skipped_cells_keep_their_place_and_are_none(client, http):
    client.submit(campaign(skip=[{"product": "mug", "color": "red"}]))
    found = codes(http)
    assert [state for state, _, _ in found] == ["none"] * 3 + ["waiting"] * 15
    assert http.get(f"{PATH}/map/layout").json()["total"] == 15
    assert bits(http) == list(range(3, 18))


def test_proofs_have_a_map_of_their_own_with_the_verdicts_on_their_finals(client, settings, http):
    client.submit(campaign(proof={"steps": 4, "seeds": 1}))
    assert [state for state, _, _ in codes(http, stage="proof")] == ["waiting", "none", "none"] * 6
    assert {state for state, _, _ in codes(http)} == {"undecided"}
    paint_proofs(settings)
    client.reject("spring", [0])
    client.approve("spring", [3])
    states = [(state, review) for state, review, _ in codes(http)[:4]]
    undecided = ("undecided", "undecided")
    assert states == [("rejected", "rejected"), undecided, undecided, ("waiting", "approved")]
    assert codes(http, stage="proof")[0] == ("done", "rejected", 0)


def test_filters_choose_and_counts_are_those_of_each_choice(client, settings, http):
    many(client, settings, products=5, places=4, seeds=10)
    held = bits(http, state="held")
    assert held == [1, 101]
    assert bits(http, state="held,failed") == [1, 2, 101, 102]
    assert bits(http, drift="1", at="0:0;2:3,4") == [3, 4]
    assert bits(http, rule="sharpness", at="1:1") == [10, 50, 90, 130, 170]
    assert bits(http, reason="drift", review="undecided") == held
    assert bits(http, review="approved") == []
    counts = http.get(f"{PATH}/map/counts", params={"state": "held", "at": "0:0"}).json()
    assert (counts["total"], counts["matches"]) == (200, 1)
    assert counts["states"] == {"done": 38, "held": 1, "failed": 1}
    assert counts["reasons"] == {"drift": 1}
    assert counts["drift"] == [1] + [0] * 9
    assert counts["axes"][0] == [1, 0, 1][: len(counts["axes"][0])]
    assert counts["axes"][2] == [0, 1]


def test_cells_are_as_they_are_now_in_the_order_asked_for(painted, http):
    cells = http.get(f"{PATH}/map/cells", params={"numbers": "7,5,9999,0,7"}).json()
    assert cells["numbers"] == [7, 5, 0]
    assert [unpacked(code)[0] for code in cells["codes"]] == ["done", "failed", "done"]
    assert cells["files"][1] is None
    sha = painted.render("spring", 7)["sha256"]
    assert cells["files"][0] == sha[:12]


def test_decisions_show_at_once(client, settings, http):
    many(client, settings, products=5, places=4, seeds=10)
    assert codes(http)[3] == ("done", "undecided", 1)
    client.approve("spring", [3])
    assert codes(http)[3] == ("done", "approved", 1)
    assert bits(http, review="approved") == [3]


@pytest.mark.parametrize(
    "parameters",
    [
        {"state": "happy"}, {"reason": "bad weather"}, {"rule": "1"}, {"drift": "11"},
        {"at": "9:1"}, {"at": "x"}, {"at": "0:"}, {"state": "done", "color": "red"},
    ],
)  # fmt: skip
def test_a_filter_that_nobody_can_mean_is_refused(painted, http, parameters):
    assert http.get(f"{PATH}/map/matches", params=parameters).status_code in (400, 422)


def test_too_many_cells_at_once_are_refused(painted, http):
    numbers = ",".join(map(str, range(2_001)))
    assert http.get(f"{PATH}/map/cells", params={"numbers": numbers}).status_code == 400


def test_a_large_map_is_read_seldom_while_workers_change_it_but_at_once_after_a_person(
    client, settings, database
):
    many(client, settings, products=5, places=4, seeds=10)
    campaigns, now = Campaigns(database), [0.0]

    class Slow(RenderCodes):
        reads = 0

        def read(self, *arguments):
            Slow.reads += 1
            now[0] += 1.0
            return super().read(*arguments)

    maps = RenderMaps(
        campaigns=campaigns,
        reviews=Reviews(database),
        codes=Slow(database),
        clock=lambda: now[0],
    )
    row = campaigns.get("default", "spring")
    first = maps.of(row)
    assert maps.of(replace(row, done=1)) is first  # a second of reading is done every ten
    client.approve("spring", [0])
    second = maps.of(replace(row, done=1))
    assert (first.reviews[0], second.reviews[0], Slow.reads) == (0, 1, 1)
    now[0] += 11
    unfinished = replace(row, done=2, finished_at=None)
    maps.of(unfinished)
    assert Slow.reads == 2
    assert maps.of(unfinished) is maps.of(unfinished)


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("exists", "states", "reviews", "deciles", "reasons", "rules")
    )


def test_after_decisions_a_map_is_what_it_would_be_if_all_were_read(client, settings, database):
    """Only what they are about is read: a held render among them gets another state."""
    many(client, settings, products=5, places=4, seeds=10)
    campaigns, reviews = Campaigns(database), Reviews(database)

    class Counting(RenderCodes):
        reads = 0

        def read(self, *arguments):
            Counting.reads += 1
            return super().read(*arguments)

    def maps_of(codes):
        return RenderMaps(campaigns=campaigns, reviews=reviews, codes=codes)

    maps = maps_of(Counting(database))
    first = maps.of(campaigns.get("default", "spring"))
    assert Counting.reads == 1
    for decide in (
        lambda: client.approve("spring", [0, 3, 102]),
        lambda: client.reject("spring", [101, 150], reason="texture"),
        lambda: client.reject("spring", list(range(20, 90))),
        lambda: client.undo("spring"),
        lambda: client.approve("spring", [n for n in range(200) if n % 100 != 1]),
    ):
        decide()
        row = campaigns.get("default", "spring")
        assert same(maps.of(row), maps_of(RenderCodes(database)).of(row))
    assert Counting.reads == 1
    assert not same(first, maps.of(row))


def test_very_many_decided_renders_are_read_with_all_others(
    client, settings, database, monkeypatch
):
    monkeypatch.setattr("farm.service.render_maps.MOST_PATCHED", 3)
    many(client, settings, products=5, places=4, seeds=10)
    campaigns, reviews = Campaigns(database), Reviews(database)
    maps = RenderMaps(campaigns=campaigns, reviews=reviews, codes=RenderCodes(database))
    maps.of(campaigns.get("default", "spring"))
    client.approve("spring", list(range(10)))
    row = campaigns.get("default", "spring")
    fresh = RenderMaps(campaigns=campaigns, reviews=reviews, codes=RenderCodes(database))
    assert same(maps.of(row), fresh.of(row))


def test_a_map_is_sent_compressed(client, settings, http):
    many(client, settings, products=50, places=4, seeds=10)
    with http.stream("GET", f"{PATH}/map", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) < 2_000
    assert len(gzip.decompress(raw)) == 2_000


def test_a_picture_is_what_is_stored_and_can_be_nothing_else(painted, http):
    line = painted.render("spring", 4)
    answer = http.get(f"{PATH}/renders/4/picture")
    assert answer.content == http.get(f"/api/v1/outputs/{line['key']}").content
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "no-cache" in answer.headers["cache-control"]
    again = http.get(
        f"{PATH}/renders/4/picture", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def test_a_thumbnail_is_small_and_kept_if_it_is_named_by_its_file(painted, http):
    named = {"size": "small", "of": painted.render("spring", 4)["sha256"][:12]}
    answer = http.get(f"{PATH}/renders/4/picture", params=named)
    image = Image.open(io.BytesIO(answer.content))
    assert (image.format, max(image.size) <= 256) == ("WEBP", True)
    assert "immutable" in answer.headers["cache-control"]
    other = http.get(f"{PATH}/renders/4/picture", params={**named, "of": "0123456789ab"})
    assert "no-cache" in other.headers["cache-control"]


def test_a_render_without_a_picture_says_so(painted, http):
    for number in (5, 99_999):
        answer = http.get(f"{PATH}/renders/{number}/picture")
        assert answer.status_code == 404
        assert "no picture" in answer.json()["detail"]


def test_a_redo_has_a_number_of_its_own_and_its_place_is_told(client, settings, http):
    total = many(client, settings, products=5, places=4, seeds=10)
    told = client.redo("spring", [57], next_seed=True)
    layout = http.get(f"{PATH}/map/layout").json()
    assert told.redone == [total]
    assert (layout["size"], layout["first_redo"], layout["redos"]) == (total + 1, total, [57])
    assert codes(http)[total][0] == "waiting"
    assert bits(http, state="waiting") == [total]
    counts = http.get(f"{PATH}/map/counts", params={"state": "waiting"}).json()
    assert counts["matches"] == 1
    assert counts["axes"][0] == [0, 1]  # 57 is of the second product …
    assert counts["axes"][1] == [0, 1]  # … and the second place …
    assert counts["axes"][2][7] == 1  # … and has the eighth seed
    cells = http.get(f"{PATH}/map/cells", params={"numbers": f"{total},57"}).json()
    assert [unpacked(code)[0] for code in cells["codes"]] == ["waiting", "done"]
