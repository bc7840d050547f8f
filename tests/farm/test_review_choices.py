"""Which renders a decision in bulk is about: the same that one would choose by looking at each."""

import random
from dataclasses import replace

import pytest

from farm.campaign.specs import expansion_of
from farm.service.review_reading import ReviewReading
from farm.service.review_rules import Choice
from farm.service.reviews import Change, ReviewService
from storage.errors import NotFound, RequestError
from storage.reviews import NewDecision, Reviews
from storage.rows import RenderOutcome, Settlement
from storage.states import Reason, RenderState, Verdict
from tests.campaigns import data

PACK = {"name": "acme", "rules": {"border": "none", "clipped": {"at_most": 0.1}}}
ASKED = {
    "vary": {
        "product": [{"sku": 1, "thing": "mug"}, {"sku": 2, "thing": "lamp"}],
        "color": ["red", "blue"],
    },
    "prompt": "a {color} {thing}",
    "seeds": [11, 12, 13],
    "brand": PACK,
}


@pytest.fixture
def reviews(engine):
    return Reviews(engine)


@pytest.fixture
def deciding(campaigns, reviews, watching, outputs):
    return ReviewService(
        campaigns=campaigns, reviews=reviews, watching=watching, outputs=outputs, chunk=4
    )


@pytest.fixture(params=range(2))
def chance(request):
    return random.Random(request.param)


@pytest.fixture
def painted(service, campaigns, queue, settling, chance):
    """A campaign of twelve renders, and what was measured of each."""
    row, _ = service.submit("p", data(**ASKED))
    session = queue.lead(owner="one", host="h", pid=1)
    expansion, known = expansion_of(row.spec), {}
    while claimed := queue.claim(session, [(row.id, "w")]):
        (chunk,) = claimed
        renders = expansion.renders(chunk.group_no, chunk.start, chunk.stop)
        found = [measured(render.number, chance) for render in renders]
        known |= {outcome.number: outcome for outcome in found}
        settling.settle(
            session,
            [
                Settlement(
                    chunk_id=chunk.id, campaign_id=row.id, lease=chunk.lease, worker="w",
                    outcome="painted", outcomes=tuple(found),
                    facts={"megapixel_steps": 1.0, "paint_s": 1.0, "batch_s": [1.0]},
                )
            ],
        )  # fmt: skip
    queue.end_session(session)
    return campaigns.by_id(row.id), known


def measured(number, chance):
    failed = tuple(sorted(chance.sample(["border@1", "clipped@1"], chance.randint(0, 2))))
    return RenderOutcome(
        number=number, digest="d", state=RenderState.DONE, reason=Reason.PAINTED,
        key=f"k{number}", pixels="x", bytes=1, rules_tested=2, rules_failed=failed,
        drift=chance.choice([None, 0.1, 0.3, 0.6]),
    )  # fmt: skip


def decision(sequence, verdict=Verdict.APPROVED):
    return NewDecision(client="c", sequence=sequence, verdict=verdict, chosen_by={})


CHOICES = [
    (Choice(), lambda _render, _outcome: True),
    (Choice(seed=12), lambda render, _: render.seed == 12),
    (Choice(where=("color=red",)), lambda render, _: render.shot.coordinates["color"] == "red"),
    (Choice(where=("sku=2",)), lambda render, _: "lamp" in render.shot.prompt),
    (Choice(where=("thing=mug",)), lambda render, _: "mug" in render.shot.prompt),
    (Choice(where=("color=red", "color=blue")), lambda _render, _: True),
    (
        Choice(where=("color=red", "thing=mug"), seed=13),
        lambda render, _: render.shot.prompt == "a red mug" and render.seed == 13,
    ),
    (Choice(drift_below=0.3), lambda _, o: o.drift is not None and o.drift < 0.3),
    (Choice(rule="border"), lambda _, o: "border@1" in o.rules_failed),
    (Choice(rule="clipped@1"), lambda _, o: "clipped@1" in o.rules_failed),
    (Choice(passes_rules=True), lambda _, o: not o.rules_failed),
    (
        Choice(rule="border", drift_below=0.5, seed=11),
        lambda r, o: (
            "border@1" in o.rules_failed and o.drift is not None and o.drift < 0.5 and r.seed == 11
        ),
    ),
]


def test_a_choice_means_what_one_would_choose_by_looking_at_each(deciding, painted):
    row, known = painted
    plan = expansion_of(row.spec)
    for choice, fits in CHOICES:
        expected = [n for n, outcome in known.items() if fits(plan.render(n)[1], outcome)]
        answer = deciding.decide("p", row.name, choice, decision(0), dry_run=True)
        assert answer["first"] == sorted(expected), choice
        assert answer["changed"] == len(expected)


def test_a_shot_is_chosen_by_its_name_with_its_versions(deciding, painted):
    row, _ = painted
    shot = expansion_of(row.spec).render(4)[1].shot.key
    deciding.redo("p", row.name, [4], Change(next_seed=True), decision(1, None))
    answer = deciding.decide("p", row.name, Choice(shot=shot), decision(2))
    assert answer["first"] == [3, 4, 5]
    assert answer["why"] == ["Render 12 has no picture yet: decide once it is painted."]


