"""Decisions in the job database: idempotent, exact in what they queue, and safe beside claims."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

from storage.errors import NotFound
from storage.redoing import Redos
from storage.reviews import NewDecision, Outcome, Reviews
from storage.rows import NewChunk
from storage.states import CampaignState, Reason, RenderState, Verdict
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

TOTAL = 12
APPROVED, REJECTED = Verdict.APPROVED, Verdict.REJECTED


@pytest.fixture
def reviews(engine):
    return Reviews(engine)


@pytest.fixture
def proofed(campaigns):
    """A campaign with six proofs, painted by nobody yet."""
    new = new_campaign(total=TOTAL, released=0)
    return campaigns.add(new, (), (new_campaign(total=6), new_chunks()))


@pytest.fixture
def decide(reviews, proofed):
    counted = iter(range(1000))

    def run(verdict, numbers, *, sequence=None, undoes=None, redo=None):
        chosen = np.array(sorted(numbers), np.int64)
        new = NewDecision(
            client="c",
            sequence=next(counted) if sequence is None else sequence,
            verdict=verdict,
            undoes=undoes,
            chosen_by={},
        )
        outcome = Outcome(chosen, {"changed": len(chosen)})
        return reviews.decide(
            proofed.id, new, TOTAL + 5, lambda _before, _log: outcome, Plan(), redo
        )

    return run


def paint(queue, settling, session, campaign, worker="w"):
    chunk = claim_one(queue, session, campaign, worker)
    assert settling.settle(session, [settlement(chunk, outcomes(chunk))])
    return numbers_of(chunk)


def waiting(engine, campaign):
    """The renders in chunks that wait."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT numbers FROM chunks WHERE campaign_id = :c AND state = 'queued'"),
            {"c": campaign.id},
        ).scalars()
        return sorted(number for row in rows for number in json.loads(row))


def test_proofs_are_painted_first_and_then_a_person_is_waited_for(
    campaigns, queue, settling, session, proofed
):
    assert [c.name for c in queue.snapshot(session).campaigns if c.waiting] == ["spring+proofs"]
    assert [c.name for c in campaigns.all()] == ["spring"]
    proofs = campaigns.proofs_of(proofed)
    for k in range(3):
        row = campaigns.by_id(proofed.id)
        assert (row.state, row.proofs.left) == (
            CampaignState.RUNNING if k else CampaignState.QUEUED,
            6 - 2 * k,
        )
        paint(queue, settling, session, proofs)
    row = campaigns.by_id(proofed.id)
    assert (row.state, row.undecided, row.queued) == (CampaignState.AWAITING_REVIEW, TOTAL, 0)
    assert not [c for c in queue.snapshot(session).campaigns if c.waiting]


def test_what_is_approved_is_queued_and_what_is_rejected_is_not(
    engine, campaigns, queue, settling, session, proofed, decide
):
    assert decide(APPROVED, [0, 1, 2, 3, 4])["queued"] == 5
    decide(REJECTED, [5, 6])
    row = campaigns.by_id(proofed.id)
    assert (row.released, row.rejected, row.undecided, row.queued) == (5, 2, 5, 5)
    assert paint(queue, settling, session, proofed) == (0, 1, 2, 3)
    decide(APPROVED, [7])
    decide(REJECTED, [8, 9, 10, 11])
    while waiting(engine, proofed):
        paint(queue, settling, session, proofed)
    row = campaigns.by_id(proofed.id)
    assert (row.done, row.rejected, row.state) == (6, 6, CampaignState.DONE)
    assert row.finished_at is not None


def test_the_same_decision_sent_again_gets_the_same_answer_and_changes_nothing(
    engine, reviews, proofed, decide
):
    first = decide(APPROVED, [0, 1], sequence=7)
    assert decide(REJECTED, [4], sequence=7) == first
    assert waiting(engine, proofed) == [0, 1]
    assert len(reviews.log(proofed.id)) == 1


