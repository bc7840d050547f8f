"""What a decision means for each chosen render, and what is counted of many decisions, beside slow
and obvious ways of saying the same.
"""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from farm.campaign.expansion import Expansion
from farm.campaign.redos import redos_of
from farm.campaign.seeds import derived_seed
from farm.campaign.selection import all_numbers
from farm.service.review_rules import Candidates, Choice, Picked, chosen, sentences
from farm.service.review_tally import tally
from storage.states import RejectReason, Verdict
from storage.verdicts import CODES, Verdicts, fold, last_about, pack
from tests.campaigns import MODEL, campaign, expansion
from tests.unit.test_verdicts import entry, logs

SIZE = 12
APPROVED, REJECTED = Verdict.APPROVED, Verdict.REJECTED
REASONS = list(RejectReason)


def row(released=None):
    """Of a campaign, what sentences name."""
    return SimpleNamespace(name="spring", released=released)


def verdicts(codes, reasons=None):
    array = np.array(codes, np.int8)
    return Verdicts(
        array, array == CODES[APPROVED], np.array(reasons or [0] * len(codes), np.int8)
    )


def numbers(some):
    return np.array(sorted(some), np.int64)


some_numbers = st.sets(st.integers(0, SIZE - 1))


@st.composite
def cases(draw):
    meant = draw(some_numbers)
    return (
        Candidates(
            numbers=numbers(meant),
            are_named=draw(st.booleans()),
            unready=numbers({n for n in draw(some_numbers) if n in meant}),
            held=numbers(draw(some_numbers)),
        ),
        verdicts(draw(st.lists(st.sampled_from([0, 1, 2]), min_size=SIZE, max_size=SIZE))),
        draw(st.sampled_from(Verdict)),
    )


def kind_of(number, candidates, before, verdict):
    """What becomes of one render, said one after the other."""
    if number in candidates.unready:
        return "unready"
    if number in candidates.held:
        return "changed"
    if before.of(number) is verdict:
        return "known"
    if before.of(number) is None or candidates.are_named:
        return "changed"
    return "decided"


@given(cases())
def test_each_candidate_is_of_one_kind(case):
    candidates, before, verdict = case
    picked = chosen(candidates, before, verdict)
    kinds = {n: kind_of(n, *case) for n in candidates.numbers.tolist()}
    for kind in Picked.__dataclass_fields__:
        expected = [number for number, is_kind in kinds.items() if is_kind == kind]
        assert getattr(picked, kind).tolist() == expected, kind


@given(cases())
def test_nothing_stays_as_it_is_without_a_sentence(case):
    candidates, before, verdict = case
    picked = chosen(candidates, before, verdict)
    said = sentences(picked, row(), verdict)
    staying = sum(len(kind) > 0 for kind in (picked.known, picked.unready, picked.decided))
    assert len(said) == (staying or not len(picked.changed))
    assert all(sentence.endswith(".") for sentence in said)


def picked(**some):
    kinds = dict.fromkeys(Picked.__dataclass_fields__, ())
    return Picked(**{kind: numbers(found) for kind, found in {**kinds, **some}.items()})


@pytest.mark.parametrize(
    ("some", "released", "told"),
    [
        ({"known": [4]}, None, "Render 4 is approved already."),
        ({"known": [4, 5]}, None, "2 renders are approved already."),
        ({"unready": [3]}, None, "Render 3 has no picture yet: decide once it is painted."),
        ({"unready": [3]}, 0, "Render 3 has no proof yet: decide once it is painted."),
        ({"unready": range(2000)}, 0, "2,000 renders have no proof yet"),
        ({"decided": [9]}, None, "Render 9 is rejected and stays so: name numbers"),
        ({"decided": [1, 9]}, None, "2 renders are rejected and stay so: name numbers"),
        ({}, None, "No render of spring is chosen."),
    ],
)
def test_the_sentences_count_and_name(some, released, told):
    (sentence,) = sentences(picked(**some), row(released=released), APPROVED)
    assert sentence.startswith(told)


def test_nothing_is_said_about_what_changes():
    assert sentences(picked(changed=[1]), row(), REJECTED) == []


def test_a_choice_of_nothing_means_all_that_are_undecided():
    assert Choice() == Choice(
        numbers=None, shot=None, seed=None, where=(), drift_below=None, rule=None
    )


# --- one render's last decision ---


@given(logs(), st.integers(0, SIZE - 1))
def test_the_last_decision_about_a_render_is_the_one_that_counts(log, number):
    last, verdict = last_about(log, number), fold(log, SIZE).of(number)
    assert (last and last.verdict) == verdict
    if last is not None:
        assert number in last.numbers


@given(logs())
def test_an_entry_about_none_changes_nothing(log):
    more = [*log, entry(99, APPROVED, ())]
    assert (fold(more, SIZE).codes == fold(log, SIZE).codes).all()


@given(logs())
def test_counts_are_those_of_the_verdicts(log):
    found = fold(log, SIZE)
    each = Counter(found.of(number) for number in range(SIZE))
    assert (found.approved, found.rejected) == (each[APPROVED], each[REJECTED])
    for verdict in Verdict:
        assert [found.of(n) for n in found.numbers(verdict)] == [verdict] * each[verdict]
    assert found.of(SIZE + 5) is None


