"""Decisions after `--update`: those about pictures that stay the same stay too."""

import pytest

from farm.api.serving import serve
from farm.app import open_app
from farm.client.client import Client
from farm.config import read_settings
from farm.service.reviews import ReviewService
from storage.campaigns import Campaigns
from storage.database import closing_engine
from storage.reviews import Reviews
from storage.watching import Watching
from tests.campaigns import campaign
from tests.farm.resting import paint
from tests.farm.test_reviews import PLACES, PROOFED, paint_proofs


@pytest.fixture
def settings(tmp_path, database_url):
    return read_settings(home=tmp_path / "home", database_url=database_url)


@pytest.fixture
def farm(settings):
    with open_app(settings) as api, serve(api, 0) as url, Client(url) as client:
        yield client


@pytest.fixture
def proofs_end(settings):
    """What the dispatcher does once all proofs of a campaign are there."""

    def proofs_end(name="spring"):
        with closing_engine(settings.database_address) as engine:
            campaigns = Campaigns(engine)
            service = ReviewService(
                campaigns=campaigns, reviews=Reviews(engine), watching=Watching(engine),
                outputs=settings.open_outputs(),
            )  # fmt: skip
            service.carry_over(campaigns.get("default", name))

    return proofs_end


def verdicts(farm):
    renders = list(farm.renders("spring"))
    return {
        (one.coordinates["color"], one.coordinates["place"], one.seed): one.review
        for one in renders
    }


def test_a_new_place_leaves_what_was_decided_about_the_others(farm, settings, proofs_end):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.approve("spring", [0, 3], by="ann")
    farm.reject("spring", [1], reason="composition", note="too low", by="ben")
    paint(settings, "spring")  # final 0 and 3
    before, verdicts_before = farm.reviews("spring"), verdicts(farm)
    vary = {"color": ["red", "blue"], "place": ["roof", *PLACES]}
    answer = farm.submit(campaign(**{**PROOFED, "vary": vary}), update=True)
    assert answer.updated.kept == 2
    paint_proofs(settings)
    proofs_end()
    after = farm.reviews("spring")
    assert (after.approved, after.rejected) == (before.approved, before.rejected) == (2, 1)
    told = {entry.by: entry for entry in after.decisions}
    assert (told["ben"].reason, told["ben"].note) == ("composition", "too low")
    assert told["ann"].chosen_by == {"version": 1, "entry": before.decisions[0].entry}
    same = {at: review for at, review in verdicts(farm).items() if at[1] != "roof"}
    assert same == verdicts_before
    status = farm.status("spring")
    assert (status.renders.done, status.renders.queued) == (2, 0)  # neither is painted again
    assert farm.approve("spring").queued == 13
    assert len(paint(settings, "spring")) == 13
    assert farm.status("spring").renders.done == 15


def test_other_pictures_of_the_same_place_are_to_be_decided_anew(farm, settings, proofs_end):
    """Another prompt, other steps of the finals or of the proofs: nobody has seen these."""
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.approve("spring")
    for change in ({"prompt": "one {color} mug on a {place}"}, {"settings": {"steps": 9}},
                   {"proof": {"steps": 3}}):  # fmt: skip
        farm.submit(campaign(**{**PROOFED, **change}), update=True)
        paint_proofs(settings)
        proofs_end()
        assert farm.reviews("spring").approved == 0
        farm.submit(campaign(**PROOFED), update=True)
        paint_proofs(settings)
        farm.approve("spring")


def test_a_decision_that_somebody_takes_before_those_of_old_are_there_counts(
    farm, settings, proofs_end
):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.approve("spring", [0, 1])
    farm.submit(campaign(**PROOFED, priority=70), update=True)
    paint_proofs(settings)
    assert farm.reject("spring", [0]).changed == 1
    proofs_end()
    assert (farm.reviews("spring").approved, farm.reviews("spring").rejected) == (1, 1)
    farm.undo("spring")  # ones that were carried over too
    assert farm.reviews("spring").approved == 0
    proofs_end()
    assert farm.reviews("spring").approved == 0


def test_an_update_before_the_proofs_are_there_loses_nothing(farm, settings, proofs_end):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.approve("spring", [0, 1])
    farm.submit(campaign(**PROOFED, priority=70), update=True)
    farm.submit(campaign(**PROOFED, priority=71), update=True)
    paint_proofs(settings)
    proofs_end()
    assert farm.reviews("spring").approved == 2


PLAIN = {**PROOFED, "proof": None}
MORE_SEEDS = {**PLAIN, "seeds": [10, 11, 12]}


def redone(farm, settings):
    """The redos of a campaign by number: coordinates, seed, version and what was decided."""
    with closing_engine(settings.database_address) as engine:
        redos = Campaigns(engine).get("default", "spring").spec.get("redos", ())
    shown = {one.number: one for one in farm.renders("spring")}
    return {
        redo["number"]: (
            dict(shown[redo["number"]].coordinates),
            shown[redo["number"]].seed,
            redo["version"],
            shown[redo["number"]].review,
        )
        for redo in redos
    }


