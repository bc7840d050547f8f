"""The page of one picture: zoom, steps, neighbours, its campaign file, and one not painted yet."""

import httpx
import pytest

from farm.campaign.loading import load_campaign
from farm.web.picture import shown_of
from tests.campaigns import campaign
from tests.web.looking import assert_everybody_can_use, axe_problems
from tests.web.painted import PROOFED, paint, save_reference

PATH = "/campaigns/default/spring/renders"


@pytest.fixture
def painted(client, settings, tmp_path):
    reference = {"image": save_reference(tmp_path / "from.png"), "strength": 1.0}
    client.submit(
        campaign(
            **{**PROOFED, "proof": None},
            negative="text",
            previews={"at": [0.25, 0.5]},
            settings={"steps": 8},
            reference=reference,
        )
    )
    paint(settings)
    return client


def opened(look, number=4, **options):
    page = look.open(f"{PATH}/{number}", **options)
    shown(page)
    return page


def shown(page):
    page.locator(".pane[data-loaded=yes]").first.wait_for()
    page.locator(".around img").first.wait_for()


def test_everything_about_a_picture_is_on_its_page(look, painted):
    page = opened(look)
    text = page.locator("#picture").inner_text()
    for word in (
        "a red mug on a shelf",
        "Negative text",
        "tokens",
        "farm reproduce --farm spring/4",
    ):
        assert word in text
    assert "Render 4 is done (painted) by w" in text
    assert page.locator(".around").first.locator("a").count() == 2  # the seeds of its shot
    assert page.locator(".around").nth(1).locator("a").count() == 6  # the shots


def test_steps_are_gone_through_with_a_slider(look, painted):
    page = opened(look)
    slider = page.get_by_label("Step", exact=True)
    slider.wait_for()
    assert "finished" in page.locator("#at-step").inner_text()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.locator("#at-step", has_text="step 4").wait_for()
    assert "/steps/4" in page.locator(".viewer img").first.get_attribute("src")
    page.keyboard.press("End")
    page.locator("#at-step", has_text="finished").wait_for()
    assert "/picture" in page.locator(".viewer img").first.get_attribute("src")


def test_a_picture_is_zoomed_to_its_own_pixels_and_back(look, painted):
    page = opened(look)
    viewer = page.locator("#viewer")
    assert viewer.get_attribute("data-zoomed") == "no"
    viewer.focus()
    page.keyboard.press("z")
    assert viewer.get_attribute("data-scale") == "100 %"
    assert page.locator(".viewer img").first.evaluate("one => one.style.width") == "96px"
    page.keyboard.press("z")
    assert viewer.get_attribute("data-zoomed") == "no"


def test_its_campaign_file_is_copied_and_can_be_read_again(look, painted, tmp_path):
    page = opened(look, permissions=["clipboard-read", "clipboard-write"])
    page.locator("[data-copy=file]").click()
    page.get_by_text("Copied", exact=True).wait_for()
    path = tmp_path / "one.yaml"
    path.write_text(page.evaluate("navigator.clipboard.readText()"), "utf-8")
    assert load_campaign(path).campaign.seeds == (11,)


def test_arrows_and_links_lead_to_the_pictures_around_it(look, painted):
    page = opened(look)
    page.locator("#viewer").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/renders/5")
    page.locator(".around").first.locator("a").first.click()
    page.wait_for_url("**/renders/4")
    page.go_back()
    page.wait_for_url("**/renders/5")


def test_proof_and_final_are_shown_in_turn(look, client, settings):
    client.submit(campaign(**PROOFED))
    paint(settings, proofs=True)
    client.approve("spring", [4], by="Ada", note="crisp")
    paint(settings)
    page = opened(look)
    assert page.locator(".viewer figcaption").first.inner_text() == "Final 4"
    page.get_by_label("Proof", exact=True).check()
    page.locator(".viewer figcaption", has_text="Proof 4").wait_for()
    assert "Approved by Ada" in page.locator(".head-line").inner_text()