def test_what_was_approved_once_is_known_even_if_it_was_taken_back():
    log = [entry(0, APPROVED, [2]), entry(1, undoes=0), entry(2, REJECTED, [3])]
    assert np.flatnonzero(fold(log, SIZE).were_approved).tolist() == [2]


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_equal_numbers_have_equal_bytes(count):
    assert pack(np.arange(count)) == pack(numbers(range(count)))


# --- counts by reason and by value ---

PLAN = expansion()  # 3 products, 2 colours, 3 seeds


@st.composite
def many_verdicts(draw):
    codes = draw(st.lists(st.sampled_from([0, 1, 2, 2]), min_size=18, max_size=18))
    reasons = draw(
        st.lists(st.integers(0, len(REASONS)), min_size=len(codes), max_size=len(codes))
    )
    is_rejected = [code == CODES[REJECTED] for code in codes]
    return verdicts(codes, [r * w for r, w in zip(reasons, is_rejected, strict=True)])


@given(many_verdicts())
@effort(max_examples=60)
def test_rejects_are_counted_one_by_one(found):
    told = tally(PLAN, found)
    reasons, by_value = Counter(), Counter()
    for number in all_numbers(PLAN).tolist():
        verdict = found.of(number)
        place = int(found.reasons[number])
        if verdict is REJECTED and place:
            reasons[REASONS[place - 1].value] += 1
        for axis, value in PLAN.render(number)[1].shot.coordinates.items():
            by_value[axis, value, verdict] += 1
    assert told["rejects_by_reason"] == reasons
    for axis, values in told["by_axis"].items():
        for value in values:
            assert value["rejected"] == by_value[axis, value["value"], REJECTED]
            assert value["approved"] == by_value[axis, value["value"], APPROVED]
        shown = sum(value["rejected"] for value in values)
        assert shown == found.rejected
        order = [value["rejected"] for value in values]
        assert order == sorted(order, reverse=True)


@given(many_verdicts())
@effort(max_examples=60)
def test_a_value_is_notable_if_it_has_half_of_the_rejects_and_more_than_its_share(found):
    for sentence in tally(PLAN, found)["notable"]:
        share, _, value = sentence.removesuffix(".").partition(" of the rejects are ")
        axis, _, label = value.partition("=")
        rejected = [
            PLAN.render(n)[1].shot.coordinates[axis] == label for n in found.numbers(REJECTED)
        ]
        assert f"{np.mean(rejected):.0%}" == share
        assert np.mean(rejected) >= 0.5
    if found.rejected < 2:
        assert tally(PLAN, found)["notable"] == []


def test_an_axis_of_one_value_is_never_notable():
    plan = expansion(vary={"product": ["mug"], "color": ["red", "blue"]})
    told = tally(plan, verdicts([2] * 3 + [1] * 3))
    assert list(told["by_axis"]) == ["color"]
    assert told["notable"] == ["100% of the rejects are color=red."]


# --- redos ---


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=5),
    st.sampled_from([{"next_seed": True}, {"seed": 5}, {"prompt": "a lamp"}]),
)
def test_redos_are_numbered_on_and_count_the_versions_of_their_cell(asked, change):
    plan = expansion(seeds={"count": 1})
    seen, last = Counter(), plan.size - 1
    redone = []
    for number in asked:  # one request after the other, each by the plan of the one before
        (redo,) = redos_of(plan, [number], **change)
        last, seen[number] = last + 1, seen[number] + 1
        assert (redo.number, redo.of, redo.version) == (last, number, seen[number] + 1)
        redone.append(redo)
        plan = Expansion(plan.campaign, plan.model, redos=redone)
    assert redos_of(expansion(seeds={"count": 1}), asked, **change) == redone
    seeds = {(redo.of, redo.seed) for redo in redone}
    assert len(seeds) == (len(redone) if "next_seed" in change else len(set(asked)))


def test_a_redo_of_a_redo_counts_on_from_the_cell_and_not_from_the_redo():
    plan = expansion(seeds={"count": 2})
    first = redos_of(plan, [3], next_seed=True)
    plan = Expansion(plan.campaign, plan.model, redos=first)
    (second,) = redos_of(plan, [first[0].number], next_seed=True)
    assert (second.of, second.version) == (3, 3)
    assert second.seed != first[0].seed
    assert redos_of(plan, [3], next_seed=True)[0].seed == second.seed


def test_the_next_seed_of_a_listed_one_is_derived_from_it():
    plan = Expansion(campaign(seeds=[11, 12]), MODEL)
    (redo,) = redos_of(plan, [1], next_seed=True)
    assert redo.seed == derived_seed(12, 1, {})
    assert redos_of(plan, [0], next_seed=True)[0].seed != redo.seed


def test_a_seed_and_a_prompt_change_together():
    (redo,) = redos_of(expansion(), [2], seed=9, prompt="a tall mug")
    assert (redo.seed, redo.prompt) == (9, "a tall mug")
    (redo,) = redos_of(expansion(), [2], prompt="")
    assert redo.prompt == ""