def test_a_decision_about_nothing_is_not_written_down(reviews, proofed, decide):
    assert decide(APPROVED, []) == {"changed": 0}
    assert reviews.log(proofed.id) == []


def test_what_no_worker_has_is_taken_out_of_the_queue_again(
    engine, campaigns, queue, settling, session, proofed, decide
):
    decide(APPROVED, range(8))  # two chunks of four
    chunk = claim_one(queue, session, proofed)
    answer = decide(REJECTED, [0, 1, 5, 6])
    assert (answer["withdrawn"], answer["painted_all_the_same"]) == (2, 2)
    assert waiting(engine, proofed) == [4, 7]
    row = campaigns.by_id(proofed.id)
    assert (row.released, row.rejected, row.running) == (6, 2, 4)
    settling.settle(session, [settlement(chunk, outcomes(chunk))])
    # 0 was painted all the same; 5 is queued again.
    answer = decide(APPROVED, [0, 5])
    assert answer["queued"] == 1
    assert waiting(engine, proofed) == [4, 5, 7]
    row = campaigns.by_id(proofed.id)
    assert (row.released, row.rejected, row.done) == (7, 1, 4)


def test_undoing_gives_back_the_verdict_that_was(engine, reviews, campaigns, proofed, decide):
    decide(REJECTED, [0, 1, 2])
    entry = decide(APPROVED, [1, 2, 3])["entry"]
    decide(None, [1, 2, 3], undoes=entry)
    assert waiting(engine, proofed) == []
    verdicts = fold(reviews.log(proofed.id), TOTAL)
    assert [verdicts.of(n) for n in range(4)] == [REJECTED, REJECTED, REJECTED, None]
    row = campaigns.by_id(proofed.id)
    assert (row.released, row.rejected) == (0, 3)


def test_rejecting_everything_ends_a_campaign_and_undoing_opens_it_again(
    campaigns, proofed, decide
):
    entry = decide(REJECTED, range(TOTAL))["entry"]
    row = campaigns.by_id(proofed.id)
    assert (row.state, row.finished_at is not None) == (CampaignState.DONE, True)
    decide(None, range(TOTAL), undoes=entry)
    row = campaigns.by_id(proofed.id)
    assert (row.undecided, row.finished_at) == (TOTAL, None)


def test_random_decisions_and_claims_leave_counts_that_agree_with_the_rows(
    engine, reviews, campaigns, queue, settling, session, proofed, decide, seeded
):
    """After every step: what is released is approved, or a worker has or had it."""
    for _ in range(30):
        what = seeded.choice(["approve", "reject", "undo", "claim", "settle", "lose"])
        some = seeded.sample(range(TOTAL), seeded.randint(1, 5))
        log = [entry for entry in reviews.log(proofed.id) if entry.verdict]
        leases = [c for c in queue.leases(session) if c.campaign_id == proofed.id]
        if what in ("approve", "reject"):
            decide(APPROVED if what == "approve" else REJECTED, some)
        elif what == "undo" and log:
            entry = seeded.choice(log)
            decide(None, entry.numbers.tolist(), undoes=entry.id)
        elif what == "claim":
            queue.claim(session, [(proofed.id, "w")])
        elif what == "settle" and leases:
            settling.settle(session, [settlement(leases[0], _painted(leases[0], seeded))])
        elif what == "lose" and leases:
            settling.settle(session, [settlement(leases[0], outcome="worker_lost")])
        _check(engine, campaigns.by_id(proofed.id), fold(reviews.log(proofed.id), TOTAL), queue)


def _painted(chunk, seeded):
    """Outcomes of which some are held by a rule, a few of those without a picture."""
    kinds = [
        {},
        {},
        {"state": RenderState.HELD, "reason": Reason.BRAND},
        {"state": RenderState.HELD, "reason": Reason.DRIFT_STOPPED, "key": None},
    ]
    return tuple(replace(outcome, **seeded.choice(kinds)) for outcome in outcomes(chunk))


