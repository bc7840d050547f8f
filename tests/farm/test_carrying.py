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


def test_without_proofs_decisions_stay_at_once_but_those_about_redos(farm, settings):
    plain = {**PROOFED, "proof": None}
    farm.submit(campaign(**plain))
    paint(settings, "spring")
    farm.reject("spring", [5], reason="other", reroll=True)
    farm.approve("spring", [0, 1])
    paint(settings, "spring")
    farm.approve("spring", [12])
    farm.submit(campaign(**{**plain, "seeds": [10, 11, 12]}), update=True)
    seen = {at for at, review in verdicts(farm).items() if review == "approved"}
    assert seen == {("red", "beach", 11), ("red", "beach", 12)}
    assert farm.reviews("spring").rejected == 1


@pytest.mark.parametrize("change", [{"output": {"format": "webp"}}])
def test_files_of_another_kind_are_to_be_decided_anew(farm, settings, change):
    plain = {**PROOFED, "proof": None}
    farm.submit(campaign(**plain))
    paint(settings, "spring")
    farm.approve("spring")
    farm.submit(campaign(**{**plain, **change}), update=True)
    assert farm.reviews("spring").approved == 0
