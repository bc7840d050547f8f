"""Proofs, decisions and finals as people and programs meet them: the API, the client, the
commands.
"""

import json

import pytest
from typer.testing import CliRunner

from actors.painting.painter import Painter
from actors.painting.resting import RestingEngine
from farm.api.serving import serve
from farm.app import open_app
from farm.campaign.specs import expansion_of
from farm.cli import app
from farm.client.client import Client
from farm.config import read_settings
from farm.dispatch.chunk_job import chunk_job
from farm.documents.document import DocumentError
from farm.service.review_views import AxisVerdicts
from farm.service.reviews import ReviewService
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.errors import NotFound, RequestError
from storage.queue import Queue
from storage.reviews import Reviews
from storage.settling import Settling
from storage.states import RenderState
from storage.watching import Watching
from tests.campaigns import campaign
from tests.farm.resting import paint, paint_queued
from tests.storage.conftest import outcomes, settlement

PLACES = ["beach", "desk", "shelf"]
PROOFED = {
    "prompt": "a {color} mug on a {place}",
    "vary": {"color": ["red", "blue"], "place": PLACES},
    "seeds": [11, 12],
    "proof": {"steps": 4},
}


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings, monkeypatch):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        monkeypatch.setenv("FARM_URL", url)
        yield client


def paint_proofs(settings, name="spring", engine=None):
    painter = Painter("w", engine or RestingEngine(0.0), settings.open_outputs())
    with closing_engine(settings.database_address) as database:
        campaigns = Campaigns(database)
        proofs = campaigns.proofs_of(campaigns.get("default", name))
        return paint_queued(Queue(database), Settling(database), proofs, painter)


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def proofed(farm, settings):
    farm.submit(campaign(**PROOFED))
    assert paint_proofs(settings) == list(range(12))
    return farm


def test_proofs_then_a_review_then_finals_with_the_same_seeds(proofed, settings):
    assert proofed.status("spring").state == "awaiting_review"
    waiting = list(proofed.waiting("spring"))
    assert [line["number"] for line in waiting] == list(range(12))
    assert proofed.approve("spring", [0, 3]).queued == 2
    assert proofed.reject("spring", where=["place=beach"], reason="composition").changed == 3
    assert paint(settings, "spring") == [0, 3]
    finals = list(proofed.manifest("spring"))
    proofs = {line["number"]: line for line in proofed.manifest("spring", stage="proof")}
    for final in finals:
        proof = proofs[final["number"]]
        assert (final["stage"], proof["stage"]) == ("final", "proof")
        assert final["key"].replace("/final/", "/proof/") == proof["key"]
        same = ("shot", "seed", "prompt", "coordinates")
        assert [final[key] for key in same] == [proof[key] for key in same]
        assert (final["settings"]["steps"], proof["settings"]["steps"]) == (20, 4)
    status = proofed.status("spring")
    assert status.renders.rejected == 3
    assert status.state == "awaiting_review"
    proofed.approve("spring")
    paint(settings, "spring")
    status = proofed.status("spring")
    assert (status.state, status.renders.done) == ("done", 9)


def test_decisions_in_bulk_leave_those_made_by_number_alone(proofed):
    proofed.reject("spring", [4])
    answer = proofed.approve("spring", seed=11)
    assert answer.changed == 5
    assert answer.why == ["Render 4 is rejected and stays so: name numbers to decide again."]
    assert proofed.approve("spring", [4]).changed == 1


def test_a_dry_run_counts_and_changes_nothing(proofed):
    answer = proofed.approve("spring", where=["color=red"], dry_run=True)
    assert (answer.changed, answer.dry_run) == (6, True)
    assert proofed.reviews("spring").approved == 0


def test_one_sentence_says_why_nothing_changes(proofed):
    proofed.approve("spring", [0])
    assert proofed.approve("spring", [0]).why == ["Render 0 is approved already."]
    with pytest.raises(NotFound, match="no render 99"):
        proofed.approve("spring", [0, 99])
    with pytest.raises(RequestError, match="place=moon"):
        proofed.approve("spring", where=["place=moon"])
    with pytest.raises(RequestError, match="no axis 'hue'"):
        proofed.approve("spring", where=["hue=red"])
    with pytest.raises(RequestError, match="--seed 7"):
        proofed.approve("spring", seed=7)
    with pytest.raises(RequestError, match="--shot x"):
        proofed.approve("spring", shot="x")
    with pytest.raises(DocumentError, match="either them, or a filter"):
        proofed.approve("spring", [1], seed=11)
    with pytest.raises(DocumentError, match="only a rejection has this"):
        proofed.approve("spring", [1], reason="colour")
    proofed.cancel("spring")
    assert "was cancelled" in proofed.approve("spring", [1]).why[0]
    assert proofed.reviews("spring").approved == 1


