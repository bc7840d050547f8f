"""How campaigns stand, in words."""

import pytest

from farm.documents.counting import counted
from farm.web.standing import (
    Group,
    Wanted,
    cost_words,
    grouped_by_need,
    pace_of,
    standing_of,
    why_of,
)
from farm.web.words import duration, grouped, percent, rate_words, size, state_word

NOW = 1_000_000.0


def row(state="running", *, renders=None, **changes):
    counts = dict(
        total=100, queued=90, running=0, held=0, done=10, failed=0, cancelled=0, rejected=0,
        undecided=0, held_by_rule=0,
    )  # fmt: skip
    base = dict(
        campaign="spring", project="default", brand="acme@2", model="/models/sdxl", state=state,
        halted=None, waits_for=None, standstill=None, refusal=None, proofs=None, deadline=None,
        budget_s=None, device_s=0.0, money=None, budget_money=None, eta=None, eta_low=None,
        eta_high=None, renders_per_s=None, renders={**counts, **(renders or {})},
    )  # fmt: skip
    return {**base, **changes}


@pytest.mark.parametrize(
    ("state", "changes", "words"),
    [
        ("awaiting_review", {"renders": {"undecided": 1}}, "1 render to decide about"),
        ("awaiting_review", {"renders": {"undecided": 1200}}, "1,200 renders to decide about"),
        ("awaiting_review", {"renders": {"held_by_rule": 3}}, "3 renders to decide about"),
        ("stopped", {"halted": "The disk is full."}, "stopped: read why, then resume it"),
        ("running", {"renders": {"held": 2}}, "2 pictures held for you"),
        ("failed", {"renders": {"failed": 3}}, "3 renders failed"),
        ("running", {"budget_s": 100.0, "device_s": 91.0}, "91 % of its budget is spent"),
        ("running", {"budget_money": 40.0, "money": 39.0}, "98 % of its budget is spent"),
        ("running", {"deadline": NOW + 600}, "due in 10 min"),
        (
            "running",
            {"deadline": NOW + 7_200, "eta": NOW + 9_000},
            "it will be late, probably by 30 min",
        ),
        ("running", {"deadline": NOW - 7_200}, "late by 2 h"),
    ],
)
def test_what_waits_for_a_person_comes_first(state, changes, words):
    found = standing_of(row(state, **changes), NOW)
    assert found.needs == words
    assert found.group is Group.NEEDS_YOU


@pytest.mark.parametrize(
    ("state", "changes", "group"),
    [
        ("running", {"renders": {"running": 4}}, Group.PAINTING),
        ("running", {"proofs": {"running": 4}}, Group.PAINTING),
        ("queued", {}, Group.WAITING),
        ("paused", {"renders": {"held": 4}}, Group.WAITING),
        ("done", {"budget_s": 10.0, "device_s": 10.0, "deadline": 0.0}, Group.ENDED),
        ("cancelled", {"renders": {"failed": 4}}, Group.ENDED),
        ("running", {"budget_s": 100.0, "device_s": 89.0, "deadline": NOW + 3_601}, Group.WAITING),
    ],
)
def test_the_others_are_grouped_by_what_they_do(state, changes, group):
    found = standing_of(row(state, **changes), NOW)
    assert found.needs is None
    assert found.group is group


@pytest.mark.parametrize(
    ("state", "changes", "words"),
    [
        ("running", {"standstill": "No dispatcher."}, "No dispatcher."),
        ("running", {"waits_for": "S3 is away."}, "S3 is away."),
        ("stopped", {"halted": "Its model changed."}, "Its model changed."),
        ("done", {"halted": "Long ago."}, ""),
        ("queued", {"refusal": {"sentence": "Another goes first."}}, "Another goes first."),
        ("queued", {}, "It waits for a worker."),
        ("running", {"renders": {"running": 1}}, "1 render is with workers now."),
        ("running", {"renders": {"running": 3}, "proofs": {"running": 1}}, "4 renders are with"),
        ("failed", {"renders": {"failed": 1, "held": 1}}, "1 render failed, 1 render is held."),
        ("failed", {"renders": {"failed": 0, "held": 9}}, "9 renders are held."),
        ("paused", {}, "Somebody paused it"),
        ("awaiting_review", {"renders": {"undecided": 5}}, "waits for your decisions"),
        ("awaiting_review", {"renders": {"held_by_rule": 5}}, "held by drift or a rule of its"),
    ],
)
def test_a_state_has_its_reason(state, changes, words):
    assert words in why_of(row(state, **changes))
    assert bool(why_of(row(state, **changes))) is bool(words)


