"""Sharing a campaign on its page, and opening what was sent, in a real browser."""

from tests.web.looking import axe_problems, overflows
from tests.web.painted import PROOFED, paint

PAGE = "/campaigns/default/spring"
WORDS = "four quiet grey herons"


def test_a_person_shares_a_campaign_and_another_decides_by_the_link(look, client, settings):
    client.submit({"name": "spring", "model": "seedling", **PROOFED})
    paint(settings, proofs=True)
    mine = look.open(PAGE, reduced_motion="reduce")
    mine.get_by_role("button", name="Share…").click()
    dialog = mine.get_by_role("dialog")
    dialog.get_by_label("For whom").fill("anna@client")
    dialog.get_by_label("Passphrase").fill(WORDS)
    dialog.get_by_label("May approve").check()
    dialog.get_by_role("button", name="Make a link").click()
    field = dialog.get_by_label("shown this once")
    field.wait_for()
    link = field.input_value()
    assert link.startswith(f"{look.url}/share#seedbed_")
    dialog.get_by_text("anna@client: may decide, with a passphrase").wait_for()
    assert axe_problems(mine) == []

    theirs = look.open(link.removeprefix(look.url))
    assert "#" not in theirs.url
    assert axe_problems(theirs) == []
    theirs.get_by_role("button", name="Open").click()
    theirs.get_by_label("Passphrase").fill(WORDS)
    theirs.get_by_role("button", name="Open").click()
    theirs.wait_for_url(f"**{PAGE}")
    theirs.locator("#campaign[data-ready=true]").wait_for()
    assert theirs.get_by_role("navigation", name="Pages").get_by_role("link").count() == 0
    for word in ("Pause", "Share…"):
        assert theirs.get_by_role("button", name=word).count() == 0
    theirs.get_by_role("link", name="Review").click()
    theirs.locator("#viewer img").first.wait_for()
    with theirs.expect_response("**/reviews?project=default") as answer:
        theirs.get_by_role("button", name="Approve").click()
    assert answer.value.ok
    theirs.locator("#viewer").press("n")
    theirs.get_by_text("paints none").wait_for()
    assert client.reviews("spring").decisions[0].by == "link:anna@client"
    assert client.reviews("spring").approved == 1
    theirs.goto(f"{look.url}{PAGE}/renders/0")
    theirs.get_by_role("heading", name="Recipe").wait_for()

    dialog.get_by_role("button", name="Take back the link for anna@client").click()
    dialog.get_by_text("anna@client: may decide").wait_for(state="detached")
    theirs.goto(look.url + PAGE)
    theirs.get_by_role("link", name="open it again").wait_for()
    # Chromium reports that the first answer to the form was 401
    look.pass_over("status of 401")
    assert [url for url in look.requests if "seedbed_" in url and "#" not in url] == []


def test_the_dialog_fits_a_narrow_window_and_the_keyboard_leaves_it(look, client):
    client.submit({"name": "spring", "model": "seedling", **PROOFED})
    page = look.open(PAGE, width=360, height=700, scheme="dark")
    page.get_by_role("button", name="Share…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    assert not overflows(page)
    assert axe_problems(page) == []
    page.get_by_label("For whom").fill("No Name!")
    page.keyboard.press("Enter")
    assert client.links() == []
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def test_a_link_shows_the_last_pictures_of_a_campaign_that_ends(look, client, settings):
    """It hears no events, and may learn of the end before it has looked at the tiles."""
    client.submit({"name": "spring", "model": "seedling", **PROOFED, "proof": None})
    shared = client.share("spring", name="anna")
    page = look.open(shared.path)
    page.clock.install()
    page.get_by_role("button", name="Open").click()
    page.wait_for_url(f"**{PAGE}")
    page.locator("#campaign[data-ready=true]").wait_for()
    page.clock.run_for(8_000)  # the first look is made however it stands
    page.locator(".t-waiting").nth(11).wait_for()
    paint(settings)
    page.evaluate("document.getElementById('campaign').dataset.over = 'true'")
    page.clock.run_for(10_000)
    page.locator(".t-done").nth(11).wait_for()
