"""Which campaigns a pruning forgets and which it spares; decided without a database."""

import pytest

from farm.commands.prune import question, read_age, result
from farm.service.retention import Order, choose
from farm.service.views import ForgottenCampaign, Pruned
from storage.errors import RequestError
from storage.rows import CampaignRow
from storage.states import CampaignState


def row(name="spring", **changes):
    base = dict.fromkeys(CampaignRow.__dataclass_fields__)
    counts = dict(
        total=4,
        done=4,
        failed=0,
        held=0,
        cancelled=0,
        rejected=0,
        released=None,
        proofs=None,
        running=0,
        finished_at=100.0,
        id=1,
        version=1,
        now=1000.0,
    )
    return CampaignRow(**{**base, **counts, "name": name, "project": "p", **changes})


def why(campaign, under_way=(), **order):
    """Whether it is forgotten, or the sentence that says why not; None if the order is not about
    it.
    """
    order["names"] = frozenset(order.get("names", ()))
    chosen = choose([campaign], Order(**order), under_way)
    return bool(chosen.forgotten) or next((sentence for _, sentence in chosen.spared), None)


def test_what_has_been_over_long_enough_is_forgotten_and_the_rest_is_not_meant():
    assert why(row(), before=101.0) is True
    assert why(row(), before=100.0) is None
    assert why(row(finished_at=None, done=1), before=101.0) is None
    assert why(row()) is None


def test_a_campaign_with_held_renders_is_spared_unless_it_is_named():
    assert "2 renders are held" in why(row(done=2, held=2), before=101.0)
    assert "1 render is held" in why(row(done=3, held=1), before=101.0)
    assert why(row(done=2, held=2), names=["spring"]) is True
    assert why(row(done=2, held=2), names=["autumn"], before=101.0) is None


def test_a_named_campaign_that_is_not_over_or_too_young_says_so():
    assert "not over, but queued: cancel it first" in why(
        row(done=1, finished_at=None), names=["spring"]
    )
    assert "not been over for that long" in why(row(), names=["spring"], before=50.0)


def test_pictures_are_not_deleted_while_workers_paint_what_an_update_has_replaced():
    """They write to the same places."""
    young = row(id=7, replaces=3)
    assert "Workers still paint" in why(young, {3}, names=["spring"], with_pictures=True)
    assert why(young, {3}, names=["spring"]) is True
    assert why(young, {4}, names=["spring"], with_pictures=True) is True


def test_a_removal_that_was_begun_is_finished_whatever_its_age():
    leaving = row(pruned_at=900.0, held=1, done=3)
    assert leaving.state is CampaignState.REMOVING
    assert leaving.is_over
    assert why(leaving) is True
    assert why(leaving, before=1.0) is True
    assert why(leaving, names=["spring"]) is True
    assert why(leaving, names=["autumn"]) is None


def test_an_age_is_a_number_and_a_unit():
    assert [read_age(text) for text in ("5s", "1m", "2h", "3d", "1w")] == [
        5,
        60,
        7200,
        259_200,
        604_800,
    ]
    for text in ("", "d", "1", "1.5d", "-1d", "1y"):
        with pytest.raises(RequestError, match="30d"):
            read_age(text)


def forgotten(size=None):
    return ForgottenCampaign(
        project="p",
        campaign="spring",
        state="done",
        renders=4,
        pictures=4,
        bytes=size,
        finished_at=100.0,
    )


def pruned(**changes):
    base = {
        "dry_run": False,
        "with_pictures": False,
        "pruned": 1,
        "versions": 0,
        "files_removed": 0,
        "files_left": 9,
        "campaigns": [forgotten()],
        "spared": [],
        "project": None,
        "over_before": None,
        "more": False,
    }
    return Pruned(**{**base, **changes})


def test_the_question_says_what_becomes_of_the_pictures():
    assert question(pruned()) == "Forget 1 campaign? Their pictures stay."
    whole = pruned(campaigns=[forgotten(2_000_000)])
    assert (
        question(whole) == "Forget 1 campaign, and delete 4 pictures (2.0 MB) with their previews?"
    )
    assert question(pruned(campaigns=[], versions=2)) == "Forget 2 replaced versions?"


def test_the_answer_says_how_many_files_stay_and_how_they_can_be_deleted():
    assert "9 files kept as they are" in result(pruned())[1]
    assert "--with-pictures" in result(pruned())[1]
    assert "not known" in result(pruned(files_left=None))[1]
    assert result(pruned(with_pictures=True, files_left=1, files_removed=1_200))[1:] == [
        "1,200 files deleted.",
        "1 file kept: other campaigns have them, or the farm did not write them.",
    ]
