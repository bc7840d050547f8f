"""Events in words."""

import pytest

from farm.web.event_words import SUBJECTS, change_sentences, changed_words, event_sentence
from storage.event_kinds import EventKind

RICH = {
    "total": 1200, "proofs": 12, "model": "m", "version": 2, "why": "no disk", "renders": 3,
    "failed": 60, "state": "done", "device_s": 90.0, "budget_s": 100.0, "worker": "w1",
    "counts": {"done": 3, "failed": 1, "held": -2}, "verdict": "approved", "undoes": None,
    "target": "w1", "by": "ann", "brand": "acme", "person": "mira", "token": "abc",
    "webhook": 1, "priority": 70, "pool": "gpu", "node": "a", "floor": 2,
    "undecided": 4, "notification": 2, "name": "studio", "service": "mailto", "kind": "model",
    "digest": "d" * 64, "link": "x1", "used_s": 3.0, "limit_s": 3.2,
}  # fmt: skip


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_has_a_sentence_and_every_subject_a_word(kind):
    data = {**RICH, "why": ["Because."]} if kind is EventKind.FLEET_SCALED else RICH
    sentence = event_sentence({"kind": kind.value, "data": data})
    assert sentence != kind.value
    assert sentence[0].isupper() or sentence.startswith(("w1", "mira", "3", "4", "60"))
    assert kind.partition(".")[0] in SUBJECTS


def test_a_budget_of_money_is_told_in_money():
    data = {"money": 36.0, "budget_money": 40.0}
    told = event_sentence({"kind": EventKind.CAMPAIGN_BUDGET_LOW.value, "data": data})
    assert told == "Nine tenths of its budget are spent: 36.00 of 40.00."


@pytest.mark.parametrize("kind", [EventKind.RENDERS_SETTLED, EventKind.CAMPAIGN_PRIORITY])
def test_an_event_with_other_details_is_told_by_its_kind(kind):
    assert event_sentence({"kind": kind.value, "data": {}}) == kind.value
    assert event_sentence({"kind": "moon.risen", "data": {}}) == "moon.risen"


SENTENCES = (
    ("campaign.submitted", RICH, "Submitted: 1,200 renders, with 12 proofs first."),
    ("campaign.submitted", {"total": 1, "proofs": 0}, "Submitted: 1 render."),
    ("campaign.finished", RICH, "Done after 1 min 30 s of device time."),
    ("renders.settled", RICH, "w1 brought back a chunk: 3 done, 1 failed, 2 no more held."),
    ("renders.returned", {"worker": "w1", "detail": "It was lost."},
     "w1 brought back a chunk without pictures: It was lost."),
    ("review.decided", RICH, "3 renders approved."),
    ("review.decided", {"undoes": 4}, "A decision was taken back."),
    ("worker.joined", RICH, "w1 is there (gpu, a)."),
    ("worker.quarantined", {"worker": "w1", "why": "It is slow."},
     "w1 is in quarantine: It is slow."),
    ("worker.lost", {"worker": "w1"}, "w1 was lost without being asked to go."),
    ("fleet.scaled", {"start": ["a", "a"], "end": ["w"]}, "2 workers asked for, 1 worker ended."),
    ("fleet.ordered", {"floor": 2, "by": "ann"}, "Ordered by ann: at least 2 workers."),
    ("fleet.ordered", {"ceiling": None, "is_frozen": True},
     "Ordered: ceiling as the settings say, frozen."),
    ("fleet.drain_ordered", {"target": "w1", "by": None}, "w1 was told to drain."),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "sentence"), SENTENCES)
def test_details_are_in_the_sentence(kind, data, sentence):
    assert event_sentence({"kind": kind, "data": data}) == sentence


def test_a_change_of_the_fleet_has_each_of_its_reasons():
    event = {"kind": "fleet.scaled", "data": {"start": ["a"], "why": ["One.", "Two."]}}
    assert change_sentences(event) == ["One.", "Two."]
    assert event_sentence(event) == "One. Two."
    assert change_sentences({"kind": "worker.lost", "data": {"worker": "w"}})[0].startswith("w ")


def test_a_text_cannot_reach_into_what_it_is_put_into():
    data = {"why": "{worker.__class__} {0}"}
    assert event_sentence({"kind": "campaign.stopped", "data": data}).endswith(data["why"])


def test_what_was_set_to_another_value_is_told_with_both():
    before, after = {"stored_bytes": None, "workers": 2}, {"stored_bytes": 5000, "workers": 2}
    assert changed_words(before, after) == [("stored bytes", "none", "5,000")]
    assert changed_words({"a": 1}, None) == [("a", "1", "none")]
    assert changed_words("viewer", "operator") == [("", "viewer", "operator")]
    assert changed_words(None, "viewer") == [("", "none", "viewer")]
    assert changed_words({"is_frozen": False}, {"is_frozen": True}) == [
        ("is frozen", "False", "True")
    ]
    assert changed_words(None, None) == []
