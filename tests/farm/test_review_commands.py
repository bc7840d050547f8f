"""The commands about reviews, models, prompts and brands, as a person types them: sentences,
tables, and one JSON object for programs.
"""

import json
import math

import pytest
from typer.testing import CliRunner

from actors.models.models import find_model
from farm.api.serving import serve
from farm.app import open_app
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.service.step_views import ModelProfile
from storage.errors import NotFound, RequestError, WorkError
from tests.campaigns import campaign
from tests.farm.resting import paint
from tests.farm.test_reviews import PROOFED, paint_proofs

PACK = "name: acme\ntexts: {style: matte}\nbanned: [cheap]\nrules: {clipped: {at_most: 0.5}}\n"


@pytest.fixture
def settings(tmp_path):
    return read_settings(home=tmp_path / "home")


@pytest.fixture
def farm(settings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


@pytest.fixture
def proofed(farm, settings):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    return farm


@pytest.fixture
def painted(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": None}))
    paint(settings, "spring")
    return farm


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def told(*words):
    """The one JSON object that a command prints, as a parser reads it that knows no NaN."""

    def refuse(word):
        raise AssertionError(word)

    result = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output, parse_constant=refuse)


def misused(*words):
    """What a command says that was called in a way that it does not know."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    return result.output


# --- reviews ---


def test_a_review_lists_what_waits_up_to_its_limit(proofed):
    said = run("review", "spring", "--limit", 2)
    assert "spring is awaiting_review: 0 approved, 0 rejected, 12 undecided of 12" in said
    answer = told("review", "spring", "--limit", 2)
    assert [line["number"] for line in answer["waiting"]] == [0, 1]
    assert answer["waiting"][0]["coordinates"] == {"color": "red", "place": "beach"}
    assert answer["proofs"]["done"] == 12


def test_a_review_says_how_to_go_on_without_proofs_to_look_at(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": {"seeds": 1, "shots": "first-last"}}))
    paint_proofs(settings)
    run("approve", "spring", 0, 10)
    paint(settings, "spring")
    said = run("review", "spring")
    assert "Those have no proof of their own: `farm approve spring` paints them" in said
    assert "10 finals are queued" in run("approve", "spring")
    assert "`farm approve" not in run("review", "spring")


def test_each_choice_of_the_commands_reaches_the_farm(proofed):
    assert told("approve", "spring", "--seed", 11, "--dry-run")["changed"] == 6
    where = ("--where", "place=beach", "--where", "place=desk", "--where", "color=red")
    assert told("approve", "spring", *where, "--dry-run")["changed"] == 4
    shot = told("review", "spring")["waiting"][0]["shot"]
    assert told("reject", "spring", "--shot", shot, "--dry-run")["changed"] == 2
    assert told("review", "spring")["decisions"] == []


def test_a_decision_is_told_with_all_that_follows(proofed, settings):
    assert "3 finals are queued." in run("approve", "spring", 0, 1, 2)
    said = run("reject", "spring", 0, "--reason", "colour")
    assert "1 render of spring is rejected. 1 final was taken out of the queue." in said
    paint(settings, "spring")
    said = run("reject", "spring", 1, "--reroll")
    assert "1 final was painted or begun before, and stays." in said
    assert "1 is painted again with the next seed: 12." in said
    assert "Render 1 is rejected already." in run("reject", "spring", 1)
    answer = told("reject", "spring", 1)
    assert (answer["campaign"], answer["changed"]) == ("spring", 0)


def test_many_redone_renders_are_counted_and_the_first_named(proofed):
    said = run("reject", "spring", "--reroll")
    numbers = ", ".join(map(str, range(12, 22)))
    assert f"12 are painted again with the next seed: {numbers} and 2 more." in said


def test_a_note_and_a_reason_are_kept(proofed):
    run("reject", "spring", 3, "--reason", "texture", "--note", "the [b]glaze[/b] is dull")
    (entry,) = told("review", "spring")["decisions"]
    assert (entry["reason"], entry["note"]) == ("texture", "the [b]glaze[/b] is dull")
    assert "Rejected for: 1 texture." in run("review", "spring")


def test_a_reason_that_there_is_not_is_refused_with_those_that_there_are(proofed):
    said = misused("reject", "spring", 3, "--reason", "ugly")
    assert "texture" in said
    assert told("review", "spring")["rejected"] == 0


def test_undo_takes_the_last_decision_back_or_the_one_that_is_named(proofed):
    first = told("approve", "spring", 0, 1)["entry"]
    second = told("reject", "spring", 2)["entry"]
    said = run("undo", "spring", "--entry", first)
    assert f"The decision {first} about 2 renders counts no more." in said
    assert "2 finals were taken out of the queue." in said
    answer = told("undo", "spring")
    assert (answer["undoes"], answer["campaign"]) == (second, "spring")
    with pytest.raises(NotFound, match="none"):
        run("undo", "spring")
    with pytest.raises(NotFound, match="no decision 999"):
        run("undo", "spring", "--entry", 999)


@pytest.mark.parametrize(
    "words", [(), ("--seed", 3, "--next-seed"), ("--prompt", "a mug", "--seed", 1, "--next-seed")]
)
def test_a_redo_says_what_changes(proofed, words):
    with pytest.raises(RequestError, match="Say what changes"):
        run("redo", "spring", 0, *words)
    assert told("review", "spring")["total"] == 12


def test_redos_are_versions_of_their_cells(painted, settings):
    said = run("redo", "spring", 0, "--prompt", "a tall mug", "--next-seed", "--note", "taller")
    assert said == "1 render of spring is painted again: 12."
    assert told("redo", "spring", 0, "--seed", 5)["redone"] == [13]
    assert told("redo", "spring", 12, "--seed", 6)["redone"] == [14]
    paint(settings, "spring")
    lines = [painted.render("spring", number) for number in (12, 13, 14)]
    assert [line["redo"]["version"] for line in lines] == [2, 3, 4]
    assert [line["redo"]["of"] for line in lines] == [0, 0, 0]
    assert [line["prompt"] for line in lines][::2] == ["a tall mug", "a tall mug"]
    assert [line["seed"] for line in lines][1:] == [5, 6]
    assert "(version" in run("review", "spring")


def test_a_render_that_is_not_there_is_not_redone(painted):
    with pytest.raises(NotFound, match="no render 12"):
        run("redo", "spring", 0, 12, "--next-seed")
    assert told("review", "spring")["total"] == 12


def test_a_cancelled_campaign_says_why_nothing_is_redone(proofed):
    proofed.cancel("spring")
    assert "was cancelled" in run("redo", "spring", 0, "--next-seed")
    assert "0 renders of spring are approved." in run("approve", "spring", 0)


# --- models ---


@pytest.mark.parametrize(
    ("grip", "said"), [(0.6, "can be an anchor of drift"), (0.1, "That is less than 25%")]
)
def test_what_was_measured_of_a_model_is_told(farm, grip, said):
    assert run("models", "show", "seedling") == "No grip was measured of seedling yet."
    digest = find_model("seedling").digest
    assert isinstance(farm.learn_grip(digest, grip, "layout@1"), ModelProfile)
    assert said in run("models", "show", "seedling")
    answer = told("models", "show", "seedling")
    assert (answer["model"], answer["digest"]) == ("seedling", digest)
    assert math.isclose(answer["grip"], grip)


# --- prompts and brands ---


@pytest.fixture
def pack(tmp_path):
    (tmp_path / "acme.yaml").write_text(PACK)
    (tmp_path / "c.yaml").write_text(
        'name: c\nmodel: seedling\nbrand: acme.yaml\nprompt: "a {color} mug, {style}"\n'
        "vary: {color: [red, cheap blue, green]}\n"
    )
    return tmp_path / "acme.yaml"


def test_prompts_are_listed_with_what_the_model_reads(farm, pack):
    said = run("prompts", pack.parent / "c.yaml", "--limit", 2)
    assert "a red mug, matte" in said
    assert "of 48 tokens" in said
    assert "2 prompts of c, and more: `--limit N` lists them. 1 of them have words" in said
    answer = told("prompts", pack.parent / "c.yaml")
    assert [one["banned"] for one in answer["prompts"]] == [[], ["cheap"], []]
    assert (answer["campaign"], answer["brand"], answer["more"]) == ("c", "acme@1", False)
    assert farm.campaigns() == []


def test_a_prompt_that_is_too_long_is_marked(farm, tmp_path):
    file = tmp_path / "long.yaml"
    file.write_text(f'name: c\nmodel: seedling\nprompt: "{"mug " * 120}"\n')
    assert "tokens, too long" in run("prompts", file)
    assert run("prompts", file).endswith("1 prompt of c.")


def test_packs_are_told_as_json(farm, pack):
    assert told("brands", "lint", pack)["name"] == "acme"
    added = told("brands", "add", pack)
    assert (added["did"], added["brand"], added["frozen_at"]) == ("added", "acme@1", None)
    assert told("brands", "list")["digest"] == added["digest"]
    shown = told("brands", "show", "acme")
    assert shown["pack"]["banned"] == ["cheap"]
    pack.write_text(PACK.replace("cheap", "dear"))
    assert "Changed acme@1, which no campaign has used yet." in run("brands", "add", pack)
    assert "dear" in run("brands", "show", "acme@1")
    assert run("brands", "show", "acme").startswith("# acme@1, digest ")


def test_the_pictures_of_a_campaign_are_judged_by_a_pack(painted, pack):
    result = CliRunner().invoke(
        app, ["brands", "check", str(pack), "--campaign", "spring", "--json"]
    )
    lines = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert len(lines) == 12
    assert {line["tested"] for line in lines} == {1}
    assert {line["picture"] for line in lines} == {
        line["key"] for line in painted.manifest("spring")
    }
    failed = sum(bool(line["failed"]) for line in lines)
    assert isinstance(result.exception, WorkError) == bool(failed)
    assert told("review", "spring")["decisions"] == []


def test_a_pack_that_judges_nothing_is_no_pack_to_check_by(pack):
    pack.write_text("name: acme\nbanned: [cheap]\n")
    with pytest.raises(RequestError, match="no rules and no palette"):
        run("brands", "check", pack, "x.png")