def test_without_proofs_decisions_stay_at_once_those_about_redos_too(farm, settings):
    plain = PLAIN
    farm.submit(campaign(**plain))
    paint(settings, "spring")
    farm.reject("spring", [5], reason="other", reroll=True)
    farm.approve("spring", [0, 1])
    paint(settings, "spring")
    farm.approve("spring", [12])
    ((_, seed, _, _),) = redone(farm, settings).values()
    planned = farm.plan(campaign(**MORE_SEEDS), update=True)
    did = farm.submit(campaign(**MORE_SEEDS), update=True)
    assert (did.updated.kept, did.updated.new, did.updated.retired) == (13, 6, 0)
    assert planned.updated == did.updated
    seen = {at for at, review in verdicts(farm).items() if review == "approved"}
    assert seen == {("red", "beach", 11), ("red", "beach", 12), ("red", "shelf", seed)}
    assert farm.reviews("spring").rejected == 1
    at = {"color": "red", "place": "shelf"}
    assert redone(farm, settings) == {18: (at, seed, 2, "approved")}
    assert sorted(paint(settings, "spring")) == [0, 3, 6, 9, 12, 15]
    assert farm.status("spring").renders.done == 19
    line = farm.render("spring", 18)
    assert line["redo"] == {"of": 8, "version": 2}


def test_a_redo_that_waits_goes_on_and_the_next_one_has_the_next_seed(farm, settings):
    farm.submit(campaign(**PLAIN))
    paint(settings, "spring")
    farm.redo("spring", [5], next_seed=True)
    farm.submit(campaign(**MORE_SEEDS), update=True)
    (number,) = redone(farm, settings)
    assert farm.status("spring").renders.queued == 7
    assert max(paint(settings, "spring")) == number == 18
    assert farm.redo("spring", [8], next_seed=True).redone == [19]
    versions = [(seed, version) for _, seed, version, _ in redone(farm, settings).values()]
    assert [version for _, version in versions] == [2, 3]
    assert len({seed for seed, _ in versions}) == 2
    assert paint(settings, "spring") == [19]
    assert farm.status("spring").renders.done == 20


def test_redos_whose_pictures_change_or_whose_cells_go_stay_behind(farm, settings):
    farm.submit(campaign(**PLAIN))
    paint(settings, "spring")
    farm.redo("spring", [5], next_seed=True)
    farm.redo("spring", [5], prompt="one red mug, from above")
    farm.redo("spring", [0], next_seed=True)
    paint(settings, "spring")
    other = {**PLAIN, "prompt": "one {color} mug on a {place}"}
    did = farm.submit(campaign(**other), update=True)
    # The second has a prompt of its own, and so the same picture as before.
    assert (did.updated.kept, did.updated.new, did.updated.retired) == (1, 12, 14)
    assert [version for _, _, version, _ in redone(farm, settings).values()] == [3]
    assert farm.redo("spring", [5], next_seed=True).redone == [13]
    assert [version for _, _, version, _ in redone(farm, settings).values()] == [3, 4]
    farm.submit(campaign(**{**other, "vary": {**PLAIN["vary"], "color": ["blue"]}}), update=True)
    assert redone(farm, settings) == {}
    assert len(paint(settings, "spring")) == 6
    assert farm.status("spring").state == "done"


def test_files_of_another_kind_and_fresh_ones_are_written_of_redos_too(farm, settings):
    farm.submit(campaign(**PLAIN))
    paint(settings, "spring")
    farm.redo("spring", [5], next_seed=True)
    paint(settings, "spring")
    for change, how in (({"output": {"format": "webp"}}, {}), ({}, {"fresh": True})):
        did = farm.submit(campaign(**{**PLAIN, **change}), update=True, **how)
        assert (did.updated.kept, did.updated.new) == (0, 13)
        assert len(paint(settings, "spring")) == 13
        assert list(redone(farm, settings)) == [12]


def test_a_redo_of_a_proof_goes_on_with_its_decision(farm, settings, proofs_end):
    farm.submit(campaign(**PROOFED))
    paint_proofs(settings)
    farm.redo("spring", [5], next_seed=True)
    paint_proofs(settings)
    farm.approve("spring", [0, 12])
    paint(settings, "spring")
    did = farm.submit(campaign(**{**PROOFED, "seeds": [10, 11, 12]}), update=True)
    assert did.updated.kept == 2
    assert len(paint_proofs(settings)) == 19
    proofs_end()
    assert farm.reviews("spring").approved == 2
    assert [review for _, _, _, review in redone(farm, settings).values()] == ["approved"]
    assert farm.status("spring").renders.done == 2


@pytest.mark.parametrize("change", [{"output": {"format": "webp"}}])
def test_files_of_another_kind_are_to_be_decided_anew(farm, settings, change):
    plain = {**PROOFED, "proof": None}
    farm.submit(campaign(**plain))
    paint(settings, "spring")
    farm.approve("spring")
    farm.submit(campaign(**{**plain, **change}), update=True)
    assert farm.reviews("spring").approved == 0