def test_a_review_works_on_the_proofs_that_are_painted(farm):
    farm.submit(campaign(**PROOFED))
    answer = farm.approve("spring", seed=11)
    assert answer.changed == 0
    assert answer.why == ["6 renders have no proof yet: decide once it is painted."]


def test_proofs_of_some_shots_decide_about_those_and_the_rest_is_decided_in_bulk(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": {"seeds": 1, "shots": "first-last"}}))
    assert paint_proofs(settings) == [0, 10]
    farm.reject("spring", [10])
    assert farm.approve("spring").queued == 11
    assert len(paint(settings, "spring")) == 11


def test_a_proof_like_its_final_is_copied_and_not_painted_again(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": {}}))
    paint_proofs(settings)
    farm.approve("spring")
    paint(settings, "spring")
    proofs = {line["number"]: line["digest"] for line in farm.manifest("spring", stage="proof")}
    assert proofs == {line["number"]: line["digest"] for line in farm.manifest("spring")}


def test_rejects_are_counted_by_reason_and_by_axis_value(proofed):
    proofed.reject("spring", where=["place=beach"], reason="composition", note="too wide")
    proofed.reject("spring", [2], reason="colour")
    overview = proofed.reviews("spring")
    assert overview.rejects_by_reason == {"composition": 4, "colour": 1}
    assert overview.notable == ["80% of the rejects are place=beach."]
    assert overview.by_axis["place"][0] == AxisVerdicts(value="beach", rejected=4, approved=0)
    last = overview.decisions[0]
    assert (last.note, last.chosen_by, last.count) == (
        "too wide",
        {"where": ["place=beach"]},
        4,
    )
    assert "@" in last.by


def test_undo_is_another_entry(proofed):
    proofed.approve("spring")
    assert proofed.undo("spring").changed == 12
    overview = proofed.reviews("spring")
    assert (overview.undecided, len(overview.decisions)) == (12, 2)
    with pytest.raises(NotFound, match="there is none"):
        proofed.undo("spring")
    with pytest.raises(NotFound, match="no decision 99"):
        proofed.undo("spring", 99)


def test_a_reroll_is_a_proof_of_the_next_seed_and_never_silent(proofed, settings):
    answer = proofed.reject("spring", [5], reroll=True)
    assert answer.redone == [12]
    assert paint_proofs(settings) == [12]
    line = proofed.render("spring", 12, stage="proof")
    assert line["redo"] == {"of": 5, "version": 2}
    assert line["seed"] not in (11, 12)
    assert line["shot"] == proofed.render("spring", 5, stage="proof")["shot"]
    proofed.approve("spring", [12])
    assert paint(settings, "spring") == [12]
    final = proofed.render("spring", 12)
    assert final["seed"] == line["seed"]
    assert [one["number"] for one in proofed.waiting("spring")] == [0, 1, 2, 3, 4, *range(6, 12)]


def test_a_picture_painted_again_with_another_prompt_is_a_version_of_its_cell(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": None}))
    paint(settings, "spring")
    answer = farm.redo("spring", [3, 4], prompt="a red mug, seen from above")
    assert answer.redone == [12, 13]
    assert farm.status("spring").state == "running"
    assert paint(settings, "spring") == [12, 13]
    line, before = farm.render("spring", 12), farm.render("spring", 3)
    assert (line["prompt"], line["seed"]) == ("a red mug, seen from above", before["seed"])
    assert line["key"] == before["key"].replace(".png", "-r1.png")
    assert farm.status("spring").state == "done"
    with pytest.raises(DocumentError, match="say what changes"):
        farm.redo("spring", [1])
    with pytest.raises(DocumentError, match="not both"):
        farm.redo("spring", [1], seed=3, next_seed=True)
    assert not farm.submit(campaign(**{**PROOFED, "proof": None})).created
    assert farm.clean("spring", dry_run=True).files == 0


def test_finals_without_proofs_are_approved_for_export(farm, settings, tmp_path):
    farm.submit(campaign(**{**PROOFED, "proof": None}))
    assert "no picture yet" in farm.approve("spring", [0]).why[0]
    paint(settings, "spring")
    farm.approve("spring", where=["color=red"])
    farm.reject("spring", [1])
    run("export", "spring", tmp_path / "out", "--approved")
    painted = sorted((tmp_path / "out").rglob("*.png"))
    assert len([path for path in painted if "sheet" not in path.name]) == 5


def test_an_update_paints_other_proofs_and_begins_the_review_anew(proofed, settings):
    proofed.approve("spring", [0])
    paint(settings, "spring")
    changed = {**PROOFED, "vary": {"color": ["red", "teal"], "place": PLACES}}
    proofed.submit(campaign(**changed), update=True)
    status = proofed.status("spring")
    assert (status.renders.done, status.renders.undecided) == (1, 11)
    assert status.proofs.total == 12
    paint_proofs(settings)
    assert proofed.status("spring").state == "awaiting_review"


def test_a_proof_that_cannot_be_as_it_is_asked_for_is_refused_at_its_place(farm):
    odd = {
        "every": ({"every": 0}, "proof.every"),
        "steps": ({"steps": 0}, "proof.steps"),
        "size": ({"size": "65x64"}, "proof.size"),
        "auto": ({"auto_approve": {}}, "proof.auto_approve"),
        "key": ({"step": 4}, "proof.step"),
    }
    for given, place in odd.values():
        with pytest.raises(DocumentError) as error:
            farm.submit(campaign(**{**PROOFED, "proof": given}))
        assert error.value.problems[0].place == place
    varied = {**PROOFED, "vary": {"steps": [8, 12], "place": PLACES, "color": ["red"]}}
    with pytest.raises(DocumentError, match="the axis 'steps' varies steps"):
        farm.submit(campaign(**varied))


def test_another_size_of_proofs_is_said_at_submission(farm):
    warnings = farm.submit(campaign(**{**PROOFED, "proof": {"size": "64x64"}})).warnings
    assert any("another size is another composition" in warning.message for warning in warnings)


def test_the_commands_say_what_happens_and_what_to_do_next(proofed, settings):
    assert "`farm approve spring NUMBER…`" in run("review", "spring")
    assert "6 renders of spring would be approved" in run(
        "approve", "spring", "--where", "color=red", "--dry-run"
    )
    assert "2 finals are queued" in run("approve", "spring", 0, 1)
    assert "is rejected" in run("reject", "spring", 2, "--reason", "defect", "--note", "a seam")
    assert "Rejected for: 1 defect." in run("review", "spring")
    assert "counts no more" in run("undo", "spring")
    assert "painted again: 12" in run("redo", "spring", 5, "--next-seed")
    told = json.loads(run("review", "spring", "--json"))
    assert (told["approved"], told["undecided"], len(told["waiting"])) == (2, 11, 10)
    assert "undecided" in run("status", "spring")


def test_hostile_texts_are_shown_as_they_are(proofed):
    proofed.reject("spring", [0], note="[red]\x1b]0;x\x07<script>", reason="other")
    assert "\x1b" not in run("review", "spring")


def test_why_names_the_review_that_is_waited_for(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": {"steps": 4, "seeds": 1}}))
    assert farm.why("spring")[0] == "Its proofs come first: 0 of 6 are painted."
    assert farm.why("spring", 0)[0] == "Render 0 has a proof, which comes first."
    assert "no proof of its own" in farm.why("spring", 1)[0]
    paint_proofs(settings)
    (sentence,) = farm.why("spring")
    assert sentence.startswith("It awaits a review: 12 renders are undecided.")
    assert "its proof is painted" in farm.why("spring", 0)[0]
    farm.reject("spring", [0], reason="colour", note="too green")
    assert "was rejected for colour by" in farm.why("spring", 0)[0]
    assert farm.why("spring", 0)[0].endswith(": too green")
    farm.approve("spring", [2])
    assert "waits in a chunk" in farm.why("spring", 2)[0]
    assert "awaits a review: 10 renders" in farm.why("spring")[-1]
    paint(settings, "spring")
    assert "is done" in farm.why("spring", 2)[0]
    assert "was approved" in farm.why("spring", 2)[1]


def test_proofs_that_pass_what_the_file_asks_for_are_approved_by_themselves(
    farm, settings, tmp_path
):
    brand = {"name": "acme", "rules": {"border": "none"}}
    auto = {"steps": 4, "auto_approve": {"rules": "all"}}
    farm.submit(campaign(**{**PROOFED, "proof": auto, "brand": brand}))
    paint_proofs(settings)
    with closing_engine(settings.database_address) as engine:
        campaigns = Campaigns(engine)
        proofs = campaigns.proofs_of(campaigns.get("default", "spring"))
        service = ReviewService(
            campaigns=campaigns,
            reviews=Reviews(engine),
            watching=Watching(engine),
            outputs=settings.open_outputs(),
        )
        failing = len(Reviews(engine).measured(proofs.id, rule="border"))
        for _ in range(2):
            service.auto_approve(proofs)
    overview = farm.reviews("spring")
    assert (overview.approved, len(overview.decisions)) == (12 - failing, 1)
    assert overview.decisions[0].by == "auto_approve"
    assert overview.decisions[0].chosen_by == {"rules": "all"}


def test_what_cannot_approve_by_itself_is_refused(farm):
    for auto, place in (({"drift": 0.2}, "drift"), ({"rules": "all"}, "rules")):
        with pytest.raises(DocumentError) as error:
            farm.submit(campaign(**{**PROOFED, "proof": {"auto_approve": auto}}))
        assert error.value.problems[0].place == f"proof.auto_approve.{place}"
    farm.submit(campaign(**PROOFED))
    with pytest.raises(RequestError, match="no such rule: did you mean 'border'"):
        farm.approve("spring", rule="boarder")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("  ", "empty"),
        ("a \x00 mug", "the text has"),
        ("a (mug:1.4)", "emphasis"),
        ("a ch\u200beap mug", "cheap"),
        ("mug " * 200, "tokens"),
    ],
)
def test_the_prompt_of_a_redo_passes_what_a_file_passes(farm, settings, prompt, words):
    brand = {"name": "acme", "banned": ["cheap"]}
    farm.submit(campaign(**{**PROOFED, "proof": None, "brand": brand}))
    paint(settings, "spring")
    with pytest.raises(DocumentError, match=words):
        farm.redo("spring", [0], prompt=prompt)
    assert farm.status("spring").renders.total == 12


def test_braces_in_the_prompt_of_a_redo_are_text(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": None, "syntax": "literal"}))
    paint(settings, "spring")
    (number,) = farm.redo("spring", [0], prompt="a {red} mug").redone
    paint(settings, "spring")
    assert farm.render("spring", number)["prompt"] == "a {red} mug"


def test_watching_the_steps_names_each_preview_once(farm, settings):
    farm.submit(campaign(**{**PROOFED, "proof": None, "previews": {"every": 10}}))
    paint(settings, "spring")
    said = [line for line in run("watch", "spring", "--steps").split() if ".step" in line]
    assert sorted(said) == sorted(
        key for line in farm.manifest("spring") for key in line["previews"]
    )
    assert len(said) == 12


def test_proofs_that_failed_are_shown_and_tried_again(farm, settings):
    farm.submit(campaign(**PROOFED))
    fail_a_proof(settings)
    status = farm.status("spring")
    assert [failure.state for failure in status.failures] == ["failed"] * status.proofs.failed
    assert farm.retry("spring").retried == status.proofs.failed > 0
    assert farm.status("spring").proofs.failed == 0
    assert len(paint_proofs(settings)) == 12


def fail_a_proof(settings):
    """Claim the first chunk of proofs, and let all of it fail."""
    with closing_engine(settings.database_address) as engine:
        campaigns, queue = Campaigns(engine), Queue(engine)
        proofs = campaigns.proofs_of(campaigns.get("default", "spring"))
        session = queue.lead(owner="test", host="h", pid=1)
        (chunk,) = queue.claim(session, [(proofs.id, "w")])
        numbers = range(chunk.start, chunk.stop)
        Settling(engine).settle(
            session, [settlement(chunk, outcomes(chunk, RenderState.FAILED, numbers=numbers))]
        )
        queue.end_session(session)


def test_finals_and_proofs_are_not_painted_again_by_one_redo(proofed, settings):
    proofed.approve("spring", [0])
    paint(settings, "spring")
    with pytest.raises(RequestError, match="Render 0 has a final and render 1 has none"):
        proofed.redo("spring", [0, 1], next_seed=True)
    (number,) = proofed.redo("spring", [0], next_seed=True).redone
    assert paint(settings, "spring") == [number]


def test_verify_and_clean_know_proofs_and_redos(proofed, settings):
    proofed.approve("spring", [0, 1])
    paint(settings, "spring")
    proofed.reject("spring", list(range(2, 12)))
    proofed.redo("spring", [0], next_seed=True)
    paint(settings, "spring")
    proofed.save_manifest("spring", stage="proof")
    told = json.loads(run("verify", "spring", "--json"))
    assert (told["wrong"], told["retired"], told["files"]) == (0, 0, 15)
    settings.open_outputs().delete(proofed.render("spring", 5, stage="proof")["key"])
    result = CliRunner().invoke(app, ["verify", "spring"])
    assert result.exit_code == 1
    assert "/proof/" in result.output


def test_the_anchor_of_a_final_is_the_very_proof_that_was_approved(farm, settings):
    """A proof that was rolled again has a name of its own."""
    farm.submit(campaign(**{**PROOFED, "drift": {"limit": 0.5}}))
    paint_proofs(settings)
    (rolled,) = farm.reject("spring", [5], reroll=True).redone
    paint_proofs(settings)
    farm.approve("spring", [0, rolled])
    with closing_engine(settings.database_address) as engine:
        campaigns, queue = Campaigns(engine), Queue(engine)
        row = campaigns.get("default", "spring")
        session = queue.lead(owner="test", host="h", pid=1)
        chunks = queue.claim(session, [(row.id, "w"), (row.id, "w")])
        anchors = {
            picture.number: picture.anchor_key
            for chunk in chunks
            for picture in chunk_job(row, expansion_of(row.spec), chunk).pictures
        }
    assert anchors == {
        number: farm.render("spring", number, stage="proof")["key"] for number in (0, rolled)
    }
