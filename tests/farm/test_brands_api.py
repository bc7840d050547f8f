"""Brand packs and prompts through the API, the client and the commands."""

import numpy as np
import pytest
from PIL import Image

from farm.app import open_app, serve
from farm.campaign.checks import parse_campaign
from farm.campaign.loading import load_campaign
from farm.cli import main
from farm.client.client import Client
from farm.config import read_settings
from farm.documents.document import DocumentError
from storage.errors import NotFound
from tests.campaigns import data
from tests.farm.resting import paint
from tests.farm.test_reviews import paint_proofs

PACK = """\
name: acme
texts: {style: matte}
negative: grain
banned: [cheap]
rules: {clipped: {at_most: 0.5}}
"""
CAMPAIGN = """\
name: spring
model: seedling
brand: acme.yaml
prompt: "a {row} mug, {style}"
vary:
  row: {csv: rows.csv}
settings: {guidance: 3}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "home"))
    (tmp_path / "acme.yaml").write_text(PACK)
    (tmp_path / "spring.yaml").write_text(CAMPAIGN.replace("{row}", "{color}"))
    (tmp_path / "rows.csv").write_text("color,sku\nred,1\ncheap blue,2\ngreen,3\n")
    return tmp_path


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings):
    with open_app(settings) as app, serve(app, 0) as url, Client(url) as client:
        yield client


def test_packs_are_added_listed_and_shown(farm, folder):
    assert farm.add_brand(folder / "acme.yaml").did == "added"
    assert farm.add_brand({"name": "acme", "banned": ["dear"]}).did == "changed"
    (listed,) = farm.brands()
    assert (listed.brand, listed.frozen_at) == ("acme@1", None)
    assert farm.brand("acme").pack == {"name": "acme", "banned": ["dear"]}
    with pytest.raises(NotFound, match="no version 2"):
        farm.brand("acme", 2)
    with pytest.raises(DocumentError, match=r"bans: unknown key"):
        farm.add_brand({"name": "acme", "bans": []})


def test_a_refused_submission_names_the_row_of_the_csv_file(farm, folder):
    with pytest.raises(DocumentError) as refused:
        farm.submit(folder / "spring.yaml")
    assert "spring.yaml:6: vary.row[1].color (rows.csv:3): the brand bans 'cheap'" in str(
        refused.value
    )
    (folder / "rows.csv").write_text("color,sku\nred,1\n")
    assert farm.submit(folder / "spring.yaml").brand == "acme@1"
    counts = farm.rules("spring")
    assert (counts.brand, counts.judged, counts.rules) == ("acme@1", 0, {})


def test_a_thousand_violations_are_told(farm):
    rows = [f"cheap {k}" for k in range(300)]
    wanted = parse_campaign(data(vary={"product": rows, "color": ["red"]}, brand={"name": "acme"}))
    wanted = wanted.model_copy(update={"brand": {"name": "acme", "banned": ["cheap"]}})
    with pytest.raises(DocumentError) as refused:
        farm.submit(wanted)
    assert len(refused.value.problems) == len(str(refused.value).splitlines()) == 300


def test_prompts_are_listed_with_tokens_and_banned_words(farm, folder):
    answer = farm.prompts(load_campaign(folder / "spring.yaml"), limit=2)
    assert [told.prompt for told in answer.prompts] == [
        "a red mug, matte",
        "a cheap blue mug, matte",
    ]
    assert [told.banned for told in answer.prompts] == [[], ["cheap"]]
    assert {told.negative for told in answer.prompts} == {"grain"}
    assert (answer.more, answer.brand) == (True, "acme@1")
    (count,) = answer.prompts[0].tokens
    assert (count.encoder, count.limit) == ("tokenizer", 48)
    assert 5 < count.prompt < 20 > count.negative >= 3
    assert not farm.prompts(load_campaign(folder / "spring.yaml"), limit=3).more


def test_equal_prompts_are_listed_once(farm):
    wanted = parse_campaign(data(prompt="a {color} mug", seeds={"count": 50}, vary=ROWS))
    assert [told.prompt for told in farm.prompts(wanted).prompts] == ["a red mug"]


ROWS = {"row": [{"color": "red", "sku": k} for k in range(5)]}


def test_the_commands_say_what_they_did(folder, capsys):
    picture = folder / "white.png"
    Image.fromarray(np.full((16, 16, 3), 255, np.uint8)).save(picture)
    for arguments, code, said in (
        (["brands", "lint", f"{folder}/acme.yaml"], 0, "is a pack of the brand acme"),
        (["brands", "add", f"{folder}/acme.yaml"], 0, "Added acme@1."),
        (["brands", "add", f"{folder}/acme.yaml"], 0, "Known already: acme@1"),
        (["brands", "list"], 0, "not yet"),
        (["brands", "show", "acme@1"], 0, "- cheap"),
        (["brands", "show", "acme@9"], 4, "no version 9"),
        (["brands", "check", f"{folder}/acme.yaml", f"{picture}"], 1, "fails clipped@1"),
        (["brands", "check", f"{folder}/acme.yaml"], 2, "Name picture files"),
        (["brands", "check", f"{folder}/acme.yaml", f"{folder}/rows.csv"], 2, "is not a PNG"),
        (["brands", "check", f"{folder}/acme.yaml", "/no/such"], 2, "cannot be read"),
        (["prompts", f"{folder}/spring.yaml", "--limit", "2"], 0, "banned: cheap"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        output = capsys.readouterr()
        assert (ended.value.code or 0, said in output.out + output.err) == (code, True), arguments


def test_proofs_are_judged_and_never_held(farm, settings):
    pack = {"name": "acme", "rules": {"sharpness": {"at_least": 1}}, "on_violation": "hold"}
    farm.submit(parse_campaign(data(brand=pack, proof={"steps": 2})))
    assert len(paint_proofs(settings)) == 18
    proofs = list(farm.manifest("spring", stage="proof"))
    assert {line["state"] for line in proofs} == {"done"}
    assert {tuple(line["rules"]["failed"]) for line in proofs} == {("sharpness@1",)}
    assert farm.approve("spring", [0]).queued == 1
    assert paint(settings, "spring") == [0]
    (final,) = farm.manifest("spring")
    assert (final["state"], final["reason"], final["brand"]["name"]) == ("held", "brand", "acme")


def test_what_waits_of_a_campaign_that_is_not_there_is_refused_before_an_answer_begins(farm):
    with pytest.raises(NotFound, match="no campaign nothing"):
        list(farm.waiting("nothing"))
