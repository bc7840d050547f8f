"""The log of decisions: the last one counts, and taking one back restores what was."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.states import RejectReason, Verdict
from storage.verdicts import Decision, fold, pack, step, unpack

SIZE = 12


def entry(number, verdict=None, numbers=(), undoes=None, reason=None):
    return Decision(
        id=number,
        verdict=verdict,
        undoes=undoes,
        reason=reason,
        note=None,
        reviewer=None,
        chosen_by={},
        numbers=np.array(sorted(numbers), np.int64),
        count=len(numbers),
        decided_at=0.0,
    )


@st.composite
def logs(draw):
    log = []
    for number in range(draw(st.integers(0, 8))):
        if log and draw(st.booleans()):
            log.append(entry(number, undoes=draw(st.sampled_from(log)).id))
        else:
            verdict = draw(st.sampled_from(Verdict))
            log.append(entry(number, verdict, draw(st.sets(st.integers(0, SIZE - 1), min_size=1))))
    return log


def counting(log):
    """The entries that count, found from the last to the first."""
    undone = set()
    for one in reversed(log):
        if one.undoes is not None and one.id not in undone:
            undone.add(one.undoes)
    return [one for one in log if one.id not in undone and one.verdict]


@given(logs())
def test_the_last_decision_that_counts_is_the_verdict(log):
    verdicts = fold(log, SIZE)
    for number in range(SIZE):
        about = [one.verdict for one in counting(log) if number in one.numbers]
        assert verdicts.of(number) == (about[-1] if about else None)


@given(logs(), logs())
def test_a_step_names_what_changes_and_nothing_else(before, after):
    one, two = fold(before, SIZE), fold(after, SIZE)
    change = step(one, two)
    for number in range(SIZE):
        was, is_now = one.of(number), two.of(number)
        assert (number in change.changed) == (was != is_now)
        assert (number in change.approve) == (was != is_now == Verdict.APPROVED)
        assert (number in change.withdraw) == (is_now != was == Verdict.APPROVED)


def test_taking_back_a_taking_back_makes_the_decision_count_again():
    log = [entry(0, Verdict.APPROVED, [1]), entry(1, undoes=0)]
    assert fold(log, SIZE).of(1) is None
    assert fold([*log, entry(2, undoes=1)], SIZE).of(1) is Verdict.APPROVED
    assert fold(log, SIZE).were_approved[1]


def test_a_reason_goes_with_the_rejection():
    rejected = entry(0, Verdict.REJECTED, [1, 2], reason=RejectReason.TEXTURE)
    texture = list(RejectReason).index(RejectReason.TEXTURE) + 1
    assert fold([rejected], SIZE).reasons[[1, 2, 3]].tolist() == [texture, texture, 0]
    assert fold([rejected, entry(1, Verdict.APPROVED, [1])], SIZE).reasons[1] == 0


@given(st.sets(st.integers(0, 2**52), max_size=200))
def test_numbers_come_back_from_their_bytes(numbers):
    ascending = np.array(sorted(numbers), np.int64)
    assert unpack(pack(ascending)).tolist() == ascending.tolist()


def test_a_million_numbers_in_a_row_are_small():
    assert len(pack(np.arange(1_000_000))) < 50_000
