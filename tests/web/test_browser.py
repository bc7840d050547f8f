"""Pages in a real browser: what a person sees, at every size, with the keyboard, as it changes."""

from tests.campaigns import campaign
from tests.web.looking import assert_everybody_can_use


def test_the_list_fits_every_window_and_everybody_can_use_it(look, client):
    for name in ("spring", "summer-" + "of-many-words-" * 4 + "end"):
        client.submit(campaign(name=name))
    page = look.open()
    assert page.locator(".campaigns li").count() == 2
    assert_everybody_can_use(page)


def test_the_list_follows_the_farm_and_keeps_what_was_typed(look, client):
    client.submit(campaign(name="spring"))
    page = look.open()
    page.get_by_role("searchbox").fill("sp")
    page.wait_for_url("**/?q=sp")
    client.submit(campaign(name="spruce"))
    page.get_by_role("link", name="spruce").wait_for()
    assert page.get_by_role("searchbox").input_value() == "sp"


def test_a_search_is_in_the_address_and_outlives_a_reload(look, client):
    for name in ("spring", "autumn"):
        client.submit(campaign(name=name))
    page = look.open()
    page.get_by_role("searchbox").fill("aut")
    page.wait_for_url("**/?q=aut")
    page.get_by_role("link", name="spring").wait_for(state="detached")
    page.reload()
    assert page.get_by_role("searchbox").input_value() == "aut"
    assert page.locator(".campaigns li").count() == 1


def test_times_are_told_in_the_zone_of_the_reader(look, client):
    client.submit(campaign(name="spring"))
    page = look.open(timezone_id="Asia/Tokyo", locale="en-GB")
    moment = page.locator("time").first
    assert "ago" in moment.inner_text() or "now" in moment.inner_text()
    assert moment.get_attribute("title")


def test_the_page_says_if_the_farm_does_not_answer_and_goes_on(look, client):
    client.submit(campaign(name="spring"))
    page = look.open()
    page.route("**/*", lambda route: route.abort())
    page.get_by_text("The farm does not answer").wait_for()
    page.unroute("**/*")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#live[data-on=on]").wait_for()
    look.pass_over("ERR_FAILED")


SLEEP = """(isHidden) => {
    Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_that_was_asleep_catches_up(look, client):
    client.submit(campaign(name="spring"))
    page = look.open()
    page.locator("#live[data-on=on]").wait_for()
    page.evaluate(SLEEP, True)
    client.submit(campaign(name="autumn"))
    client.pause("spring")
    asked = len(look.requests)
    page.evaluate(SLEEP, False)
    page.get_by_role("link", name="autumn").wait_for()
    page.locator(".pill.s-paused").wait_for()
    again = [url for url in look.requests[asked:] if "/api/v1/events?" in url]
    assert len(again) == 1, "it listens again"


def test_a_page_that_may_not_listen_looks_by_itself(look, client):
    client.submit(campaign(name="spring"))
    page = look.open("/login")
    page.route("**/api/v1/events?*", lambda route: route.fulfill(status=429, body="{}"))
    page.goto(look.url + "/")
    client.submit(campaign(name="autumn"))
    page.get_by_role("link", name="autumn").wait_for()
    look.pass_over("429")
