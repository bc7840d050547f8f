"""Why campaigns wait: the first rule that refused each, as the round itself gives it."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from farm.scheduling.allocation import Allocation
from farm.scheduling.assignment import assign, fill
from farm.scheduling.eligibility import may_use
from farm.scheduling.history import History
from farm.scheduling.ledger import Ledger
from farm.scheduling.ranking import next_of
from farm.scheduling.reasons import reason_sentence
from farm.scheduling.refusal import LONGEST, Refusal, Rule, read_refusal, refusal_text
from farm.scheduling.share import Shares
from farm.scheduling.situation import Claimed, Situation
from farm.scheduling.values import AFFINITY_LOADS
from storage.months import MonthUse
from storage.rows import ANY_CLASS
from tests.policies import MIXED, decide, open_campaign, shares_of, with_holders, worker


def told(campaigns, workers, number, shares=None, **more):
    return decide(campaigns, workers, shares, **more).refusals.get(number)


# --- the four cases in which rows alone gave a wrong reason ---


def test_a_late_campaign_is_named_by_the_one_of_higher_priority_that_it_keeps_waiting():
    late = open_campaign(1, priority=10, deadline=1.0, workers=frozenset({"w1"}), running=2)
    urgent = open_campaign(2, priority=90)
    refusal = told([late, urgent], [worker(1, holds=[1, 1])], 2, now=10.0)
    assert refusal == Refusal(rule=Rule.LATE, other="c1", has=90, limit=101)


def test_a_new_campaign_with_a_cold_model_is_told_of_the_loads_that_it_waits_for():
    large = open_campaign(1, model_digest="one", workers=frozenset({"w1"}), ended=1)
    new = open_campaign(2, model_digest="two")
    refusal = told(
        [large, new],
        [worker(1, holds=[1, 1], warm="one")],
        2,
        shares_of(c1=50.0, c2=0.0),
        history=History(loads={"one": 10.0, "two": 10.0}),
    )
    assert refusal == Refusal(rule=Rule.COLD, other="c1", has=50.0, limit=AFFINITY_LOADS * 10)


def test_workers_are_counted_before_max_workers_is_named():
    one = open_campaign(1, max_workers=8, workers=frozenset({"w1"}), running=2)
    assert told([one], [worker(1, holds=[1, 1])], 1) == Refusal(rule=Rule.BUSY, has=1)
    eight = replace(one, workers=frozenset(f"w{k}" for k in range(8)))
    workers = [*(worker(k, holds=[1, 1]) for k in range(8)), worker(9)]
    assert told([eight], workers, 1) == Refusal(rule=Rule.MAX_WORKERS, has=8, limit=8)


def test_a_project_that_is_far_ahead_is_told_so():
    mine = open_campaign(1, project="greedy", workers=frozenset({"w2"}), ended=1)
    other = open_campaign(2, project="p", ended=1)
    ahead = Shares(
        projects={"p": 0.0, "greedy": 5000.0},
        campaigns={1: 0.0, 2: 900.0},
        active_projects=frozenset({"p", "greedy"}),
    )
    refusal = told([mine, other], [worker(1, holds=[2, 2])], 1, ahead)
    assert refusal == Refusal(rule=Rule.PROJECT_SHARE, other="p", has=5000.0, limit=120.0)


# --- every rule ---


FULL = [worker(1, holds=[9, 9], warm="z")]
HOLDER = open_campaign(
    9,
    project="z",
    model_digest="z",
    priority=100,
    waiting=False,
    ended=1,
    workers=frozenset({"w1"}),
)
SLOW = [worker(1, numerics_class="slow"), worker(2, holds=[1, 1], numerics_class="fast")]

SPENT = MonthUse(used_s=7300.0, limit_s=7200.0, since=0.0)

CASES = {
    Rule.NO_WORKER: ([open_campaign(1)], [], {}),
    Rule.NO_CHUNK: ([open_campaign(1)], [worker(1)], {"exhausted": {(1, "w1")}}),
    Rule.CANNOT_LOAD: ([open_campaign(1)], [worker(1)], {"unable": {(1, "w1")}}),
    Rule.NUMERICS: ([open_campaign(1, numerics_class="d")], [worker(1)], {}),
    Rule.BUDGET: ([open_campaign(1, budget_s=5.0, device_s=5.0, ended=1)], [worker(1)], {}),
    Rule.QUOTA: (
        [open_campaign(1)],
        [worker(1)],
        {"quotas": {"p": 1}, "closing": {"p": {"w2"}}},
    ),
    Rule.MONTH: ([open_campaign(1)], [worker(1)], {"spent_months": {"p": SPENT}}),
    Rule.MAX_WORKERS: (
        [open_campaign(1, max_workers=1, workers=frozenset({"w2"}))],
        [worker(1), worker(2, holds=[1, 1])],
        {},
    ),
    Rule.SLOWER: (
        [
            open_campaign(
                1, model_digest="one", numerics_class=ANY_CLASS, left=1, megapixel_steps=10.0,
                workers=frozenset({"w2"}),
            )
        ],
        SLOW,
        {"history": MIXED},
    ),
    Rule.LATE: ([open_campaign(1), open_campaign(2, deadline=1.0)], FULL, {}),
    Rule.PRIORITY: ([open_campaign(1), open_campaign(2, priority=51)], FULL, {}),
    Rule.PROJECT_SHARE: (
        [open_campaign(1, project="q", ended=1), open_campaign(2, ended=1)],
        FULL,
        {"shares": Shares(projects={"p": 0.0, "q": 999.0}, campaigns={1: 0.0, 2: 0.0})},
    ),
    Rule.SHARE: (
        [open_campaign(1, ended=1), open_campaign(2, ended=1)],
        FULL,
        {"shares": shares_of(c1=999.0, c2=0.0)},
    ),
    Rule.NEW: ([open_campaign(1, ended=1), open_campaign(2)], [worker(1, [9, 9], ["d", "z"])], {}),
    Rule.COLD: (
        [open_campaign(1, model_digest="e"), open_campaign(2, ended=1, workers=frozenset("w"))],
        [worker(1, [9, 9], ["d", "z"])],
        {"history": History(loads={"e": 10.0, "d": 0.0})},
    ),
    Rule.WARM: (
        [open_campaign(1, model_digest="e", ended=1), open_campaign(2, ended=1)],
        [worker(1, [9, 9], ["d", "z"])],
        {},
    ),
    Rule.UNLOADED: (
        [
            open_campaign(1, ended=1, workers=frozenset({"w2"})),
            open_campaign(2, ended=1, model_digest="e"),
        ],
        FULL,
        {"shares": shares_of(c1=0.0, c2=9.0)},
    ),
    Rule.SPEED: (
        [
            open_campaign(1, model_digest="one", ended=1),
            open_campaign(2, model_digest="two", ended=1),
        ],
        [worker(1, holds=[9, 9], numerics_class="slow")],
        {"history": MIXED},
    ),
    Rule.TURN: (
        [open_campaign(1, ended=1), open_campaign(2, ended=1)],
        FULL,
        {"shares": shares_of(c1=9.0, c2=0.0)},
    ),
    Rule.BUSY: ([open_campaign(1)], FULL, {}),
}  # fmt: skip


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_is_named_where_it_is_the_first_to_refuse(rule):
    campaigns, workers, more = CASES[rule]
    refusal = told([*campaigns, HOLDER], workers, 1, **{"now": 10.0, **more})
    assert refusal is not None
    assert refusal.rule is rule


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_has_a_sentence_and_fits_its_column(rule):
    longest = Refusal(rule=rule, other="x" * 100, has=-1.2e300, limit=1.2e300)
    assert reason_sentence(replace(longest, has=3.0, limit=5000.0)).endswith(".")
    assert len(refusal_text(longest)) <= LONGEST
    assert read_refusal(refusal_text(longest)) == longest
    assert read_refusal(refusal_text(Refusal(rule=rule))) == Refusal(rule=rule)


@pytest.mark.parametrize("text", [None, "", "null", "{}", "[]", '["unheard_of"]', "[1,2,3,4,5,6]"])
def test_what_no_version_or_a_later_one_wrote_is_no_refusal(text):
    assert read_refusal(text) is None


# --- the rule that is named is the one that decides ---


NAMES = ["w1", "w2", "w3", "w4"]
MODELS = ["d", "e"]
campaigns_of_a_farm = st.lists(
    st.builds(
        open_campaign,
        st.integers(1, 9),
        project=st.sampled_from(["p", "q"]),
        model_digest=st.sampled_from(MODELS),
        priority=st.sampled_from([40, 50]),
        max_workers=st.sampled_from([None, None, 1, 2]),
        deadline=st.sampled_from([None, None, 1.0]),
        budget_s=st.sampled_from([None, None, 50.0]),
        ended=st.sampled_from([0, 5]),
        device_s=st.sampled_from([0.0, 60.0]),
        workers=st.frozensets(st.sampled_from(NAMES), max_size=2),
        numerics_class=st.sampled_from([None, "c", "d", ANY_CLASS]),
        megapixel_steps=st.just(100.0),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda c: c.id,
)


@st.composite
def situations(draw):
    campaigns = draw(campaigns_of_a_farm)
    ids = st.sampled_from([c.id for c in campaigns] + [99])
    workers = [
        worker(
            k,
            holds=draw(st.lists(ids, min_size=full, max_size=2)),
            warm=draw(st.sampled_from(MODELS)),
            numerics_class=draw(st.sampled_from(["c", "d"])),
        )
        for full in [draw(st.sampled_from([0, 2, 2]))]
        for k in range(1, draw(st.integers(1, 4)) + 1)
    ]
    seconds = st.sampled_from([0.0, 30.0, 500.0, 9000.0])
    pairs = st.frozensets(st.tuples(ids, st.sampled_from(NAMES)), max_size=2)
    shares = Shares(
        projects={"p": draw(seconds), "q": draw(seconds)},
        campaigns={c.id: draw(seconds) for c in campaigns},
        active_projects=frozenset({"p", "q"}),
    )
    return Situation(
        now=10.0,
        campaigns=[with_holders(campaign, workers) for campaign in campaigns],
        workers=workers,
        fleet_size=4,
        ledger=Ledger(shares=shares, history=History(loads={"d": 0.0, "e": 20.0})),
        quotas=draw(st.dictionaries(st.sampled_from("pq"), st.integers(1, 2), max_size=1)),
        spent_months=draw(st.dictionaries(st.sampled_from("pq"), st.just(SPENT), max_size=1)),
        exhausted=draw(pairs),
        unable=draw(pairs),
    )


def changed(situation, mine, **changes):
    campaigns = [replace(c, **changes) if c is mine else c for c in situation.campaigns]
    return replace(situation, campaigns=campaigns)


def without(situation, mine, name):
    pairs = {pair for pair in getattr(situation, name) if pair[0] != mine.id}
    return replace(situation, **{name: pairs})


def given_less(situation, mine):
    """The campaign and its project have been given less than any other, and the head starts of
    all others' workers.
    """
    shares = situation.ledger.shares
    projects = {**shares.projects, mine.project: min(shares.projects.values()) - 1e5}
    campaigns = {**shares.campaigns, mine.id: min(shares.campaigns.values()) - 1e5}
    shares = replace(shares, projects=projects, campaigns=campaigns)
    return replace(situation, ledger=replace(situation.ledger, shares=shares))


def model_of(situation, name):
    (model,) = {c.model_digest for c in situation.campaigns if c.name == name}
    return {"model_digest": model}


def is_next(situation, number):
    """Whether a worker would serve the campaign next, if it could hold one chunk more."""
    allocation = Allocation(situation)
    for w in situation.workers:
        campaigns = [c for c in situation.campaigns if may_use(allocation, c, w.name)]
        if campaigns and next_of(allocation, campaigns, w.name).id == number:
            return True
    return False


def lifted(situation, number, refusal):
    """The situation in which the rule of a refusal has nothing against this campaign."""
    (mine,) = [c for c in situation.campaigns if c.id == number]
    match refusal.rule:
        case Rule.NO_CHUNK:
            return without(situation, mine, "exhausted")
        case Rule.CANNOT_LOAD:
            return without(situation, mine, "unable")
        case Rule.QUOTA | Rule.MONTH:
            return replace(situation, quotas={}, spent_months={})
        case Rule.PROJECT_SHARE | Rule.SHARE | Rule.TURN:
            return given_less(situation, mine)
        case Rule.UNLOADED:
            return changed(situation, mine, workers=frozenset())
        case Rule.COLD | Rule.WARM:
            return changed(situation, mine, **model_of(situation, refusal.other))
        case Rule.NEW:
            (other,) = [c for c in situation.campaigns if c.name == refusal.other]
            return changed(situation, other, ended=5)
    return changed(situation, mine, **LIFTED[refusal.rule](refusal))


LIFTED = {
    Rule.NUMERICS: lambda _: {"numerics_class": ANY_CLASS},
    Rule.BUDGET: lambda _: {"budget_s": None},
    Rule.MAX_WORKERS: lambda _: {"max_workers": None},
    Rule.LATE: lambda refusal: {"deadline": None, "priority": int(refusal.limit)},
    Rule.PRIORITY: lambda refusal: {"deadline": None, "priority": int(refusal.limit)},
}


def settled(situation):
    """The situation after rounds whose queue has a chunk for each assignment, until nothing more
    is assigned.
    """
    keys = count()

    def claim(assignments):
        return [Claimed(assignment=a, key=(next(keys), 1), renders=10) for a in assignments]

    for _ in range(20):
        situation, _ = fill(situation, claim)
        decision = assign(situation)
        if not decision.assignments:
            return situation, decision
    return reject()  # chunks take each other's place for ever


@settings(max_examples=100, deadline=None)
@given(situations())
def test_the_decision_changes_when_the_rule_that_a_reason_names_is_lifted(situation):
    situation, before = settled(situation)
    for number, refusal in before.refusals.items():
        if refusal.rule is Rule.BUSY:
            assert is_next(situation, number)
            continue
        after = assign(lifted(situation, number, refusal))
        served = {assignment.campaign_id for assignment in after.assignments}
        assert number in served or after.refusals[number] != refusal


@settings(max_examples=100, deadline=None)
@given(situations())
def test_a_campaign_is_served_or_next_once_all_rules_that_are_named_are_lifted(situation):
    situation, before = settled(situation)
    for number, refused in before.refusals.items():
        changed, refusal = situation, refused
        for _ in range(3 * len(Rule)):
            if refusal.rule is Rule.BUSY:
                break
            changed = lifted(changed, number, refusal)
            decision = assign(changed)
            if number in {assignment.campaign_id for assignment in decision.assignments}:
                break
            refusal = decision.refusals[number]
        else:
            pytest.fail(f"Campaign {number} is never served: {refusal}")


@settings(max_examples=200, deadline=None)
@given(situations())
def test_every_campaign_of_which_more_waits_is_told_why(situation):
    assert assign(situation).refusals.keys() == {c.id for c in situation.campaigns if c.waiting}
