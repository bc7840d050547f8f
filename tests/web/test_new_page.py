"""Writing a campaign in the browser: what is wrong is said on its line, CSV files come along, and
nothing of the farm's machine is read for it.
"""

import pytest

from farm.campaign.loading import campaign_from_text
from farm.documents.document import DocumentError
from farm.service.text_views import CheckedText
from storage.database import closing_engine
from tests.campaigns import campaign
from tests.web.looking import Held, assert_everybody_can_use
from tests.web.painted import paint

GOOD = """\
name: mugs
model: seedling
prompt: "a {color} mug"
vary:
  color: [red, blue]
seeds: [1, 2]
"""
WITH_CSV = GOOD.replace("[red, blue]", "{csv: colors.csv}")


def written(look, text=None, **options):
    page = look.open("/new", **options)
    if text is not None:
        page.locator("#text").fill(text)
    return page


def outcome(page, word):
    page.locator("#outcome[aria-busy=false]", has_text=word).wait_for()


def test_a_campaign_is_written_checked_and_submitted(look, client):
    page = written(look, GOOD)
    outcome(page, "a red mug")
    text = page.locator("#outcome").inner_text()
    assert "4" in text
    assert "seed 1" in text
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/campaigns/default/mugs")
    assert client.status("mugs").renders.total == 4


