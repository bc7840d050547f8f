"""What can be asked of decisions and brands, beside plain lists that say the same."""

import random
from dataclasses import replace

import numpy as np
import pytest

from storage.errors import RequestError
from storage.layouts import Layouts
from storage.reviews import NewDecision, Outcome, Reviews
from storage.rows import NewChunk
from storage.states import Reason, RejectReason, RenderState, Verdict
from storage.verdicts import fold
from tests.storage.conftest import claim_one, new_campaign, new_chunks, outcomes, settlement

TOTAL = 60
RULES = ("border@1", "clipped@1", "clipped@2")


class Plan:
    def chunks(self, numbers):
        few = tuple(numbers.tolist())
        return [NewChunk(group_no=0, numbers=few, total=len(few))] if few else []

    def numbers(self, chunk):
        return list(chunk.numbers or range(chunk.start, chunk.stop))


@pytest.fixture(params=range(3))
def chance(request):
    return random.Random(request.param)


def measured_outcome(outcome, chance):
    """An outcome with whatever may have been measured of it."""
    failed = tuple(sorted(chance.sample(RULES, chance.randint(0, 3))))
    is_judged = chance.random() < 0.7
    state, reason = chance.choice(
        [
            (RenderState.DONE, Reason.PAINTED),
            (RenderState.DONE, Reason.COPIED),
            (RenderState.HELD, Reason.BRAND),
            (RenderState.HELD, Reason.DRIFT),
            (RenderState.HELD, Reason.BAD_OUTPUT),
            (RenderState.FAILED, Reason.UNKNOWN),
        ]
    )
    return replace(
        outcome,
        state=state,
        reason=reason,
        drift=chance.choice([None, round(chance.random(), 2)]),
        rules_tested=3 if is_judged else None,
        rules_failed=failed if is_judged else (),
    )


@pytest.fixture
def painted(campaigns, queue, settling, session, chance):
    row = campaigns.add(new_campaign(total=TOTAL), new_chunks(1, TOTAL))
    chunk = claim_one(queue, session, row)
    found = tuple(measured_outcome(outcome, chance) for outcome in outcomes(chunk))
    assert settling.settle(session, [settlement(chunk, found)])
    return campaigns.by_id(row.id), found


def test_renders_are_found_as_one_would_by_looking_at_each(engine, painted):
    row, every = painted
    reviews = Reviews(engine)

    def those(fits):
        return [outcome.number for outcome in every if fits(outcome)]

    for limit in (0.01, 0.25, 0.5, 1.0):
        found = reviews.measured(row.id, drift_below=limit).tolist()
        assert found == those(lambda o, m=limit: o.drift is not None and o.drift < m)
    for rule in (*RULES, "border", "clipped", "clip", "@1", "%", "border@"):
        named = (rule,) if "@" in rule else tuple(name for name in RULES if name[:-2] == rule)
        found = reviews.measured(row.id, rule=rule).tolist()
        assert found == those(lambda o, n=named: any(name in o.rules_failed for name in n)), rule
    assert reviews.measured(row.id).tolist() == those(
        lambda o: o.rules_tested is not None and not o.rules_failed
    )
    assert reviews.held(row.id).tolist() == those(
        lambda o: o.state is RenderState.HELD and o.reason in (Reason.BRAND, Reason.DRIFT)
    )
    for state in (RenderState.DONE, RenderState.HELD, RenderState.FAILED):
        assert reviews.ended(row.id, [state]).tolist() == those(lambda o, s=state: o.state is s)
    assert reviews.ended(row.id).tolist() == list(range(TOTAL))


def test_a_random_log_is_read_back_as_it_was_written(engine, campaigns, painted, chance):
    """And the states of held renders follow it, whatever was decided before."""
    row, every = painted
    reviews, written = Reviews(engine), []
    for sequence in range(12):
        log = [entry for entry in reviews.log(row.id) if entry.verdict]
        undoes = chance.choice(log) if log and chance.random() < 0.3 else None
        verdict = None if undoes else chance.choice(list(Verdict))
        is_rejected = verdict is Verdict.REJECTED
        reason = chance.choice([None, *RejectReason]) if is_rejected else None
        numbers = undoes.numbers if undoes else np.array(_some(chance), np.int64)
        new = NewDecision(
            client="c", sequence=sequence, verdict=verdict, reason=reason,
            undoes=undoes.id if undoes else None, note=chance.choice([None, "é\x00"[:1]]),
            reviewer="ann", chosen_by={"seed": sequence},
        )  # fmt: skip
        outcome = Outcome(numbers, {})
        reviews.decide(row.id, new, TOTAL, lambda _before, _log, o=outcome: o, Plan())
        written.append((new, numbers.tolist()))
        _check(campaigns, row.id, every, fold(reviews.log(row.id), TOTAL))
    for entry, (new, numbers) in zip(reviews.log(row.id), written, strict=True):
        assert (entry.verdict, entry.reason, entry.note) == (new.verdict, new.reason, new.note)
        assert (entry.undoes, entry.reviewer, entry.chosen_by) == (
            new.undoes,
            new.reviewer,
            new.chosen_by,
        )
        assert (entry.numbers.tolist(), entry.count) == (numbers, len(numbers))