def _check(engine, row, verdicts, queue):
    with engine.connect() as connection:
        states = dict(
            connection.execute(
                text("SELECT number, state FROM renders WHERE campaign_id = :c"), {"c": row.id}
            ).all()
        )
    ended = {number for number, state in states.items() if state != "rejected"}
    with engine.connect() as connection:
        chunks = connection.execute(
            text(
                "SELECT state, numbers FROM chunks WHERE campaign_id = :c"
                " AND state IN ('queued', 'leased')"
            ),
            {"c": row.id},
        ).all()
    in_chunks = [number for chunk in chunks for number in json.loads(chunk.numbers)]
    assert len(in_chunks) == len(set(in_chunks)), "a render is in two chunks"
    released = ended | set(in_chunks)
    assert ended.isdisjoint(in_chunks)
    approved = set(verdicts.numbers(APPROVED).tolist())
    assert approved <= released
    assert row.released == len(released)
    assert row.rejected == len(set(verdicts.numbers(REJECTED).tolist()) - released)
    assert row.left == len(in_chunks)
    for state in ("done", "held"):
        assert getattr(row, state) == list(states.values()).count(state), state
    assert row.held_by_rule == row.held, "a rule holds all that is held here"
    for number, state in states.items():
        if state == "rejected":
            assert verdicts.of(number) is REJECTED


@pytest.fixture(params=range(6))
def seeded(request):
    import random

    return random.Random(request.param)


def test_device_time_of_proofs_is_spent_of_the_campaigns_budget(
    campaigns, queue, settling, session, proofed, decide
):
    proofs = campaigns.proofs_of(proofed)
    chunk = claim_one(queue, session, proofs)
    settling.settle(session, [replace(settlement(chunk, outcomes(chunk)), device_s=5.0)])
    decide(APPROVED, [0])
    chunk = claim_one(queue, session, proofed)
    settling.settle(session, [replace(settlement(chunk, outcomes(chunk)), device_s=2.0)])
    assert campaigns.by_id(proofed.id).device_s == campaigns.by_id(proofs.id).device_s == 7.0


def test_finals_are_of_the_class_that_painted_the_proofs(
    campaigns, queue, session, proofed, decide
):
    proofs = campaigns.proofs_of(proofed)
    queue.claim(session, [(proofs.id, "w")], {"w": "cpu"})
    decide(APPROVED, [0])
    assert campaigns.by_id(proofed.id).numerics_class == "cpu"
    assert queue.claim(session, [(proofed.id, "v")], {"v": "other"}) == []


def test_pausing_stopping_and_cancelling_concern_the_proofs_too(
    campaigns, queue, control, session, proofed
):
    control.pause(proofed.id)
    assert queue.snapshot(session).campaigns == ()
    control.resume(proofed.id)
    campaigns.halt(campaigns.proofs_of(proofed).id, "No model.")
    assert campaigns.by_id(proofed.id).state is CampaignState.HALTED
    control.resume(proofed.id)
    control.cancel(proofed.id)
    row = campaigns.by_id(proofed.id)
    assert (row.state, row.cancelled, row.undecided) == (CampaignState.CANCELLED, TOTAL, 0)
    assert campaigns.proofs_of(proofed).state is CampaignState.CANCELLED