def test_money_and_the_time_of_its_end_are_told_once_something_was_measured(
    look, client, settings
):
    page = written(look, GOOD)
    page.get_by_text("Nothing was measured of this model yet").wait_for()
    client.submit(campaign(name="spring"))
    paint(settings)
    with closing_engine(settings.database_address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET painted_s = 2, megapixel_steps = 1")
    page = written(look, GOOD)
    page.locator("#takes dt", has_text="Done in").wait_for()
    assert "no prices in the fleet file" in page.locator("#takes").inner_text()


def test_an_estimate_takes_a_text_or_its_contents_and_not_both(http):
    contents = {"name": "mugs", "model": "seedling", "prompt": "a {color} mug",
                "vary": {"color": ["red", "blue"]}, "seeds": [1, 2]}  # fmt: skip
    told = [http.post("/api/v1/estimates", json=body).json()
            for body in ({"text": GOOD}, {"campaign": contents})]  # fmt: skip
    assert told[0] == told[1]
    assert told[0]["renders"] == 4
    for body in ({}, {"text": GOOD, "campaign": contents}):
        answer = http.post("/api/v1/estimates", json=body)
        assert answer.status_code == 400
        assert "either the campaign to estimate, or its text" in answer.json()["detail"]
    wrong = http.post("/api/v1/estimates", json={"text": GOOD.replace("model: ", "modle: ")})
    assert wrong.status_code == 422
    assert "campaign.yaml:2" in wrong.json()["detail"]


def test_what_is_wrong_is_said_on_its_line(look, url):
    page = written(look, GOOD.replace("seeds: [1, 2]", "sedes: [1, 2]"))
    outcome(page, "problem")
    page.locator(".troubles", has_text="Line 6").wait_for()
    assert page.locator("#gutter .bad").inner_text() == "6"
    assert page.get_by_role("button", name="Submit").is_disabled()
    page.locator(".troubles button").first.click()
    selected = page.evaluate("""() => {
        const text = document.getElementById("text");
        return text.value.slice(text.selectionStart, text.selectionEnd);
    }""")
    assert selected == "sedes: [1, 2]"


def test_an_answer_about_an_older_text_does_not_count_for_the_one_that_is_there(look, url):
    page = look.open("/new")
    page.get_by_text("Nothing was measured").wait_for()  # of the text that is there at first
    before = len(look.requests)
    page.clock.install()  # nobody stops typing until it is said
    held = Held(page, "**/api/v1/texts/check")
    page.locator("#text").fill(GOOD)
    page.clock.run_for(1000)
    [request] = held.take()
    page.locator("#text").fill(GOOD.replace("seedling", "/no/such"))
    with page.expect_response("**/api/v1/texts/check"):
        request.continue_()
    page.unroute("**/api/v1/texts/check")
    assert page.get_by_role("button", name="Submit").is_disabled()
    page.clock.run_for(1000)
    outcome(page, "problem")
    assert page.locator("#gutter .bad").inner_text() == "2"
    assert not any("estimates" in request for request in look.requests[before:])


def test_csv_files_come_with_the_text(look, client):
    page = written(look, WITH_CSV)
    outcome(page, "colors.csv did not come with the text")
    table = {
        "name": "colors.csv",
        "mimeType": "text/csv",
        "buffer": "color\nteal\ncafé\n".encode(),
    }
    page.locator("#add-files").set_input_files(table)
    outcome(page, "a teal mug")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/campaigns/default/mugs")
    assert client.status("mugs").renders.total == 4


def test_a_table_of_western_windows_is_read_as_it_was_written(look, url):
    page = written(look, WITH_CSV)
    table = {
        "name": "colors.csv",
        "mimeType": "text/csv",
        "buffer": "color\ncafé\n".encode("cp1252"),
    }
    page.locator("#add-files").set_input_files(table)
    outcome(page, "a café mug")


def test_a_form_writes_the_text(look, client):
    page = written(look)
    page.get_by_role("tab", name="Form").click()
    page.get_by_label("Name", exact=True).fill("on")
    page.get_by_label("Prompt").fill('a {color} "mug": #1')
    page.get_by_label("Its values").fill('red, "blue, dark"')
    page.get_by_label("Seeds of each shot").fill("2")
    outcome(page, 'a red "mug": #1')
    assert 'color: [red, "blue, dark"]' in page.locator("#text").input_value()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/campaigns/default/on")
    assert client.status("on").renders.total == 4


def test_a_name_that_is_taken_says_so_and_can_be_replaced(look, client):
    page = written(look, GOOD)
    outcome(page, "a red mug")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/campaigns/default/mugs")
    page = written(look, GOOD.replace("blue", "green"))
    outcome(page, "a red mug")
    page.get_by_role("button", name="Submit").click()
    page.locator(".said").wait_for()
    page.get_by_label("Replace a campaign of this name").check()
    outcome(page, "retired")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/campaigns/default/mugs")
    look.pass_over("409")


def test_what_was_typed_outlives_a_reload(look, url):
    page = written(look, GOOD.replace("mugs", "kept"))
    outcome(page, "a red mug")
    page.reload()
    assert "name: kept" in page.locator("#text").input_value()


@pytest.mark.parametrize("tab", ["Text", "Form"])
def test_everybody_can_use_it_in_every_window(look, url, tab):
    def ready(page):
        outcome(page, "a red mug")
        page.get_by_role("tab", name=tab).click()

    page = written(look, GOOD)
    ready(page)  # a text is kept over a reload once it was checked
    assert_everybody_can_use(page, ready)


# --- the API beneath it ---


def checked(http, text, **files):
    answer = http.post("/api/v1/texts/check", json={"text": text, "files": files})
    assert answer.status_code == 200, answer.text
    return CheckedText.model_validate(answer.json())


@pytest.mark.parametrize("name", ["/etc/passwd", "../colors.csv", "colors.csv"])
def test_no_file_of_the_farms_machine_is_read_for_a_text(http, tmp_path, monkeypatch, name):
    (tmp_path / "colors.csv").write_text("color\nsecret\n")
    monkeypatch.chdir(tmp_path)
    told = checked(http, GOOD.replace("[red, blue]", f"{{csv: {name}}}"))
    assert told.plan is None
    assert "did not come with the text" in told.problems[0].message


def test_no_pack_of_the_farms_machine_is_read_for_a_text(tmp_path):
    pack = tmp_path / "acme.yaml"
    pack.write_text("name: acme\n")
    with pytest.raises(DocumentError, match="is no version of a brand"):
        campaign_from_text(f"{GOOD}brand: {pack}\n", {})


def test_a_row_of_a_table_is_told_by_its_own_line(http):
    told = checked(http, WITH_CSV, **{"colors.csv": "color,steps\nred,4\nblue,zero\n"})
    assert [(one.row, one.line) for one in told.problems] == [("colors.csv:3", 5)]


def test_what_may_not_be_meant_is_told_beside_the_plan(http):
    told = checked(http, GOOD + "negative: text #2\n")
    assert told.plan.renders == 4
    assert [one.line for one in told.warnings] == [7]


@pytest.mark.parametrize("text", ["", "- a", "a: b: c", "name: [", "\x00", "name: 😀\n" * 3])
def test_every_text_gets_an_answer(http, text):
    told = checked(http, text)
    assert told.plan is None
    assert told.problems


def test_a_text_with_mistakes_is_refused_with_its_lines(http):
    answer = http.post("/api/v1/texts", json={"text": GOOD.replace("seedling", "/no/such")})
    assert answer.status_code == 422
    assert "campaign.yaml:2" in answer.json()["detail"]