def test_a_picture_is_compared_with_that_of_the_version_before(look, client, settings):
    client.submit(campaign(seeds=[7]))
    paint(settings)
    client.submit(campaign(seeds=[7], prompt="one {color} {product}"), update=True)
    client.submit(campaign(seeds=[7], prompt="the {color} {product}"), update=True)
    paint(settings)
    page = opened(look, 1)
    page.get_by_label("Side by side").check()
    page.locator("#compared", has_text="It has no final in version 2").wait_for()
    assert page.locator("#viewer").get_attribute("data-mode") == "single"
    client.submit(campaign(seeds=[7], prompt="her {color} {product}"), update=True)
    paint(settings)
    page.reload()
    page.locator(".pane[data-loaded=yes]").first.wait_for()
    for words, mode in (("Side by side", "side"), ("Slider", "slider"), ("In turns", "flicker")):
        page.get_by_label(words).check()
        page.locator(f"#viewer[data-mode={mode}]").wait_for()
        page.locator(".pane[data-loaded=yes]").nth(1).wait_for(state="attached")
        labels = page.locator(".viewer figcaption").all_text_contents()
        assert labels == ["Version 3", "Final 1"]
    assert "version=3" in page.locator(".viewer img").first.get_attribute("src")
    assert axe_problems(page) == []
    page.get_by_label("Alone").check()
    page.locator("#viewer[data-mode=single]").wait_for()
    page.get_by_role("link", name="Its page").click()
    page.wait_for_url("**/renders/1?version=3")


def test_a_picture_that_an_update_kept_is_said_to_be_the_same(look, client, settings):
    client.submit(campaign(seeds=[7]))
    paint(settings)
    client.submit(campaign(seeds=[7], vary={"product": ["lamp"], "color": ["blue"]}), update=True)
    page = look.open(f"{PATH}/0")
    page.get_by_role("link", name="in version 1").click()
    page.wait_for_url("**/renders/5?version=1")


def test_a_picture_that_is_not_painted_says_why(look, client):
    client.submit(campaign())
    page = look.open(f"{PATH}/3")
    page.get_by_text("This picture is not painted yet").wait_for()
    assert "a blue mug" in page.locator("#picture").inner_text()
    assert axe_problems(page) == []


def test_a_number_that_there_is_not_is_told(http, client):
    client.submit(campaign())
    answer = http.get(f"{PATH}/18")
    assert answer.status_code == 404
    assert "has no render 18" in answer.text


def test_everybody_can_use_it_in_every_window(look, painted):
    def ready(page):
        shown(page)
        page.get_by_label("Step", exact=True).wait_for()

    assert_everybody_can_use(opened(look), ready)


def test_the_address_names_the_version_and_the_stage(look, client, settings):
    client.submit(campaign(**PROOFED))
    paint(settings, proofs=True)
    client.submit(
        campaign(**{**PROOFED, "prompt": "a blue {color} cup on a {place}"}), update=True
    )
    paint(settings, proofs=True)
    cells = httpx.get(
        f"{look.url}/api/v1/campaigns/spring/map/cells",
        params={"version": 1, "stage": "proof", "numbers": "0,1"},
    ).json()
    assert len(set(cells["files"])) == 2
    page = look.open(f"{PATH}/0?version=1&stage=proof")
    page.locator(".pane[data-loaded=yes]").first.wait_for()
    assert "a red mug on a beach" in page.locator("#picture").inner_text()
    assert "version=1" in page.locator(".viewer img").first.get_attribute("src")
    assert "version 1" in page.locator("h1").inner_text()
    page.locator("[rel=next]").click()
    page.wait_for_url("**/renders/1?version=1")
    page.goto(f"{look.url}{PATH}/0")
    assert "a blue red cup on a beach" in page.locator("#picture").inner_text()


@pytest.mark.parametrize(
    ("stage", "shown"), [("", "final"), ("proof", "proof"), ("final", "final")]
)
def test_the_picture_of_the_stage_that_was_asked_for_is_shown(stage, shown):
    pictures = [{"stage": "proof", "version": "a"}, {"stage": "final", "version": "b"}]
    assert shown_of(pictures, stage)["stage"] == shown
    assert shown_of(pictures[:1], "final")["stage"] == "proof"
    assert shown_of([]) is None
