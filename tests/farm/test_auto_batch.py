"""`batch: auto`: pictures that do not fit a device are planned anew with smaller batches."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from actors.recipes.jobs import Failure, FailureKind
from farm.campaign.checks import parse_campaign
from farm.campaign.specs import expansion_of
from farm.dispatch.chunk_job import chunk_job
from farm.documents.document import DocumentError
from farm.scheduling.retry import MAX_BACKOFFS
from storage.errors import Conflict
from storage.rows import Chunk, SmallerBatch
from storage.states import CampaignState, Reason
from tests.campaigns import data
from tests.farm.fakes import NOW, FakeFleet, answer

LARGE, SMALL = (256, 256), (128, 128)
TOO_MUCH = Failure(kind=FailureKind.OUT_OF_MEMORY, detail="The device ran out of memory.")
VARY = {"product": ["mug", "bottle"], "size": ["128x128", "256x256"]}
ALL_LARGE = {"product": ["mug", "bottle", "lamp"], "size": ["256x256"]}


def auto(**changes):
    settings = {"batch": "auto"}
    return data(**{"prompt": "a {product}", "vary": VARY, "settings": settings, **changes})


@pytest.fixture
def paint(start, campaigns):
    """Paints with workers that hold `room` pictures of the large size; returns the jobs that were
    painted.
    """

    def paint(room, times=30, dispatcher=None):
        fleet = FakeFleet(1)
        dispatcher = dispatcher or start(fleet)
        painted = []
        for _ in range(times):
            dispatcher.tick(NOW)
            for job, worker in fleet.take():
                is_large = (job.group.width, job.group.height) == LARGE
                fits = not is_large or job.group.batch <= room
                fleet.results.append(answer(job, worker, None if fits else TOO_MUCH))
                painted += [job] if fits else []
            dispatcher.tick(NOW)
        return painted

    return paint


def batches(row):
    expansion = expansion_of(row.spec)
    groups = map(expansion.group, range(expansion.groups))
    return {(group.width, group.height): group.batch for group in groups}


def test_pictures_that_do_not_fit_are_painted_in_halves_and_others_stay(service, campaigns, paint):
    service.submit("p", auto())
    painted = paint(room=1)
    row = campaigns.get("p", "spring")
    assert (row.state, row.done, row.failed) == (CampaignState.DONE, 12, 0)
    assert row.spec["smaller"] == {"256x256": 1}
    assert batches(row) == {SMALL: 4, LARGE: 1}
    assert row.version == 3  # 4, 2 and 1 at once: other pictures, so other versions
    numbers = [picture.number for job in painted for picture in job.pictures]
    assert sorted(numbers) == list(range(12))  # the small ones were painted once
    expansion = expansion_of(row.spec)
    for number in range(12):
        group_no, render = expansion.render(number)
        digest = expansion.recipe(group_no, render).digest
        assert campaigns.digests(row.id, [number]) == {number: digest}


def test_what_was_painted_with_a_batch_that_fits_no_more_is_painted_again(
    service, campaigns, start, paint
):
    """All pictures of a size are of one batch, so that they stay alike."""
    service.submit("p", auto(vary=ALL_LARGE))
    first = paint(room=4, times=2)
    assert 0 < sum(len(job.pictures) for job in first) < 9
    again = paint(room=2)
    row = campaigns.get("p", "spring")
    assert (row.done, batches(row)) == (9, {LARGE: 2})
    assert sum(len(job.pictures) for job in again) == 9


def test_a_batch_of_one_that_does_not_fit_fails(service, campaigns, paint):
    service.submit("p", auto())
    paint(room=0)
    row = campaigns.get("p", "spring")
    assert (row.done, row.failed) == (6, 6)
    assert {one.reason for one in campaigns.failures(row.id, 10)} == {Reason.OUT_OF_MEMORY}


def test_the_same_file_again_is_the_same_campaign_and_an_update_keeps_its_batches(
    service, campaigns, paint
):
    service.submit("p", auto())
    paint(room=2)
    assert service.submit("p", auto())[1]["created"] is False
    assert campaigns.get("p", "spring").version == 2
    with pytest.raises(Conflict, match="A different campaign"):
        service.submit("p", auto(seeds={"count": 4}))
    row, did = service.submit("p", auto(seeds={"count": 4}), update=True)
    assert did["updated"] == {"kept": 12, "new": 4, "retired": 0}
    assert batches(row)[LARGE] == 2
    fixed, _ = service.submit("p", {**auto(), "settings": {"batch": 3}}, update=True)
    assert batches(fixed) == {SMALL: 3, LARGE: 3}
    assert "smaller" not in fixed.spec


def test_a_plan_that_could_not_be_stored_is_made_after_the_wait(
    service, campaigns, start, engine, monkeypatch, paint
):
    """Whatever ended the planning, also the end of its process, is the same for the campaign."""
    service.submit("p", auto())
    with monkeypatch.context() as away:
        away.setattr(
            "farm.service.updating.Updates.with_smaller_batch", _raising(Conflict("too fast"))
        )
        paint(room=2)
        row = campaigns.get("p", "spring")
        assert (row.version, row.failed, row.state) == (1, 0, CampaignState.RUNNING)
        assert "planned anew, 2 at once" in row.waits_for
    with engine.begin() as connection:
        connection.execute(text("update campaigns set waits_until = 0"))
    paint(room=2)
    assert campaigns.get("p", "spring").done == 12


def _raising(exc):
    def raises(*arguments):
        raise exc

    return raises


def test_a_plan_that_never_comes_ends_in_failures(service, campaigns, engine, monkeypatch, paint):
    service.submit("p", auto(vary=ALL_LARGE))
    monkeypatch.setattr(
        "farm.service.updating.Updates.with_smaller_batch", _raising(Conflict("too fast"))
    )
    with engine.begin() as connection:
        connection.execute(text("update campaigns set waits = :n"), {"n": MAX_BACKOFFS})
    paint(room=2)
    assert campaigns.get("p", "spring").failed == 9


def test_priority_and_pause_stay_and_stopped_ones_are_left_alone(
    service, campaigns, control, updates
):
    row, _ = service.submit("p", auto())
    control.set_priority(row.id, 77)
    control.pause(row.id)
    new = updates.with_smaller_batch(row.id, SmallerBatch(size=LARGE, batch=2))
    assert (new.priority, new.state) == (77, CampaignState.PAUSED)
    campaigns.halt(new.id, "The weights have changed.")
    assert updates.with_smaller_batch(new.id, SmallerBatch(size=LARGE, batch=1)) is None
    assert campaigns.get("p", "spring").halted == "The weights have changed."


@pytest.mark.parametrize(
    "more", [{"redos": [{"number": 12, "of": 0, "version": 2, "seed": 5}]}, {"repaints": 1}]
)
def test_pictures_that_a_new_plan_would_lose_or_change_keep_their_batch(service, campaigns, more):
    row, _ = service.submit("p", auto())
    chunk = Chunk(
        id=1, campaign_id=row.id, group_no=0, start=0, stop=3, total=3, lease=1, failures=0,
        losses=0, worker="w",
    )  # fmt: skip
    assert chunk_job(row, expansion_of(row.spec), chunk).smaller_batch == 2
    spec = {**row.spec, **more}
    changed = replace(row, spec=spec)
    assert chunk_job(changed, expansion_of(spec), chunk).smaller_batch is None


def test_submission_tells_that_pictures_may_change(service):
    _, did = service.submit("p", auto())
    (warning,) = (one for one in did["warnings"] if one["path"] == ["settings", "batch"])
    assert "planned anew with half of it" in warning["message"]


def test_approved_proofs_allow_no_other_batch():
    with pytest.raises(DocumentError, match="another picture than the proof"):
        parse_campaign(auto(proof={"seeds": 1}))


def test_auto_may_stand_in_an_axis_and_other_words_may_not(service, paint):
    service.submit("p", data(prompt="a mug", vary={"batch": ["auto", 2]}))
    jobs = {job.group.batch: job for job in paint(room=4)}
    assert {batch: job.smaller_batch for batch, job in jobs.items()} == {4: 2, 2: None}
    with pytest.raises(DocumentError, match="batch"):
        service.submit("p", {**auto(), "settings": {"batch": "some"}})
