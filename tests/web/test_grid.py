"""The grid of a campaign in a real browser: every render can be reached, by every way there is."""

import re

import pytest

from tests.campaigns import campaign
from tests.farm.test_api import paint_all
from tests.web.looking import Held, assert_everybody_can_use
from tests.web.many import many
from tests.web.test_map import database  # noqa: F401

PATH = "/campaigns/default/spring"
READY = "#campaign[data-ready=true]"
HIGHEST = 8_000_000


def opened(look, path=PATH, **options):
    page = look.open(path, **options)
    page.locator(READY).wait_for()
    return page


def numbers(page):
    return {
        int(n) for n in page.eval_on_selector_all(".tile", "e => e.map(t => t.dataset.number)")
    }


def focus_of(page):
    return int(page.locator(".tile[tabindex='0']").get_attribute("data-number"))


@pytest.fixture
def painted(client, settings, database):  # noqa: F811
    client.submit(campaign())
    paint_all(database, settings, fail=(5,))
    return client


def test_the_page_fits_every_window_and_everybody_can_use_it(look, painted):
    def ready(page):
        page.locator(READY).wait_for()
        page.locator(".tile img").first.wait_for()
        assert numbers(page) >= set(range(9))

    assert_everybody_can_use(opened(look), ready, widths=(360, 1280, 2560))


def test_a_tile_tells_what_it_is(look, painted):
    page = opened(look)
    label = page.get_by_role("gridcell", name=re.compile("mug, red, seed .*: done"))
    label.first.wait_for()
    failed = page.locator(".tile[data-number='5']")
    assert "failed" in failed.get_attribute("aria-label")
    assert failed.locator("img").count() == 0


def test_axes_can_be_rows_or_columns_and_the_address_says_which(look, painted):
    page = opened(look)
    grid = page.get_by_role("grid")
    page.get_by_role("button", name="product", exact=True).click()
    page.wait_for_url("**columns=**")
    before = grid.get_attribute("aria-colcount"), grid.get_attribute("aria-rowcount")
    page.reload()
    page.locator(READY).wait_for()
    assert (grid.get_attribute("aria-colcount"), grid.get_attribute("aria-rowcount")) == before


def test_filters_have_counts_and_are_kept_by_reload_and_back(look, painted):
    page = opened(look)
    page.get_by_role("button", name="Wall").click()
    page.get_by_label(re.compile("^failed")).check()
    page.get_by_text("1 of 18 renders").wait_for()
    assert numbers(page) == {5}
    page.reload()
    page.locator(READY).wait_for()
    assert numbers(page) == {5}
    page.goto(look.url)
    page.go_back()
    page.locator(READY).wait_for()
    assert numbers(page) == {5}
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("18 renders", exact=True).wait_for()


def test_the_filter_that_is_chosen_counts_in_whichever_order_answers_come(look, painted):
    page = opened(look, f"{PATH}?view=wall")
    held = Held(page, "**/map/matches?*")
    failed = page.get_by_label(re.compile("^failed"))
    failed.check()
    failed.uncheck()
    page.get_by_label(re.compile("^done")).check()
    first, second = held.take(2)
    second.continue_()
    page.get_by_text("17 of 18 renders").wait_for()
    with page.expect_response("**/map/matches?*"):
        first.continue_()
    page.evaluate("new Promise(requestAnimationFrame)")
    assert numbers(page) == set(range(18)) - {5}


def test_strips_show_all_seeds_of_a_shot_and_one_seed_over_all_shots(look, painted):
    page = opened(look)
    page.locator(".tile[data-number='0']").focus()
    page.get_by_role("button", name="All seeds of this shot").click()
    page.get_by_text("3 of 18 renders").wait_for()
    assert numbers(page) == {0, 1, 2}
    page.get_by_role("button", name="This seed over all shots").click()
    page.get_by_text("6 of 18 renders").wait_for()
    assert numbers(page) == {0, 3, 6, 9, 12, 15}


def test_the_keyboard_alone_moves_the_focus_and_opens_a_picture(look, painted):
    page = opened(look, f"{PATH}?view=wall")
    page.locator(".tile[tabindex='0']").focus()
    for key, at in (
        ("ArrowRight", 1),
        ("Control+End", 17),
        ("Control+Home", 0),
        ("ArrowRight", 1),
        ("ArrowLeft", 0),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        assert focus_of(page) == at
    assert page.evaluate("document.activeElement.dataset.number") == "0"
    page.wait_for_url("**i=0**")
    page.route("**/renders/0", lambda route: route.fulfill(body="a picture"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/renders/0")


@pytest.mark.parametrize(("products", "places", "seeds"), [(100, 100, 10), (100, 100, 100)])
def test_every_one_of_very_many_renders_can_be_reached(
    look, client, settings, products, places, seeds
):
    total = many(client, settings, products=products, places=places, seeds=seeds)
    page = opened(look, f"{PATH}?view=wall&size=small")
    assert page.evaluate("document.querySelector('.sizer').offsetHeight") <= HIGHEST
    for number in (total // 2 + 7, total - 1, 0):
        page.get_by_label("Go to no.").fill(str(number))
        page.keyboard.press("Enter")
        assert focus_of(page) == number
        assert page.locator(f".tile[data-number='{number}']").is_visible()
        assert page.evaluate("document.activeElement.dataset.number") == str(number)
    page.keyboard.press("Control+End")
    assert focus_of(page) == total - 1
    page.evaluate("{const box = document.querySelector('.grid'); box.scrollTop = 1e9}")
    page.wait_for_function(f"document.querySelector('.tile[data-number=\"{total - 1}\"]')")
    assert len(numbers(page)) < 1_000  # the others are not in the page
    page.wait_for_url(f"**i={total - 1}**")
    page.reload()
    page.locator(READY).wait_for()
    assert focus_of(page) == total - 1
    assert page.locator(f".tile[data-number='{total - 1}']").is_visible()


def test_a_wheel_moves_by_what_it_turns_even_if_the_box_is_smaller_than_the_whole(
    look, client, settings
):
    many(client, settings, products=200, places=100, seeds=50)
    page = opened(look, f"{PATH}?size=large&columns=seed")  # 20,000 rows of more than 200 pixels
    page.get_by_role("button", name="place").click()
    page.get_by_role("button", name="seed", exact=True).click()
    before = page.locator(".where").inner_text()
    page.locator(".grid").hover()
    page.mouse.wheel(0, 500)
    page.wait_for_function(
        "was => document.querySelector('.where').textContent != was", arg=before
    )
    first = int(
        re.search(r"Rows ([\d,]+)", page.locator(".where").inner_text())[1].replace(",", "")
    )
    assert first in (2, 3, 4)


def test_the_grid_follows_what_workers_do(look, client, settings, database):  # noqa: F811
    client.submit(campaign())
    page = opened(look)
    page.locator(".t-waiting").nth(17).wait_for()
    paint_all(database, settings)
    page.locator(".tile img").first.wait_for()
    page.locator(".t-done").nth(17).wait_for()


def test_a_campaign_can_be_paused_and_resumed_from_its_page(look, client):
    client.submit(campaign())
    page = opened(look)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    assert client.status("spring").state == "paused"


def test_a_campaign_that_is_not_there_says_so(http):
    answer = http.get("/campaigns/default/winter")
    assert answer.status_code == 404
    assert "no campaign winter" in answer.text