def test_redos_are_added_to_the_proofs_or_to_the_finals(
    engine, campaigns, queue, settling, session, proofed, decide
):
    def make(are_proofs):
        def of(spec, numbers):
            more = [TOTAL + k for k in range(len(numbers))]
            chunk = NewChunk(group_no=0, numbers=tuple(more), total=len(more))
            return Redos(
                numbers=more,
                are_proofs=are_proofs,
                spec={**spec, "redos": more},
                proofs_spec={"proofs": True, "redos": more},
                chunks=[chunk],
            )

        return of

    answer = decide(REJECTED, [0, 1], redo=make(True))
    assert answer["redone"] == [TOTAL, TOTAL + 1]
    row, proofs = campaigns.by_id(proofed.id), campaigns.proofs_of(proofed)
    assert (row.total, row.rejected, row.undecided) == (TOTAL + 2, 2, TOTAL)
    assert (proofs.total, row.spec["redos"], proofs.spec["redos"]) == (8, [12, 13], [12, 13])
    assert waiting_numbers(engine, proofs)[-2:] == [12, 13]
    decide(None, [3], redo=make(False))
    row = campaigns.by_id(proofed.id)
    assert (row.total, row.released, row.queued) == (TOTAL + 3, 1, 1)


def waiting_numbers(engine, campaign):
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT start, stop, numbers FROM chunks"
                " WHERE campaign_id = :c AND state = 'queued' ORDER BY id"
            ),
            {"c": campaign.id},
        )
        return [
            number
            for row in rows
            for number in (json.loads(row.numbers) if row.numbers else range(row.start, row.stop))
        ]


def test_another_version_and_forgetting_take_proofs_and_decisions_with_them(
    engine, campaigns, control, removal_of, proofed, decide
):
    decide(APPROVED, [0])
    new = new_campaign(total=TOTAL, released=0, fingerprint="g")
    assert control.replace(proofed.id, new, [], (), (new_campaign(total=6), new_chunks()))
    present = campaigns.get("p", "spring")
    assert (present.version, present.released, present.proofs.total) == (2, 0, 6)
    control.cancel(present.id)
    removal_of(present.id)
    with engine.connect() as connection:
        for table in ("campaigns", "reviews", "chunks"):
            left = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            assert left == 0, table


@pytest.fixture
def removal_of(engine):
    from storage.removal import Removal

    def run(campaign_id):
        removal = Removal(engine)
        assert removal.forget(campaign_id)
        removal.let_old_versions_go(None, removal.moment(-10))
        removal.sweep()

    return run


def test_a_render_that_failed_as_a_proof_can_be_decided_about(
    campaigns, queue, settling, session, proofed, decide
):
    proofs = campaigns.proofs_of(proofed)
    chunk = claim_one(queue, session, proofs)
    settling.settle(session, [settlement(chunk, outcomes(chunk, RenderState.FAILED))])
    assert campaigns.by_id(proofed.id).proofs.failed == 2
    assert decide(APPROVED, [0])["queued"] == 1


@pytest.fixture
def held(campaigns, queue, settling, session):
    """A campaign without proofs of which a rule holds four renders, two without a picture."""
    row = campaigns.add(new_campaign(total=6), new_chunks(1, 6))
    chunk = claim_one(queue, session, row)
    reasons = [Reason.BRAND, Reason.DRIFT, Reason.DRIFT_STOPPED, Reason.DRIFT_STOPPED]
    painted = [
        replace(
            outcome,
            state=RenderState.HELD,
            reason=reason,
            key=None if reason is Reason.DRIFT_STOPPED else outcome.key,
        )
        for outcome, reason in zip(outcomes(chunk), reasons, strict=False)
    ]
    rest = outcomes(chunk)[4:]
    assert settling.settle(session, [settlement(chunk, (*painted, *rest))])
    return campaigns.by_id(row.id)


@pytest.fixture
def judge(reviews, held):
    counted = iter(range(1000))

    def run(verdict, numbers, undoes=None):
        new = NewDecision(
            client="c", sequence=next(counted), verdict=verdict, undoes=undoes, chosen_by={}
        )
        outcome = Outcome(np.array(numbers, np.int64), {})
        return reviews.decide(held.id, new, 6, lambda _before, _log: outcome, Plan())

    return run


