import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recipes.jobs import ChunkResult, Facts, Failure, FailureKind
from farm.scheduling.retry import (
    MAX_BACKOFFS,
    MAX_FAILURES,
    MAX_LOSSES,
    Again,
    GiveUp,
    Halt,
    Split,
    after_failure,
    settlement_of,
)
from storage.rows import Chunk, RenderOutcome
from storage.states import Reason, RenderState
from tests.actors.test_painter import job


def chunk(**changes):
    base = dict(
        id=1,
        campaign_id=2,
        group_no=0,
        start=0,
        stop=6,
        total=6,
        lease=3,
        failures=0,
        losses=0,
        worker="w",
    )
    return Chunk(**{**base, **changes})


@pytest.mark.parametrize(
    ("kind", "so_far", "left", "verdict"),
    [
        (FailureKind.BAD_REQUEST, {}, 4, GiveUp(reason=Reason.BAD_REQUEST)),
        (FailureKind.BAD_SPEC, {}, 4, Halt()),
        (FailureKind.OUTPUTS, {"failures": 2}, 4, Halt()),
        (FailureKind.OUT_OF_MEMORY, {}, 4, Again(failures=1, losses=0, elsewhere=True)),
        (FailureKind.OUT_OF_MEMORY, {"failures": 1}, 4, GiveUp(reason=Reason.OUT_OF_MEMORY)),
        (FailureKind.PREEMPTED, {"losses": 99, "failures": 2}, 4, Again(failures=2, losses=99)),
        (FailureKind.STOPPED, {"losses": 99, "failures": 2}, 4, Again(failures=2, losses=99)),
        (FailureKind.WORKER_LOST, {"failures": 2}, 4, Again(failures=2, losses=1)),
        (FailureKind.WORKER_LOST, {"losses": 1}, 4, Split(failures=0, losses=2)),
        (
            FailureKind.WORKER_LOST,
            {"losses": MAX_LOSSES},
            4,
            Split(failures=0, losses=MAX_LOSSES + 1),
        ),
        (FailureKind.WORKER_LOST, {"losses": 1}, 1, Again(failures=0, losses=2)),
        (
            FailureKind.WORKER_LOST,
            {"losses": MAX_LOSSES - 1},
            1,
            GiveUp(reason=Reason.WORKER_LOST),
        ),
        (FailureKind.UNKNOWN, {}, 4, Again(failures=1, losses=0, elsewhere=True)),
        (FailureKind.UNKNOWN, {"failures": 1}, 4, Split(failures=2, losses=0, elsewhere=True)),
        (FailureKind.UNKNOWN, {"failures": 1}, 1, Again(failures=2, losses=0, elsewhere=True)),
        (FailureKind.UNKNOWN, {"failures": MAX_FAILURES - 1}, 1, GiveUp(reason=Reason.UNKNOWN)),
        (FailureKind.STUCK, {"failures": MAX_FAILURES - 1}, 1, GiveUp(reason=Reason.STUCK)),
    ],
)
def test_each_kind_of_failure_has_its_rule(kind, so_far, left, verdict):
    assert (
        after_failure(Failure(kind=kind, detail="x"), chunk(**so_far), left=left, backoffs=0)
        == verdict
    )


def test_every_kind_of_failure_has_a_rule():
    for kind in FailureKind:
        assert (
            after_failure(Failure(kind=kind, detail="x"), chunk(), left=4, backoffs=0) is not None
        )


def test_what_is_away_is_waited_for_longer_and_longer_and_then_a_person_is_asked():
    verdicts = [
        after_failure(
            Failure(kind=FailureKind.SHORTAGE, detail="x"), chunk(failures=2), left=4, backoffs=k
        )
        for k in range(MAX_BACKOFFS + 1)
    ]
    assert [verdict.seconds for verdict in verdicts[:-1]] == [5, 10, 20, 40, 80, 160, 300, 300]
    assert verdicts[-1] == Halt()


def outcome(number):
    return RenderOutcome(number=number, digest="d", state=RenderState.DONE, reason=Reason.PAINTED)


@given(
    st.sampled_from([None, *FailureKind]),
    st.sets(st.integers(0, 5)),
    st.sets(st.integers(0, 5)),
    st.integers(0, 3),
    st.integers(0, 6),
    st.integers(0, 1),
    st.integers(0, 9),
)
def test_no_render_of_a_chunk_is_lost_and_none_is_there_twice(
    kind, done, bad, failures, losses, bad_outputs, backoffs
):
    """Every render has an outcome, or is in a chunk that goes on, or the whole chunk goes back."""
    bad -= done
    failure = None if kind is None else Failure(kind=kind, detail="x")
    if failure is None:
        done = set(range(6)) - bad
    result = ChunkResult(
        chunk_id=1, campaign_id=2, lease=3, worker="w", outcomes=tuple(map(outcome, sorted(done))),
        bad_outputs=tuple(sorted(bad)),
        failure=failure, facts=Facts(batch_s=(1.0, 2.0), load_s=0.5),
    )  # fmt: skip
    if kind is FailureKind.BAD_SPEC:
        result = ChunkResult(chunk_id=1, campaign_id=2, lease=3, worker="w", failure=failure)
    settlement = settlement_of(
        result,
        chunk(failures=failures, losses=losses, bad_outputs=bad_outputs),
        job,
        backoffs=backoffs,
    )
    ended = [o.number for o in settlement.outcomes]
    going_on = [number for part in settlement.again for number in part.numbers]
    if ended or going_on:
        assert sorted(ended + going_on) == list(range(6))
        assert all(
            part.total == len(part.numbers) > 0 and part.lease == 3 for part in settlement.again
        )
    if kind is not FailureKind.BAD_SPEC:
        assert settlement.device_s == 3.5


def test_a_failures_text_is_one_that_a_database_takes():
    failure = Failure(kind=FailureKind.UNKNOWN, detail="in \udcff\0 the middle")
    result = ChunkResult(chunk_id=1, campaign_id=2, lease=3, worker="w", failure=failure)
    settlement_of(result, chunk(), job, backoffs=0).detail.encode()
    assert "\0" not in settlement_of(result, chunk(), job, backoffs=0).detail


def test_halves_are_of_whole_batches_where_there_is_more_than_one():
    failure = Failure(kind=FailureKind.UNKNOWN, detail="x")
    result = ChunkResult(chunk_id=1, campaign_id=2, lease=3, worker="w", failure=failure)
    parts = settlement_of(result, chunk(failures=1), job, backoffs=0).again
    assert [part.numbers for part in parts] == [(0, 1, 2, 3), (4, 5)]
    assert all(part.refused_by == {"w"} for part in parts)