def test_decisions_in_bulk_share_the_undecided_ones_out(deciding, campaigns, reviews, painted):
    row, known = painted
    red = deciding.decide("p", row.name, Choice(where=("color=red",)), decision(1))
    rest = deciding.decide("p", row.name, Choice(), decision(2, Verdict.REJECTED))
    assert red["changed"] + rest["changed"] == len(known)
    assert rest["why"] == ["6 renders are approved and stay so: name numbers to decide again."]
    reading = ReviewReading(campaigns=campaigns, reviews=reviews)
    assert list(reading.waiting("p", row.name, 100)) == []
    overview = reading.overview("p", row.name)
    assert (overview["approved"], overview["rejected"], overview["undecided"]) == (6, 6, 0)
    assert set(reading.approved(row)) == {
        n for n in known if expansion_of(row.spec).render(n)[1].shot.coordinates["color"] == "red"
    }


def test_numbers_may_come_twice_and_in_any_order(deciding, painted):
    row, _ = painted
    answer = deciding.decide("p", row.name, Choice(numbers=(7, 2, 7, 2)), decision(1))
    assert (answer["first"], answer["changed"]) == ([2, 7], 2)


WRONG = [
    (Choice(numbers=(0, 12)), NotFound, "no render 12"),
    (Choice(where=("color",)), RequestError, "is no condition: write NAME=VALUE"),
    (Choice(where=("=red",)), RequestError, "is no condition"),
    (Choice(where=("colour=red",)), RequestError, "did you mean 'color'"),
    (Choice(where=("color=rad",)), RequestError, "did you mean 'red'"),
    (Choice(where=("sku=3",)), RequestError, "--where sku=3"),
    (Choice(seed=14), RequestError, "--seed 14: no chosen render has that seed."),
    (
        Choice(seed=11, shot="nothing"),
        RequestError,
        "--shot nothing: no chosen render is of that shot",
    ),
    (Choice(rule="palete"), RequestError, "did you mean 'palette'"),
    (Choice(rule="border@2"), RequestError, "there is no such rule"),
]


def test_a_filter_that_means_nothing_is_refused_and_nothing_is_decided(deciding, reviews, painted):
    row, _ = painted
    for choice, error, told in WRONG:
        with pytest.raises(error, match=told):
            deciding.decide("p", row.name, choice, decision(1))
    assert reviews.log(row.id) == []


def test_undo_and_decisions_by_number_take_turns(deciding, campaigns, reviews, painted, chance):
    """Whatever was decided: after each step the counts are those of a plain dictionary."""
    row, known = painted
    entries, verdicts = [], {}
    for sequence in range(15):
        if entries and chance.random() < 0.3:
            number = chance.choice(entries)
            undone = deciding.undo("p", row.name, replace(decision(sequence, None), undoes=number))
            assert undone["undoes"] == number
            entries.remove(number)
        else:
            verdict = chance.choice(list(Verdict))
            some = tuple(chance.sample(sorted(known), chance.randint(1, 5)))
            answer = deciding.decide(
                "p", row.name, Choice(numbers=some), decision(sequence, verdict)
            )
            changed = [number for number in some if verdicts.get(number) is not verdict]
            assert answer["changed"] == len(changed)
            if changed:
                entries.append(answer["entry"])
        verdicts = {}
        for entry in reviews.log(row.id):
            if entry.id in entries:
                verdicts |= dict.fromkeys(entry.numbers.tolist(), entry.verdict)
        overview = ReviewReading(campaigns=campaigns, reviews=reviews).overview("p", row.name)
        counts = list(verdicts.values())
        assert overview["approved"] == counts.count(Verdict.APPROVED)
        assert overview["rejected"] == counts.count(Verdict.REJECTED)
    with pytest.raises(NotFound, match="no decision 999 that counts"):
        deciding.undo("p", row.name, replace(decision(99, None), undoes=999))


def test_redos_are_painted_with_the_chunks_that_are_queued(deciding, campaigns, queue, painted):
    row, known = painted
    answer = deciding.redo("p", row.name, [0, 5, 0], Change(seed=3), decision(1, None))
    assert answer["redone"] == [12, 13]
    with pytest.raises(NotFound, match="no render 14"):
        deciding.redo("p", row.name, [14], Change(seed=3), decision(2, None))
    after = campaigns.by_id(row.id)
    assert (after.total, after.queued, after.finished_at) == (len(known) + 2, 2, None)
    plan = expansion_of(after.spec)
    assert [plan.render(n)[1].seed for n in (12, 13)] == [3, 3]
    session = queue.lead(owner="two", host="h", pid=2)
    numbers = []
    while claimed := queue.claim(session, [(row.id, "w")]):
        numbers += claimed[0].numbers
    assert sorted(numbers) == [12, 13]