def _some(chance):
    return sorted(chance.sample(range(TOTAL), chance.randint(1, 12)))


STATES = {
    Verdict.APPROVED: RenderState.DONE,
    Verdict.REJECTED: RenderState.REJECTED,
    None: RenderState.HELD,
}


def _check(campaigns, campaign_id, every, verdicts):
    row = campaigns.by_id(campaign_id)
    states = {o.number: o.state for o, _, _ in campaigns.outcomes(campaign_id)}
    for outcome in every:
        is_held_by_rule = outcome.state is RenderState.HELD and outcome.reason in (
            Reason.BRAND,
            Reason.DRIFT,
        )
        expected = STATES[verdicts.of(outcome.number)] if is_held_by_rule else outcome.state
        assert states[outcome.number] == expected
    counted = list(states.values())
    for state in (RenderState.DONE, RenderState.HELD, RenderState.REJECTED, RenderState.FAILED):
        assert getattr(row, state.value) == counted.count(state), state
    assert (row.left, row.finished_at is not None) == (0, True)


# --- brands ---


def test_random_changes_of_packs_leave_the_versions_that_a_list_would(brands, chance):
    versions = []  # of [digest, is it used], the first one is version 1
    for _ in range(25):
        digest = chance.choice("abcdef")
        if chance.random() < 0.3 and versions:
            place = chance.randrange(len(versions))
            brands.freeze("p", "acme", place + 1, versions[place][0])
            versions[place][1] = True
            continue
        known = [place for place, (there, _) in enumerate(versions) if there == digest]
        if known:
            expected = known[0] + 1, "known"
        elif versions and not versions[-1][1]:
            versions[-1][0] = digest
            expected = len(versions), "changed"
        else:
            versions.append([digest, False])
            expected = len(versions), "added"
        row, did = brands.add("p", "acme", digest, {"digest": digest})
        assert (row.version, did) == expected
    stored = [(row.digest, row.frozen_at is not None) for row in brands.all("p")]
    assert stored == [tuple(version) for version in versions]
    assert [row.document for row in brands.all("p")] == [{"digest": d} for d, _ in versions]
    with pytest.raises(RequestError, match="was changed while"):
        brands.freeze("p", "acme", 1, "another")


# --- sets ---


def test_compositions_wait_for_their_median_whatever_order_they_come_in(
    engine, campaigns, queue, settling, session, chance
):
    row = campaigns.add(new_campaign(total=24), new_chunks(12, 2))
    layouts, waiting, known = Layouts(engine), {}, {}
    for _ in range(12):
        chunk = claim_one(queue, session, row)
        painted = []
        for outcome in outcomes(chunk):
            seed = chance.choice([7, 8, 9])
            painted.append(replace(outcome, set_layout=(seed, f"layout {outcome.number}")))
            waiting.setdefault(seed, {})[outcome.number] = f"layout {outcome.number}"
        settling.settle(session, [settlement(chunk, tuple(painted))])
        found = layouts.full(row.id, 3)
        expected = {s: w for s, w in waiting.items() if w and (len(w) >= 3 or s in known)}
        assert {
            seed: {one.number: one.layout for one in ones} for seed, ones in found.items()
        } == expected
        for seed, ones in found.items():
            if chance.random() < 0.5:
                layouts.settle(row.id, seed, f"median of {ones[0].number}", dict.fromkeys(
                    [one.number for one in ones], 0.25
                ))  # fmt: skip
                known.setdefault(seed, f"median of {ones[0].number}")
                waiting[seed] = {}
        assert layouts.anchors(row.id, [7, 8, 9]) == known
        assert bool(layouts.waiting()) == any(waiting.values())
