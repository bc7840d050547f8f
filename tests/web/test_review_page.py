"""Reviewing in a real browser: with keys alone, two people at once, a farm that goes away, and a
reload: no decision is ever lost.
"""

import pytest

from actors.models.models import SEEDLING
from tests.campaigns import campaign
from tests.pipelines import ip_adapter_of
from tests.web.looking import assert_everybody_can_use
from tests.web.painted import PROOFED, paint, save_reference

PATH = "/campaigns/default/spring/review"


@pytest.fixture
def proofed(client, settings):
    client.submit(campaign(**PROOFED))
    paint(settings, proofs=True)
    return client


def opened(look, path=PATH, **options):
    page = look.open(path, **options)
    shown(page)
    return page


def shown(page):
    page.locator("#counts b").wait_for()
    page.locator(".pane[data-loaded=yes], .table .tile :is(img, i)").first.wait_for()


def sent(page):
    """Waits until every decision has been answered."""
    page.locator("#review[data-unsent='0']").wait_for()


def heading(page):
    return page.locator("#about h2 a").inner_text()


def at(page, number):
    page.locator("#about h2 a", has_text=f"Render {number}").filter(
        has_text=f"Render {number}"
    ).wait_for()


def test_a_review_by_keyboard_leads_to_finals(look, proofed, settings):
    page = opened(look)
    assert page.evaluate("document.activeElement.id") == "viewer"
    at(page, 0)
    page.keyboard.press("p")
    at(page, 1)
    page.keyboard.press("a")
    page.keyboard.press("x")
    page.keyboard.press("1")
    at(page, 3)
    page.get_by_text("Render 2 rejected for composition").wait_for(state="attached")
    page.keyboard.press("r")
    page.keyboard.press("x")
    at(page, 4)
    sent(page)
    told = proofed.reviews("spring")
    assert (told.approved, told.rejected) == (2, 2)
    assert told.rejects_by_reason == {"composition": 1}
    assert paint(settings) == [0, 1]
    page.get_by_label("Finals", exact=True).check()
    page.locator("#counts b", has_text="2").wait_for()
    assert page.locator(".viewer figcaption").first.inner_text() != ""


def test_undo_takes_back_the_last_gesture_as_a_whole(look, proofed):
    page = opened(look)
    at(page, 0)
    page.locator("#strip .tile").nth(1).wait_for()
    page.keyboard.press("Shift+P")
    sent(page)
    told = proofed.reviews("spring")
    assert (told.approved, told.rejected) == (1, 1)
    page.locator("#viewer").focus()
    page.keyboard.press("u")
    sent(page)
    told = proofed.reviews("spring")
    assert (told.approved, told.rejected) == (0, 0)
    assert heading(page) in ("Render 0", "Render 1")
    page.keyboard.press("u")
    page.get_by_text("There is no decision of yours to take back.").wait_for(state="attached")


def test_another_seed_is_asked_for_with_a_key(look, proofed, settings):
    page = opened(look)
    at(page, 0)
    page.keyboard.press("n")
    sent(page)
    assert proofed.status("spring").renders.total == 13
    assert paint(settings, proofs=True) == [12]
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#place", has_text="of 13").wait_for()


def test_a_held_key_decides_ten_times_a_second_and_loses_nothing(look, client, settings):
    client.submit(campaign(prompt="a mug {n}", vary={"n": list(range(40))}, seeds=[1]))
    paint(settings)
    page = opened(look)
    page.evaluate("""async () => {
        const viewer = document.getElementById("viewer");
        for (let k = 0; k < 40; k += 1) {
            const pressed = {key: "p", bubbles: true, repeat: k > 0};
            viewer.dispatchEvent(new KeyboardEvent("keydown", pressed));
            await new Promise((done) => setTimeout(done, 100));
        }
    }""")
    page.get_by_text("All decided").wait_for()
    sent(page)
    assert client.reviews("spring").approved == 40
    entries = client.reviews("spring").decisions
    assert [entry.first for entry in entries] == [[number] for number in range(40)]


def test_two_people_decide_at_once_and_each_sees_the_other(look, proofed):
    ada, ben = opened(look), opened(look)
    at(ada, 0)
    ada.keyboard.press("p")
    ben.keyboard.press("End")
    at(ben, 11)
    ben.keyboard.press("x")
    ben.keyboard.press("5")
    sent(ada)
    sent(ben)
    for page in (ada, ben):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.locator("#counts b", has_text="2").wait_for()
    told = proofed.reviews("spring")
    assert (told.approved, told.rejected) == (1, 1)


def away(page):
    page.route("**/reviews*", lambda route: route.abort())


def test_decisions_wait_for_a_farm_that_is_away(look, proofed):
    page = opened(look)
    at(page, 0)
    away(page)
    for number in (1, 2, 3):
        page.keyboard.press("p")
        at(page, number)
    page.get_by_text("3 unsent").wait_for()
    page.get_by_text("The farm does not answer. They are kept here").wait_for()
    assert proofed.reviews("spring").approved == 0
    page.unroute("**/reviews*")
    page.get_by_role("button", name="Try now").click()
    sent(page)
    assert proofed.reviews("spring").approved == 3
    page.locator("#unsent").wait_for(state="hidden")
    forget_failures(look)


def forget_failures(look):
    look.pass_over("ERR_FAILED")


