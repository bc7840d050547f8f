"""Random lives of a worker, as its dispatcher knows it: no Ray, no clock."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.fleet.worker import TRANSITIONS, AssignedChunk, Phase, Proof, Worker, moved
from actors.recipes.jobs import ChunkResult, Health
from storage.states import WorkerState


def chunk(number):
    return AssignedChunk(number, 1, 1)


def worker(phase=Phase.STARTING):
    return Worker(
        name="w",
        handle=None,
        pending_health="health",
        asked_at=0.0,
        pool="p",
        since=0.0,
        phase=phase,
    )


class Life(RuleBasedStateMachine):
    """Every chunk that a worker is assigned must leave it once, and every step must be legal."""

    @initialize(is_adopted=st.booleans(), inherited=st.integers(0, 2))
    def begin(self, is_adopted, inherited):
        self._begin(is_adopted, inherited)

    def _begin(self, is_adopted, inherited):
        self.worker = worker(Phase.ADOPTED if is_adopted else Phase.STARTING)
        self.before = self.worker.phase
        self.given, self.left = set(), []
        for _ in range(inherited if is_adopted else 0):
            self.worker.inherit(self._next())

    def _next(self):
        new = chunk(len(self.given))
        self.given.add(new.key)
        return new

    is_ready = precondition(lambda self: self.worker.is_ready)
    is_alive = precondition(lambda self: TRANSITIONS[self.worker.phase])

    @is_ready
    @rule()
    def assign(self):
        new = self._next()
        self.worker.assign(new.chunk_id, new)

    @precondition(lambda self: self.worker.is_ready and self.worker.jobs)
    @rule(is_lost=st.booleans())
    def result_comes(self, is_lost):
        ref, oldest = next(iter(self.worker.jobs.items()))
        self.worker.drop(ref) if is_lost else self.worker.returned(ref)
        self.left.append(oldest.key)

    @precondition(lambda self: self.worker.is_ready and self.worker.pending_health is None)
    @rule(now=st.floats(1, 9))
    def ask(self, now):
        self.worker.asked("health", now)

    @precondition(lambda self: self.worker.pending_health and TRANSITIONS[self.worker.phase])
    @rule(is_painting=st.booleans(), finished=st.integers(0, 2))
    def answer(self, is_painting, finished):
        mail = [
            ChunkResult(chunk_id=c.chunk_id, campaign_id=1, lease=1, worker="w")
            for c in list(self.worker.inherited.values())[:finished]
        ]
        health = Health(
            name="w", node="n", device="cpu", numerics_class="c",
            painting=is_painting, mailbox=tuple(mail),
        )  # fmt: skip
        self.worker.answered(health)
        self.left += [result.key for result in self.worker.take_mail(health)]
        is_proven = self.worker.proof is Proof.ASKED_SINCE or self.worker.idle_answers > 1
        unreceived = [c.key for c in self.worker.take_unreceived()]
        assert is_proven or not unreceived
        self.left += unreceived

    @precondition(lambda self: TRANSITIONS[self.worker.phase] and not self.worker.assigned)
    @rule()
    def retire(self):
        self.worker.retire()

    @is_alive
    @rule()
    def lose(self):
        self.left += [c.key for c in self.worker.assigned]
        self.worker.lose()

    @precondition(lambda self: not TRANSITIONS[self.worker.phase])
    @rule(is_adopted=st.booleans())
    def another(self, is_adopted):
        """Nothing can be done with one that has ended."""
        self._begin(is_adopted, 1)

    @invariant()
    def every_step_was_legal(self):
        if hasattr(self, "worker"):
            now = self.worker.phase
            reached, seen = {self.before}, set()
            while reached - seen:  # one rule may take several steps
                seen |= reached
                reached = set().union(*(TRANSITIONS[phase] for phase in seen))
            assert now in seen
            self.before = now

    @invariant()
    def the_phase_is_what_the_worker_has(self):
        if hasattr(self, "worker"):
            w = self.worker
            assert w.phase is not Phase.PAINTING or w.assigned
            assert w.phase is not Phase.IDLE or not w.assigned
            assert w.phase is not Phase.STARTING or not (w.assigned or w.health)
            assert not w.is_ready or w.health is not None

    @invariant()
    def no_chunk_is_forgotten_or_leaves_twice(self):
        if hasattr(self, "worker"):
            has = [] if self.worker.phase is Phase.LOST else [c.key for c in self.worker.assigned]
            assert sorted(self.left + has) == sorted(self.given)


TestLife = Life.TestCase


def test_every_phase_can_be_reached_and_two_are_last():
    assert set(TRANSITIONS) == set(Phase)
    first = {Phase.STARTING, Phase.ADOPTED}
    assert set().union(*TRANSITIONS.values()) | first == set(Phase)
    assert {p for p in Phase if not TRANSITIONS[p]} == {Phase.RETIRED, Phase.LOST}


@pytest.mark.parametrize("phase", Phase)
def test_no_other_step_is_possible(phase):
    for to in set(Phase) - TRANSITIONS[phase]:
        with pytest.raises(AssertionError, match=f"from {phase.name} to {to.name}"):
            moved(phase, to)


def test_a_worker_that_has_chunks_cannot_be_retired():
    adopted = worker(Phase.ADOPTED)
    adopted.answered(Health(name="w", node="n", device="cpu", numerics_class="c"))
    adopted.assign("ref", chunk(1))
    with pytest.raises(AssertionError, match="from PAINTING to RETIRED"):
        adopted.retire()


def test_one_that_has_not_answered_gets_no_chunk():
    with pytest.raises(AssertionError, match="has not answered"):
        worker().assign("ref", chunk(1))


def test_starting_may_take_any_time_and_an_adopted_one_has_a_limit():
    assert not worker(Phase.STARTING).is_overdue(9999.0, 20.0)
    assert worker(Phase.ADOPTED).is_overdue(21.0, 20.0)


def test_people_see_a_worker_that_has_not_answered_as_starting():
    for phase in (Phase.STARTING, Phase.ADOPTED):
        assert worker(phase).row().state is WorkerState.STARTING