def test_a_held_picture_that_a_person_lets_through_is_done(campaigns, held, judge):
    assert (held.done, held.held, held.held_by_rule) == (2, 4, 4)
    assert (held.state, held.is_over) == (CampaignState.AWAITING_REVIEW, True)
    assert judge(APPROVED, [0, 1])["let_through"] == 2
    row = campaigns.by_id(held.id)
    assert (row.done, row.held) == (4, 2)
    assert campaigns.outcome(held.id, 0)[0].state is RenderState.DONE


def test_a_held_picture_that_a_person_does_not_want_is_rejected(campaigns, held, judge):
    entry = judge(REJECTED, [0, 1, 2, 3])["entry"]
    row = campaigns.by_id(held.id)
    assert (row.done, row.held, row.rejected, row.state) == (2, 0, 4, CampaignState.DONE)
    judge(None, [0, 1, 2, 3], undoes=entry)
    row = campaigns.by_id(held.id)
    assert (row.held, row.rejected, row.state) == (4, 0, CampaignState.AWAITING_REVIEW)


def test_a_render_that_was_stopped_is_painted_once_a_person_lets_it_through(
    engine, campaigns, queue, settling, session, held, judge
):
    assert judge(APPROVED, [2])["painted_on"] == 1
    row = campaigns.by_id(held.id)
    assert (row.held, row.queued, row.finished_at, row.spec["passed"]) == (3, 1, None, [2])
    paint(queue, settling, session, held)
    judge(REJECTED, [0, 1, 3])
    row = campaigns.by_id(held.id)
    assert (row.done, row.rejected, row.state) == (3, 3, CampaignState.DONE)


def test_what_no_rule_holds_is_left_alone(campaigns, held, judge):
    judge(REJECTED, [4, 5])
    row = campaigns.by_id(held.id)
    assert (row.done, row.held, row.rejected) == (2, 4, 0)


def test_renders_are_found_by_what_was_measured_of_them(
    reviews, queue, settling, campaigns, session
):
    row = campaigns.add(new_campaign(total=4), new_chunks(1, 4))
    chunk = claim_one(queue, session, row)
    found = [
        {"drift": 0.1, "rules_tested": 2},
        {"drift": 0.4, "rules_tested": 2, "rules_failed": ("border@1", "clipped@1")},
        {"rules_tested": 2, "rules_failed": ("clipped@1",)},
        {"drift": 0.2},
    ]
    painted = [replace(o, **more) for o, more in zip(outcomes(chunk), found, strict=True)]
    settling.settle(session, [settlement(chunk, tuple(painted))])
    measured = reviews.measured
    assert measured(row.id, drift_below=0.2).tolist() == [0]
    assert measured(row.id, drift_below=0.3).tolist() == [0, 3]
    assert measured(row.id, rule="border").tolist() == [1]
    assert measured(row.id, rule="clipped@1").tolist() == [1, 2]
    assert measured(row.id, rule="clip").tolist() == []
    assert measured(row.id).tolist() == [0]


def test_a_decision_about_renders_that_others_have_added_since_counts(reviews, proofed, decide):
    """A reviewer who read the campaign before a redo decides after it."""
    decide(REJECTED, [TOTAL + 4])
    new = NewDecision(client="d", sequence=0, verdict=APPROVED, chosen_by={})
    outcome = Outcome(np.array([1], np.int64), {})
    reviews.decide(proofed.id, new, TOTAL, lambda _before, _log: outcome, Plan())
    assert fold(reviews.log(proofed.id), TOTAL + 5).of(TOTAL + 4) is REJECTED


def test_nothing_is_decided_about_a_version_that_was_replaced_meanwhile(
    engine, control, proofed, decide
):
    new = new_campaign(total=TOTAL, released=0, fingerprint="g")
    assert control.replace(proofed.id, new, [], (), (new_campaign(total=6), new_chunks()))
    with pytest.raises(NotFound, match="not there any more"):
        decide(APPROVED, [0])
    assert waiting(engine, proofed) == []
