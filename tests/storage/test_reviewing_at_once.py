"""Two people decide at the same time, and a request is sent twice: nothing is lost, nothing is
queued twice, and the same request counts once.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import numpy as np
import pytest
from sqlalchemy import text

from storage.redoing import Redos
from storage.reviews import NewDecision, Outcome, Reviews
from storage.rows import NewChunk
from storage.states import Reason, RenderState, Verdict
from storage.verdicts import fold
from tests.storage.conftest import (
    Plan,
    claim_one,
    new_campaign,
    new_chunks,
    numbers_of,
    outcomes,
    settlement,
)

TOTAL = 40
APPROVED, REJECTED = Verdict.APPROVED, Verdict.REJECTED


@pytest.fixture
def proofed(campaigns):
    new = new_campaign(total=TOTAL, released=0)
    return campaigns.add(new, (), (new_campaign(total=6), new_chunks()))


@pytest.fixture
def decide(engine):
    """Decides as somebody: about renders that are named, or all of them that are undecided."""
    reviews = Reviews(engine)

    def run(campaign, verdict, numbers, *, client, sequence, undecided_only=False, **more):
        def choose(before, _log):
            left = [n for n in numbers if not undecided_only or before.of(n) is None]
            chosen = np.array(sorted(left), np.int64)
            return Outcome(chosen, {"changed": len(chosen)})

        new = NewDecision(
            client=client, sequence=sequence, verdict=verdict, chosen_by={}, **more.pop("of", {})
        )
        return reviews.decide(campaign.id, new, TOTAL, choose, Plan(), more.get("redo"))

    return run


def at_once(*calls):
    """Do all of these at the same moment, each in a thread of its own; what they return."""
    barrier = Barrier(len(calls))

    def run(call):
        barrier.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def in_chunks(engine, campaign):
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT numbers FROM chunks WHERE campaign_id = :c"
                " AND state IN ('queued', 'leased')"
            ),
            {"c": campaign.id},
        ).scalars()
        return sorted(number for row in rows for number in json.loads(row))


def test_two_reviewers_who_share_some_renders_queue_each_once(engine, campaigns, proofed, decide):
    def reviewer(name, numbers):
        return lambda: [
            decide(proofed, APPROVED, [number, number + 1], client=name, sequence=number)
            for number in numbers
        ]

    at_once(reviewer("ann", range(20)), reviewer("bob", range(10, 30)))
    assert in_chunks(engine, proofed) == list(range(31))
    row, log = campaigns.by_id(proofed.id), Reviews(engine).log(proofed.id)
    assert (row.released, row.rejected, row.undecided) == (31, 0, TOTAL - 31)
    assert len(log) == 40
    assert fold(log, TOTAL).approved == 31


def test_the_same_request_from_two_threads_counts_once(engine, campaigns, proofed, decide):
    def send():
        return decide(proofed, APPROVED, range(8), client="ann", sequence=1)

    answers = at_once(send, send, send, send)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["queued"] == 8
    assert len(Reviews(engine).log(proofed.id)) == 1
    assert in_chunks(engine, proofed) == list(range(8))
    assert campaigns.by_id(proofed.id).released == 8


def test_the_same_number_of_two_clients_are_two_requests(engine, proofed, decide):
    at_once(
        lambda: decide(proofed, APPROVED, [1], client="ann", sequence=1),
        lambda: decide(proofed, APPROVED, [2], client="bob", sequence=1),
    )
    assert in_chunks(engine, proofed) == [1, 2]


def test_one_approves_what_another_rejects_and_the_later_one_counts(
    engine, campaigns, proofed, decide
):
    both = range(12)
    at_once(
        lambda: [decide(proofed, APPROVED, both, client="ann", sequence=k) for k in range(6)],
        lambda: [decide(proofed, REJECTED, both, client="bob", sequence=k) for k in range(6)],
    )
    log = Reviews(engine).log(proofed.id)
    verdicts, row = fold(log, TOTAL), campaigns.by_id(proofed.id)
    assert len(log) == 12
    assert {verdicts.of(number) for number in both} == {log[-1].verdict}
    expected = list(both) if log[-1].verdict is APPROVED else []
    assert in_chunks(engine, proofed) == expected
    assert (row.released, row.rejected) == (len(expected), 12 - len(expected))


def test_all_undecided_ones_are_shared_out_between_two_decisions_in_bulk(
    engine, campaigns, proofed, decide
):
    def in_bulk(verdict, client):
        return lambda: decide(
            proofed, verdict, range(TOTAL), client=client, sequence=0, undecided_only=True
        )

    answers = at_once(in_bulk(APPROVED, "ann"), in_bulk(REJECTED, "bob"))
    assert sorted(answer["changed"] for answer in answers) == [0, TOTAL]
    assert len(Reviews(engine).log(proofed.id)) == 1
    row = campaigns.by_id(proofed.id)
    assert row.undecided == 0
    assert row.released + row.rejected == TOTAL


def test_workers_claim_while_people_decide(
    engine, campaigns, queue, settling, session, proofed, decide
):
    """A final is painted once, whatever was decided while its chunk was on the way."""
    painted = []

    def worker():
        for _ in range(60):
            for chunk in queue.claim(session, [(proofed.id, "w")]):
                painted.extend(numbers_of(chunk))
                assert settling.settle(session, [settlement(chunk, outcomes(chunk))])

    def person():
        for k in range(20):
            some = [2 * k, 2 * k + 1]
            decide(proofed, APPROVED, some, client="ann", sequence=2 * k)
            decide(proofed, REJECTED, some[:1], client="ann", sequence=2 * k + 1)

    at_once(worker, person)
    worker()
    assert len(painted) == len(set(painted))
    approved = fold(Reviews(engine).log(proofed.id), TOTAL).numbers(APPROVED).tolist()
    assert set(approved) == set(range(1, TOTAL, 2)) <= set(painted)
    row = campaigns.by_id(proofed.id)
    assert (row.done, row.left, row.released) == (len(painted), 0, len(painted))
    assert row.done + row.rejected == TOTAL


def test_redos_of_two_people_have_numbers_of_their_own(engine, campaigns, proofed, decide):
    def make(spec, numbers):
        known = spec.get("redos", [])
        more = [TOTAL + len(known) + k for k in range(len(numbers))]
        chunk = NewChunk(group_no=0, numbers=tuple(more), total=len(more))
        return Redos(
            numbers=more,
            are_proofs=False,
            spec={**spec, "redos": known + more},
            proofs_spec={**spec, "redos": known + more},
            chunks=[chunk],
        )

    def redoer(name):
        return lambda: [
            decide(proofed, None, [k], client=name, sequence=k, redo=make)["redone"]
            for k in range(8)
        ]

    ann, bob = at_once(redoer("ann"), redoer("bob"))
    added = sorted(number for redone in (*ann, *bob) for number in redone)
    assert added == list(range(TOTAL, TOTAL + 16))
    row = campaigns.by_id(proofed.id)
    assert (row.total, row.released, row.spec["redos"]) == (TOTAL + 16, 16, added)
    assert in_chunks(engine, proofed) == added


@pytest.fixture
def held(campaigns, queue, settling, session):
    """A campaign without proofs of which a rule holds all renders, the odd ones unfinished."""
    row = campaigns.add(new_campaign(total=TOTAL), new_chunks(1, TOTAL))
    chunk = claim_one(queue, session, row)
    stopped = {"reason": Reason.DRIFT_STOPPED, "key": None}
    painted = tuple(
        replace(
            outcome,
            state=RenderState.HELD,
            **(stopped if outcome.number % 2 else {"reason": Reason.BRAND}),
        )
        for outcome in outcomes(chunk)
    )
    assert settling.settle(session, [settlement(chunk, painted)])
    return campaigns.by_id(row.id)


def test_what_a_rule_holds_is_let_through_once(engine, campaigns, held, decide):
    def let_through(name):
        return lambda: [
            decide(held, APPROVED, [k, k + 1], client=name, sequence=k) for k in range(0, TOTAL, 2)
        ]

    ann, bob = at_once(let_through("ann"), let_through("bob"))
    assert sum(answer["let_through"] for answer in (*ann, *bob)) == TOTAL // 2
    assert sum(answer["painted_on"] for answer in (*ann, *bob)) == TOTAL // 2
    row = campaigns.by_id(held.id)
    assert (row.done, row.held, row.left) == (TOTAL // 2, 0, TOTAL // 2)
    assert in_chunks(engine, held) == row.spec["passed"] == list(range(1, TOTAL, 2))


def test_more_held_renders_than_one_statement_names_are_decided_at_once(
    campaigns, queue, settling, session, engine
):
    many = 1200
    row = campaigns.add(new_campaign(total=many), new_chunks(1, many))
    chunk = claim_one(queue, session, row)
    painted = [
        replace(outcome, state=RenderState.HELD, reason=Reason.BRAND)
        for outcome in outcomes(chunk)
    ]
    settling.settle(session, [settlement(chunk, tuple(painted))])
    reviews = Reviews(engine)

    def judge(sequence, verdict, numbers, undoes=None):
        new = NewDecision(
            client="c", sequence=sequence, verdict=verdict, undoes=undoes, chosen_by={}
        )
        chosen = np.array(numbers, np.int64)
        return reviews.decide(row.id, new, many, lambda _before, _log: Outcome(chosen, {}), Plan())

    assert judge(1, REJECTED, range(many))["let_through"] == 0
    after = campaigns.by_id(row.id)
    assert (after.held, after.rejected, after.finished_at is not None) == (0, many, True)
    assert judge(2, APPROVED, range(0, many, 2))["let_through"] == many // 2
    after = campaigns.by_id(row.id)
    assert (after.done, after.rejected, after.held) == (many // 2, many // 2, 0)
    assert len(reviews.ended(row.id, [RenderState.REJECTED])) == many // 2