def test_a_reload_loses_no_decision_and_can_still_undo_it(look, proofed):
    page = opened(look)
    at(page, 0)
    away(page)
    page.keyboard.press("p")
    page.keyboard.press("p")
    page.get_by_text("2 unsent").wait_for()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == ["beforeunload"]
    page.get_by_text("2 unsent").wait_for()
    page.unroute("**/reviews*")
    page.get_by_role("button", name="Try now").click()
    sent(page)
    assert proofed.reviews("spring").approved == 2
    page.locator("#viewer").focus()
    page.keyboard.press("u")
    sent(page)
    assert proofed.reviews("spring").approved == 1
    forget_failures(look)


def test_a_decision_that_arrives_twice_counts_once(look, proofed):
    page = opened(look)
    at(page, 0)
    answers = []

    def lose(route):
        if not answers and route.request.method == "POST":
            answers.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/reviews*", lose)
    page.keyboard.press("p")
    page.get_by_text("The farm does not answer").wait_for()
    page.get_by_role("button", name="Try now").click()
    sent(page)
    assert answers == [200]
    assert len(proofed.reviews("spring").decisions) == 1
    forget_failures(look)


def test_keys_work_in_the_picture_alone_and_can_be_switched_off(look, proofed):
    page = opened(look)
    page.locator("#show").focus()
    page.keyboard.press("x")
    assert not page.locator("#reasons").is_visible()
    page.locator("#viewer").focus()
    page.keyboard.press("?")
    page.get_by_label("Use keys of one letter").uncheck()
    page.keyboard.press("Escape")
    page.locator("#viewer").focus()
    page.keyboard.press("p")
    page.get_by_role("button", name="Approve").click()
    sent(page)
    assert proofed.reviews("spring").approved == 1


def test_the_table_is_moved_through_with_arrows(look, proofed):
    page = opened(look, f"{PATH}?view=table")
    assert page.get_by_role("gridcell").count() == 12
    page.get_by_role("gridcell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    sent(page)
    assert proofed.reviews("spring").decisions[-1].first == [1]
    assert page.evaluate("document.activeElement.dataset.number") == "2"
    proofed.approve("spring", [5], by="Ada")
    page.locator("[data-number='5'].v-approved").wait_for()
    assert page.evaluate("document.activeElement.dataset.number") == "2", (
        "all tiles were made anew"
    )
    page.keyboard.press("Enter")
    page.locator(".pane[data-loaded=yes]").wait_for()
    assert "view=single" in page.url
    assert "n=2" in page.url


def test_a_final_is_compared_with_its_proof_in_three_ways(look, proofed, settings):
    proofed.approve("spring", [0])
    paint(settings)
    page = opened(look, f"{PATH}?stage=final&view=compare&show=all")
    at(page, 0)
    page.locator(".pane[data-loaded=yes]").nth(1).wait_for()
    assert page.locator("#other").input_value() == "proof"
    page.keyboard.press("z")
    styles = page.locator(".viewer img").evaluate_all("all => all.map(one => one.style.cssText)")
    assert styles[0] == styles[1]
    # Such a box may be of another shape than a picture, which is never stretched.
    fits = "all => all.map(one => getComputedStyle(one).objectFit)"
    assert page.locator(".viewer img").evaluate_all(fits) == ["contain", "contain"]
    for mode in ("slider", "flicker", "side"):
        page.locator("#viewer").focus()
        page.keyboard.press("m")
        assert page.locator("#viewer").get_attribute("data-mode") == mode


def test_a_proof_is_compared_with_the_picture_that_it_is_to_be_like(
    look, client, settings, tmp_path
):
    mood = str(ip_adapter_of(SEEDLING, tmp_path / "mood"))
    likeness = {"model": mood, "image": save_reference(tmp_path / "dusk.png")}
    client.submit(campaign(**PROOFED, likeness=likeness))
    paint(settings, proofs=True)
    page = opened(look, f"{PATH}?view=compare")
    at(page, 0)
    page.locator("#other").select_option(label="The picture it is to be like")
    page.locator(".pane[data-loaded=yes]").nth(1).wait_for()
    page.locator(".pane", has_text="Like").wait_for()
    assert "/renders/0/reference" in page.locator(".pane img").nth(1).get_attribute("src")


def test_a_refusal_is_said_and_nothing_is_shown_as_decided(look, proofed):
    page = opened(look)
    at(page, 0)
    refusal = {"detail": "The campaign is being removed.", "status": 409}
    page.route(
        "**/reviews?*",
        lambda route: (
            route.fulfill(status=409, json=refusal)
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.keyboard.press("p")
    page.get_by_text("The campaign is being removed. Nothing was changed.").wait_for()
    page.locator("#counts b", has_text="0").wait_for()
    look.pass_over("409")


@pytest.mark.parametrize("view", ["single", "table", "compare"])
def test_everybody_can_use_it_in_every_window(look, proofed, view):
    def ready(page):
        shown(page)
        page.locator("#about h2").wait_for()

    proofed.approve("spring", [1])
    assert_everybody_can_use(opened(look, f"{PATH}?show=all&view={view}"), ready)


def test_hostile_words_stay_words(look, client, settings):
    bad = "<img src=x onerror=alert(1)>\"'`"
    client.submit(campaign(prompt="a {color} mug", vary={"color": [bad, "red"]}, seeds=[1, 2]))
    paint(settings)
    client.approve("spring", [1], note=bad, by=bad)
    page = opened(look, f"{PATH}?show=all")
    page.locator("#about .prompt p", has_text=bad).wait_for()
    page.keyboard.press("ArrowRight")
    page.locator("#about", has_text=f"by {bad}").wait_for()
    assert page.locator("#review img[onerror]").count() == 0