def test_groups_keep_their_order_and_empty_ones_are_left_out():
    rows = [standing_of(row(state), NOW) for state in ("done", "awaiting_review", "done")]
    parts = grouped_by_need(rows)
    assert [(group, len(some)) for group, some in parts] == [
        (Group.NEEDS_YOU, 1),
        (Group.ENDED, 2),
    ]


def test_a_bar_has_the_parts_that_there_are():
    found = standing_of(row(renders={"done": 5, "failed": 2, "running": 3, "held": 0}), NOW)
    assert found.parts == [("done", 5), ("failed", 2), ("running", 3)]
    assert found.ended == 7


def test_a_search_wants_every_word_in_some_name():
    assert Wanted(text="SPRING sdxl").fits(row())
    assert Wanted(text="acme@2", state="running").fits(row())
    assert not Wanted(text="spring autumn").fits(row())
    assert not Wanted(state="done").fits(row())


def test_numbers_and_times_are_written_for_people():
    assert grouped(1234567) == "1,234,567"
    assert grouped(None) == ""
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(2_000, "entry", "entries") == "2,000 entries"
    assert [duration(s) for s in (None, 0, 0.25, 59.6, 61, 3_600, 7_500, 90_000)] == [
        "", "0 s", "0.2 s", "1 min", "1 min 1 s", "1 h", "2 h 5 min", "1 d 1 h",
    ]  # fmt: skip
    assert duration(float("inf")) == ""
    assert [percent(*p) for p in ((0, 0), (1, 10_000), (9_999, 10_000), (5, 5))] == [
        "0 %", "1 %", "99 %", "100 %",
    ]  # fmt: skip
    assert state_word("awaiting_review") == "Awaiting review"
    assert state_word("out_of_memory") == "Out of memory"


def test_a_pace_has_a_rate_and_a_range():
    found = pace_of(
        row(eta=NOW + 731, eta_low=NOW + 101, eta_high=NOW + 14_500, renders_per_s=0.2), NOW
    )
    assert (found.rate, found.done_in, found.between) == (
        "12 a minute", "done in 12 min", "1 min 41 s to 4 h",
    )  # fmt: skip
    unknown = pace_of(row(), NOW)
    assert (unknown.rate, unknown.done_in, unknown.between) == ("", "", "")
    over = pace_of(row(eta=NOW - 5, eta_low=NOW - 9, eta_high=NOW - 1), NOW)
    assert over.done_in == "done in 1 s"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "1 min 30 s"),
        ({"budget_s": 3600.0}, "1 min 30 s of 1 h"),
        ({"money": 0.25}, "0.25 · 1 min 30 s"),
        ({"money": 1234.5, "budget_money": 2000.0}, "1,234.50 of 2,000.00 · 1 min 30 s"),
    ],
)
def test_costs_are_told_beside_their_budget(changes, words):
    assert cost_words(row(device_s=90.0, **changes)) == words


def test_rates_and_sizes_have_a_unit_in_which_they_are_read():
    rates = [rate_words(rate) for rate in (None, 0, 25, 1.5, 0.05, 0.001, 0.0001)]
    assert rates == [
        "", "", "25 a second", "1.5 a second", "3.0 a minute", "3.6 an hour", "0.4 an hour",
    ]  # fmt: skip
    sizes = [size(count) for count in (0, 999, 1500, 2_500_000, 150e9, 3e15)]
    assert sizes == ["0 bytes", "999 bytes", "1.5 kB", "2.5 MB", "150 GB", "3000 TB"]
