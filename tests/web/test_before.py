"""The version before in the places of the present one: the API's answer, and the grid."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.web.test_grid import PATH, focus_of, opened
from tests.web.test_map import database  # noqa: F401
from tests.web.test_thumbnails import DRAWN, shade

API = "/api/v1/campaigns/spring"
FIRST = {"vary": {"product": ["mug", "lamp"], "color": ["red", "blue"]}, "seeds": [11, 12]}


def versions(client, settings, database):  # noqa: F811
    """Version 2 swaps mugs and lamps, has no blue any more, and green for it."""
    with ThreadPoolExecutor(1) as threads:
        client.submit(campaign(**FIRST))
        paint_all(database, settings, threads=threads)
        vary = {"product": ["lamp", "mug"], "color": ["red", "green"]}
        client.submit(campaign(**{**FIRST, "vary": vary}), update=True)
        paint_all(database, settings, threads=threads)


@pytest.fixture
def painted(client, settings, database):  # noqa: F811
    versions(client, settings, database)
    return client


def test_each_render_is_told_its_counterpart_in_the_version_before(painted, http):
    told = http.get(f"{API}/map/before", params={"numbers": "0,1,2,4,7,7,99"}).json()
    assert told["version"] == 1
    # By number: red lamps, green lamps, red mugs, green mugs, two seeds each.
    assert told["numbers"] == [0, 1, 2, 4, 7]
    assert told["before"] == [4, 5, None, 0, None]
    assert told["same"] == [True, True, False, True, False]
    before = {line["number"]: line["sha256"][:12] for line in painted.manifest("spring@1")}
    files = [None if number is None else before[number] for number in told["before"]]
    assert told["files"] == files
    assert [bool(one) for one in told["thumbnails"]] == [True, True, False, True, False]


def test_a_render_that_changed_is_not_the_same(client, settings, database, http):  # noqa: F811
    client.submit(campaign(**FIRST))
    paint_all(database, settings)
    changed = {**FIRST, "prompt": "a {color} {product} on white"}
    client.submit(campaign(**changed), update=True)
    told = http.get(f"{API}/map/before", params={"numbers": "0,3"}).json()
    assert (told["before"], told["same"]) == ([0, 3], [False, False])
    assert all(told["files"])


def test_without_a_version_before_there_is_a_sentence(client, http):
    client.submit(campaign())
    answer = http.get(f"{API}/map/before", params={"numbers": "0"})
    assert answer.status_code == 404
    assert "has no version before 1" in answer.json()["detail"]
    for numbers in ("", "x", "-1", ",".join(map(str, range(501)))):
        answer = http.get(f"{API}/map/before", params={"numbers": numbers})
        assert answer.status_code in (400, 422), numbers


def label(page, number):
    return page.locator(f".tile[data-number='{number}']").get_attribute("aria-label")


def test_the_grid_shows_the_version_before_in_its_places(look, painted):
    page = opened(look)
    page.locator(DRAWN).nth(7).wait_for()
    button = page.get_by_role("button", name="Version 1", exact=True)
    now = shade(page, 0)
    button.click()
    page.locator(".t-before").nth(7).wait_for()
    assert button.get_attribute("aria-pressed") == "true"
    assert "the same in version 1" in label(page, 0)
    assert "not in version 1" in label(page, 2)
    assert page.locator(".tile[data-number='2'] > *").count() == 0
    page.wait_for_url("**before=1**")
    page.reload()
    page.locator(".t-before").nth(7).wait_for()
    page.get_by_role("button", name="Version 1", exact=True).click()
    page.locator(DRAWN).nth(7).wait_for()
    assert re.search("lamp, red, seed 11: done", label(page, 0))
    assert abs(shade(page, 0) - now).max() < 2


def test_a_key_goes_to_and_fro_and_the_place_stays(look, client, settings, database):  # noqa: F811
    client.submit(campaign(**FIRST))
    paint_all(database, settings)
    changed = {**FIRST, "prompt": "a {color} {product} on white"}
    client.submit(campaign(**changed), update=True)
    page = opened(look)
    page.locator(".tile[data-number='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.locator(".tile.t-before img").nth(7).wait_for()
    assert "as it was in version 1" in label(page, 1)
    assert page.locator(".focused .told").inner_text() == "No. 1 · as it was in version 1"
    assert focus_of(page) == 1
    page.keyboard.press("b")
    page.wait_for_function("() => !document.querySelector('.t-before')")
    assert page.locator(".tile img").count() == 0  # nothing of version 2 is painted yet
    assert focus_of(page) == 1


def test_a_campaign_of_one_version_offers_none(look, client):
    client.submit(campaign())
    page = opened(look, PATH)
    assert page.locator("[data-before]").count() == 0
    page.locator(".tile").first.focus()
    page.keyboard.press("b")
    assert page.locator(".t-before").count() == 0
