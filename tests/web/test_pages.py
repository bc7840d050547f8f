"""Pages as a browser gets them: headers, files, errors, and what a stranger's text may do."""

import hashlib
import re
import time

import pytest

from farm.service.reading import Reading
from farm.web.rendering import environment
from farm.web.static_files import KINDS, static_files
from tests.campaigns import campaign
from tests.web.looking import AXE

LIMIT = 60_000  # bytes of all scripts and styles, compressed


def test_a_page_loads_nothing_but_its_own_scripts_and_no_other_page_can_frame_it(http):
    first, second = (http.get("/").headers["content-security-policy"] for _ in range(2))
    assert "default-src 'none'" in first
    assert "unsafe" not in first
    assert "frame-ancestors 'none'" in first
    assert first != second  # each page has a nonce of its own


@pytest.mark.parametrize("path", ["/", "/nothing/there"])
def test_what_is_served_is_never_taken_for_something_else(http, path):
    assert http.get(path).headers.get("x-content-type-options", "nosniff") == "nosniff"


def test_every_script_has_the_nonce_and_no_template_has_script_or_style_of_its_own(http):
    answer = http.get("/")
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[1]
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert scripts
    assert all(f'nonce="{nonce}"' in script and "src=" in script for script in scripts)
    for name in environment().list_templates():
        text = environment().loader.get_source(None, name)[0]
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe", text), name


def test_scripts_and_styles_are_kept_for_a_year_under_a_name_that_changes_with_them(http):
    static = static_files()
    for name, file in static.files.items():
        answer = http.get(static.url(name))
        assert answer.content == file.data
        assert answer.headers["content-type"] == file.kind
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert http.get("/static/0123456789abcdef/page.js").status_code == 404
    assert http.get(f"/static/{static.digest}/..%2fpages.py").status_code == 404
    assert set(KINDS) >= {f".{name.rpartition('.')[2]}" for name in static.files}


def test_all_scripts_and_styles_are_small_and_name_no_other_host():
    static = static_files()
    assert static.zipped_bytes < LIMIT
    for name, file in static.files.items():
        others = re.findall(rb"https?://(?!www\.w3\.org/)[\w.]+", file.data)
        assert not others, name
        assert b"eval(" not in file.data
        assert b"new Function" not in file.data


def test_the_checker_of_accessibility_is_the_file_that_npm_has():
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest == "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def test_an_address_that_nobody_can_mean_is_answered_with_a_page(http):
    answer = http.get("/", params={"project": "No Such Project!"})
    assert answer.status_code == 404
    assert "This address is not one of" in answer.text


def test_names_are_shown_as_text_whatever_they_say(client, http):
    client.submit(campaign(name="plain"))
    answer = http.get("/", params={"q": '"><script>alert(1)</script>'})
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_the_list_says_how_many_there_are_and_finds_them_by_words_and_state(client, http):
    for name in ("spring", "summer"):
        client.submit(campaign(name=name))
    client.pause("summer")
    everything, some = http.get("/").text, http.get("/", params={"q": "SPR seed"}).text
    assert "spring" in everything
    assert "summer" in everything
    assert "/campaigns/default/summer" not in some
    paused = http.get("/", params={"state": "paused"}).text
    assert "/campaigns/default/summer" in paused
    assert "/campaigns/default/spring" not in paused
    assert "Nothing fits" in http.get("/", params={"q": "winter"}).text


def test_the_list_says_when_a_campaign_will_be_done_and_what_it_has_cost(
    client, http, monkeypatch
):
    client.submit(campaign(name="spring"))
    read, soon = Reading.all, time.time() + 720
    pace = {"eta": soon, "eta_low": soon - 120, "eta_high": soon + 180, "renders_per_s": 0.2}
    more = {"money": 3.5, "budget_money": 4.0, "device_s": 90.0, "deadline": soon - 60}
    monkeypatch.setattr(
        Reading, "all", lambda *asked: [{**row, **pace, **more} for row in read(*asked)]
    )
    text = http.get("/").text
    for words in ("done in 1", "3.50 of 4.00 · 1 min 30 s", "12 a minute", "Due in 1"):
        assert words in text


def test_a_farm_without_campaigns_says_what_to_do(http):
    assert "farm submit" in http.get("/").text
