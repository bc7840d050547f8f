import itertools

from hypothesis import given
from hypothesis import strategies as st

from farm.cost import would_be_late
from farm.scheduling.assignment import (
    AFFINITY_LOADS,
    AFFINITY_S,
    CHUNKS_PER_WORKER,
    FORGIVE_S,
    FreeWorker,
    Record,
    after_attempt,
    assign,
    distrusted,
    has_others,
    usable,
)
from farm.scheduling.history import History
from farm.scheduling.share import Shares, charge, welcome
from storage.rows import ANY_CLASS, OpenCampaign


def open_campaign(number, **changes):
    base = dict(
        id=number, project="p", name=f"c{number}", model_digest="d", priority=50, max_workers=None,
        deadline=None, left=100, ended=0,
        running=0, device_s=0.0, megapixel_steps=1000.0, waiting=True, workers=frozenset(),
    )  # fmt: skip
    return OpenCampaign(**{**base, **changes})


def worker(number, holds=(), warm=None, numerics_class="c"):
    """A worker that holds chunks of these campaigns, the first being painted."""
    held = tuple((c, (1000 * number + k, 1)) for k, c in enumerate(holds))
    models = frozenset([warm] if isinstance(warm, str) else warm or ())
    return FreeWorker(name=f"w{number}", holds=held, warm=models, numerics_class=numerics_class)


AT_ONCE = History(loads={"d": 0.0})


def deal(open_campaigns, free, shares=None, weights=None, now=0.0, size=8, **more):
    shares = welcome(Shares(), open_campaigns) if shares is None else shares
    return assign(
        open_campaigns,
        free,
        shares,
        weights=weights or {},
        now=now,
        size=size,
        **{"history": AT_ONCE, **more},
    )


campaigns = st.lists(
    st.builds(
        open_campaign,
        st.integers(1, 10),
        priority=st.integers(0, 100),
        max_workers=st.one_of(st.none(), st.integers(1, 3)),
        waiting=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda c: c.id,
)
workers = st.lists(
    st.builds(worker, st.integers(0, 9), holds=st.lists(st.just(99), max_size=2)),
    max_size=6,
    unique_by=lambda w: w.name,
)


@given(campaigns, workers)
def test_no_worker_gets_more_than_it_has_room_for_and_no_campaign_more_workers_than_it_may(
    open_campaigns, free
):
    seats = deal(open_campaigns, free)
    for w in free:
        mine = sum(seat.worker == w.name for seat in seats if seat.instead_of is None)
        assert len(w.holds) + mine <= max(CHUNKS_PER_WORKER, len(w.holds))
    for c in open_campaigns:
        mine = {seat.worker for seat in seats if seat.campaign_id == c.id}
        assert c.waiting or not mine
        assert c.max_workers is None or len(mine) <= c.max_workers


@given(campaigns, workers)
def test_no_place_stays_empty_while_an_unlimited_campaign_waits(open_campaigns, free):
    seats = deal(open_campaigns, free)
    if any(c.waiting and c.max_workers is None for c in open_campaigns):
        assert len(seats) >= sum(max(0, CHUNKS_PER_WORKER - len(w.holds)) for w in free)


def test_every_worker_has_a_chunk_before_one_has_two():
    seats = deal([open_campaign(1)], [worker(1), worker(2)])
    assert [seat.worker for seat in seats[:2]] == ["w1", "w2"]


def test_a_higher_priority_goes_first_whatever_is_warm():
    seats = deal(
        [
            open_campaign(1, priority=10, model_digest="one"),
            open_campaign(2, priority=90, model_digest="two"),
        ],
        [worker(1, warm="one")],
    )
    assert {seat.campaign_id for seat in seats} == {2}


def test_a_warm_model_is_preferred_among_equals():
    seats = deal(
        [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")],
        [worker(1, warm="two"), worker(2, warm="one")],
    )
    assert {(seat.worker, seat.campaign_id) for seat in seats} == {("w1", 2), ("w2", 1)}


def test_max_workers_counts_those_that_hold_chunks_already():
    seats = deal(
        [open_campaign(1, max_workers=1, workers=frozenset({"w2"}))],
        [worker(1), worker(2, holds=[1])],
    )
    assert [seat.worker for seat in seats] == ["w2"]


def test_a_campaign_that_nobody_serves_comes_before_what_is_warm():
    both = [open_campaign(1, model_digest="one"), open_campaign(2, model_digest="two")]
    seats = deal(both, [worker(1, warm="one"), worker(2, warm="one")])
    assert {(seat.worker, seat.campaign_id) for seat in seats[:2]} == {("w1", 1), ("w2", 2)}


def test_who_has_been_given_least_goes_first():
    both = [open_campaign(1, workers=frozenset({"x"})), open_campaign(2, workers=frozenset({"y"}))]
    ahead = Shares(
        projects={"p": 0.0},
        campaigns={1: AFFINITY_S + 1, 2: 0.0},
        active_projects=frozenset({"p"}),
    )
    assert {seat.campaign_id for seat in deal(both, [worker(1)], ahead)} == {2}


def test_a_warm_model_is_worth_a_bounded_debt():
    both = [
        open_campaign(1, model_digest="one", workers=frozenset({"x"})),
        open_campaign(2, model_digest="two", workers=frozenset({"y"})),
    ]
    for debt, first in ((AFFINITY_S - 1, 1), (AFFINITY_S + 1, 2)):
        shares = Shares(
            projects={"p": 0.0}, campaigns={1: debt, 2: 0.0}, active_projects=frozenset({"p"})
        )
        assert deal(both, [worker(1, warm="one")], shares)[0].campaign_id == first


def test_the_longer_a_model_takes_to_load_the_larger_that_debt_may_be():
    both = [
        open_campaign(1, model_digest="one", ended=1),
        open_campaign(2, model_digest="two", ended=1),
    ]
    shares = Shares(
        projects={"p": 0.0},
        campaigns={1: 2 * AFFINITY_S, 2: 0.0},
        active_projects=frozenset({"p"}),
    )
    for load_s, first in ((AFFINITY_S / AFFINITY_LOADS, 2), (3 * AFFINITY_S / AFFINITY_LOADS, 1)):
        seats = deal(both, [worker(1, warm="one")], shares, history=History(loads={"one": load_s}))
        assert seats[0].campaign_id == first


def test_a_campaign_that_would_be_late_goes_before_every_priority():
    late = open_campaign(1, priority=0, deadline=50.0, left=100, megapixel_steps=1000.0)
    assert would_be_late(late, now=0.0, size=8)
    assert not would_be_late(late, now=0.0, size=100)
    assert {
        seat.campaign_id for seat in deal([late, open_campaign(2, priority=100)], [worker(1)])
    } == {1}


def test_what_waits_on_a_worker_gives_way_to_a_campaign_that_has_none():
    large = open_campaign(1, workers=frozenset({"w1", "w2"}), running=200)
    full = [worker(1, holds=[1, 1]), worker(2, holds=[1, 1])]
    (seat,) = deal([large, open_campaign(2)], full)
    assert (seat.campaign_id, seat.instead_of) == (2, (1001, 1))
    # Once it has a worker, nothing more is taken back for it.
    assert deal([large, open_campaign(2, workers=frozenset({"w1"}))], full) == []


def test_nothing_gives_way_to_a_lower_priority_or_to_one_over_its_share():
    large = open_campaign(1, workers=frozenset({"w1"}), running=2)
    assert deal([large, open_campaign(2, priority=49)], [worker(1, holds=[1, 1])]) == []
    other = open_campaign(2, project="greedy")
    ahead = Shares(
        projects={"p": 0.0, "greedy": 10 * AFFINITY_S},
        campaigns={1: 0.0, 2: 0.0},
        active_projects=frozenset({"p", "greedy"}),
    )
    assert deal([large, other], [worker(1, holds=[1, 1])], ahead) == []


# --- shares ---


def test_whoever_comes_anew_starts_level_with_who_has_least():
    shares = welcome(Shares(), [open_campaign(1), open_campaign(2)])
    shares = charge(shares, project="p", campaign_id=1, seconds=1000, weight=1)
    shares = charge(shares, project="p", campaign_id=2, seconds=600, weight=1)
    shares = welcome(
        shares,
        [open_campaign(1), open_campaign(2), open_campaign(3), open_campaign(4, project="q")],
    )
    assert shares.campaigns == {1: 1000, 2: 600, 3: 600, 4: 0}
    assert shares.projects == {"p": 1600, "q": 1600}


def test_a_project_that_comes_and_goes_does_not_get_its_past_back():
    shares = welcome(Shares(), [open_campaign(1), open_campaign(2, project="q")])
    shares = charge(shares, project="q", campaign_id=2, seconds=500, weight=1)
    shares = welcome(shares, [open_campaign(1)])
    shares = welcome(shares, [open_campaign(1), open_campaign(3, project="q")])
    assert shares.projects["q"] == 500


# --- over a virtual clock ---


class Farm:
    """Workers that paint chunks of a given length, on a clock of their own."""

    def __init__(self, size, weights=None, quotas=None):
        self.now, self.size, self.weights, self.quotas = 0.0, size, weights or {}, quotas or {}
        self.campaigns, self.given, self.first, self.shares = {}, {}, {}, Shares()
        self.holds = {k: [] for k in range(size)}
        self.idle_s, self.keys = 0.0, itertools.count()

    def submit(self, number, chunks, chunk_s, guess=1.0, **changes):
        """`guess` is what a chunk is taken to cost beside what it does, until the first has
        ended.
        """
        self.campaigns[number] = dict(
            left=chunks, chunk_s=chunk_s, guess=guess, ended=0, changes=changes
        )
        self.given[number] = 0.0

    def look(self):
        rows = []
        for number, c in self.campaigns.items():
            held = [k for k, holds in self.holds.items() for h in holds if h[0] == number]
            if c["left"] or held:
                rows.append(
                    open_campaign(
                        number, left=c["left"] + len(held), ended=c["ended"], running=len(held),
                        waiting=c["left"] > 0,
                        workers=frozenset(f"w{k}" for k in held), device_s=self.given[number],
                        megapixel_steps=c["guess"]
                        * c["chunk_s"]
                        * (c["left"] + len(held) + c["ended"]),
                        **c["changes"],
                    )
                )  # fmt: skip
        return rows

    def step(self):
        """Deal, then let time pass until a worker is done with a chunk."""
        barren = set()
        while seats := self.deal(barren):
            for seat in seats:
                self.sit(seat, barren)
        passing = min((holds[0][1] for holds in self.holds.values() if holds), default=None)
        if passing is None:
            return False
        for holds in self.holds.values():
            if not holds:
                self.idle_s += passing if any(c["left"] for c in self.campaigns.values()) else 0.0
                continue
            self.first.setdefault(holds[0][0], self.now)
            holds[0][1] -= passing
            if holds[0][1] <= 1e-9:
                self.finish(*holds.pop(0)[:1])
        self.now += passing
        return True

    def deal(self, barren):
        rows = self.look()
        self.shares = welcome(self.shares, rows)
        free = [
            FreeWorker(name=f"w{k}", holds=tuple((h[0], (h[2], 1)) for h in holds))
            for k, holds in self.holds.items()
        ]
        return deal(
            rows,
            free,
            self.shares,
            self.weights,
            self.now,
            self.size,
            barren=barren,
            quotas=self.quotas,
        )

    def sit(self, seat, barren):
        c = self.campaigns[seat.campaign_id]
        if not c["left"]:
            barren.add((seat.campaign_id, seat.worker))
            return
        c["left"] -= 1
        holds = self.holds[int(seat.worker[1:])]
        if seat.instead_of:
            (back,) = [h for h in holds if h[2] == seat.instead_of[0]]
            holds.remove(back)
            self.campaigns[back[0]]["left"] += 1
        holds.append([seat.campaign_id, c["chunk_s"], next(self.keys)])

    def finish(self, number):
        c = self.campaigns[number]
        self.given[number] += c["chunk_s"]
        c["ended"] += 1
        project = c["changes"].get("project", "p")
        weight = self.weights.get(project, 1.0)
        self.shares = charge(
            self.shares, project=project, campaign_id=number, seconds=c["chunk_s"], weight=weight
        )


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 12), st.floats(1.0, 60.0)), min_size=1, max_size=5),
)
def test_all_work_is_done_and_no_worker_idles_while_some_waits(size, loads):
    farm = Farm(size)
    for number, (chunks, chunk_s) in enumerate(loads, 1):
        farm.submit(number, chunks, chunk_s)
    for _ in range(1000):
        if not farm.step():
            break
    assert all(c["left"] == 0 for c in farm.campaigns.values())
    assert farm.idle_s == 0


@given(st.integers(1, 4), st.floats(5.0, 60.0), st.floats(5.0, 60.0), st.floats(0.5, 4.0))
def test_projects_get_what_their_weights_say(size, one_s, two_s, weight):
    farm = Farm(size, {"q": weight})
    farm.submit(1, 10**6, one_s)
    farm.submit(2, 10**6, two_s, project="q")
    while farm.now < 5_000:
        farm.step()
    error = abs(farm.given[1] - farm.given[2] / weight)
    # A bounded debt for what is warm, and the chunks that are under way.
    assert error <= AFFINITY_S + 2 * size * max(one_s, two_s) * max(1, 1 / weight)


@given(st.integers(1, 4), st.integers(1, 40))
def test_a_small_campaign_starts_within_one_chunks_time(size, head_start):
    farm = Farm(size)
    farm.submit(1, 1000, 60.0)
    for _ in range(head_start):
        farm.step()
    came = farm.now
    farm.submit(2, 3, 5.0)
    for _ in range(10):
        farm.step()
    assert farm.first[2] - came <= 60.0


def test_a_long_campaign_is_not_starved_by_many_small_ones():
    farm = Farm(2)
    farm.submit(1, 1000, 60.0)
    for number in range(2, 60):
        farm.submit(number, 2, 10.0)
        for _ in range(3):
            farm.step()
    assert farm.given[1] > 0.2 * sum(farm.given.values())


# --- budgets ---


@given(
    st.integers(1, 4),
    st.integers(1, 30),
    st.floats(1.0, 60.0),
    st.floats(0.1, 2000.0),
    st.floats(0.1, 10.0),
)
def test_a_budget_is_overspent_by_no_more_than_what_is_under_way(
    size, chunks, chunk_s, budget_s, guess
):
    farm = Farm(size)
    farm.submit(1, chunks, chunk_s, guess, budget_s=budget_s)
    spent, left = 0.0, chunks
    while farm.step():
        assert spent < budget_s or farm.campaigns[1]["left"] == left
        spent, left = farm.given[1], farm.campaigns[1]["left"]
    dealt = chunks - left
    assert spent >= min(budget_s, chunks * chunk_s) - 1e-6, (
        "what the budget has room for is painted"
    )
    assert (dealt - CHUNKS_PER_WORKER * size) * chunk_s < budget_s
    if guess >= 1:
        assert (dealt - 1) * chunk_s < budget_s + 1e-6, (
            "less than a chunk too much, where none costs more than it was taken for"
        )


def test_what_is_under_way_counts_for_a_budget():
    def dealt(**changes):
        return len(
            deal(
                [open_campaign(1, left=100, megapixel_steps=100.0, **changes)],
                [worker(1), worker(2)],
            )
        )

    assert dealt(budget_s=1e6) == 2 * CHUNKS_PER_WORKER
    assert dealt(budget_s=1.0) == 1, "one smaller than a chunk is spent by the first"
    assert dealt(budget_s=61.0) == 2
    assert dealt(budget_s=61.0, running=60, workers=frozenset("x")) == 1
    assert dealt(budget_s=61.0, running=61, workers=frozenset("x")) == 0
    assert dealt(budget_s=61.0, device_s=61.0, ended=1) == 0


def test_a_spent_budget_takes_no_place_from_others():
    spent = open_campaign(1, priority=90, budget_s=10.0, device_s=10.0, ended=5)
    assert {seat.campaign_id for seat in deal([spent, open_campaign(2)], [worker(1)])} == {2}
    assert deal([spent], [worker(1, holds=[3, 3])]) == [], "nor that of a chunk that waits"


# --- quotas ---


def workers_of(farm, project):
    numbers = {
        number for number, c in farm.campaigns.items() if c["changes"]["project"] == project
    }
    return sum(any(h[0] in numbers for h in holds) for holds in farm.holds.values())


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(
            st.sampled_from("pq"), st.integers(1, 12), st.floats(1.0, 60.0), st.integers(0, 1)
        ),
        min_size=1,
        max_size=6,
    ),
    st.dictionaries(st.sampled_from("pq"), st.integers(1, 4), min_size=1),
)
def test_a_project_never_has_more_workers_than_its_quota_and_all_work_is_done(size, loads, quotas):
    farm = Farm(size, quotas=quotas)
    late = dict(enumerate(loads, 1))
    for k in range(1000):
        for number in [number for number, load in late.items() if k == 3 * load[3]]:
            project, chunks, chunk_s, _ = late.pop(number)
            farm.submit(number, chunks, chunk_s, project=project)
        busy = farm.step()
        assert all(workers_of(farm, project) <= quota for project, quota in quotas.items())
        if not busy and not late:
            break
    assert all(c["left"] == 0 for c in farm.campaigns.values())


def quota(open_campaigns, free, **how):
    return [
        seat.worker
        for seat in assign(
            open_campaigns, free, Shares(), weights={}, now=0.0, size=8, quotas={"p": 2}, **how
        )
    ]


def test_a_quota_counts_every_worker_that_has_a_chunk_of_the_project():
    free = [worker(1), worker(2), worker(3)]
    assert quota([open_campaign(1)], free) == ["w1", "w2", "w1", "w2"]
    assert quota([open_campaign(1), open_campaign(2)], free) == ["w1", "w2", "w1", "w2"]
    assert quota([open_campaign(1, workers=frozenset({"away"}))], free) == ["w1", "w1"]
    assert quota([open_campaign(1)], free, closing={"p": {"w3"}}) == ["w1", "w3", "w1", "w3"]
    assert quota([open_campaign(1)], free, closing={"p": {"x", "y"}, "q": {"z"}}) == []
    assert quota([open_campaign(1, project="q")], free) == ["w1", "w2", "w3"] * 2


def test_a_project_at_its_quota_takes_no_place_of_a_chunk_that_waits():
    """Of two chunks that wait behind others, the campaign that has not begun may have the place on
    a worker of its project alone.
    """
    both = [
        open_campaign(1),
        open_campaign(9, project="q", workers=frozenset({"w1", "w2", "w3"}), ended=1),
    ]
    full = [worker(k, holds=[9, 9]) for k in (1, 2, 3)]
    (seat,) = assign(
        both, full, Shares(), weights={}, now=0.0, size=8, quotas={"p": 1}, closing={"p": {"w2"}}
    )
    assert (seat.campaign_id, seat.worker) == (1, "w2")


def test_what_a_quota_allows_decides_whether_a_deadline_is_missed():
    late = open_campaign(1, priority=0, deadline=60.0, left=100, megapixel_steps=100.0)
    others = open_campaign(2, project="q", priority=90)
    assert {seat.campaign_id for seat in deal([late, others], [worker(1)], size=8)} == {2}
    seats = assign(
        [late, others], [worker(1)], Shares(), weights={}, now=0.0, size=8, quotas={"p": 1}
    )
    assert {seat.campaign_id for seat in seats} == {1}


# --- workers that fail ---


def test_failures_of_three_campaigns_in_a_row_put_a_worker_into_quarantine_for_a_time():
    record = Record()
    for campaign in (1, 1, 2, 1):
        record = after_attempt(record, campaign, failed=True, now=100.0)
    assert record == Record(blamed=(1, 2))
    assert after_attempt(record, 3, failed=False, now=100.0) == Record()
    record = after_attempt(record, 3, failed=True, now=100.0)
    assert record.quarantined_until == 100.0 + FORGIVE_S
    records = {"bad": record}
    assert usable({"bad", "good"}, records, 101.0) == {"good"}
    assert usable({"bad", "good"}, records, 101.0 + FORGIVE_S) == {"bad", "good"}
    # Where there is no other, it is better than none.
    assert usable({"bad"}, records, 101.0) == {"bad"}


# --- numerics classes ---

pinned = st.lists(
    st.builds(
        open_campaign,
        st.integers(1, 10),
        numerics_class=st.sampled_from([None, ANY_CLASS, "c", "d"]),
        waiting=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda c: c.id,
)
mixed = st.lists(
    st.builds(
        worker,
        st.integers(0, 9),
        holds=st.lists(st.just(99), max_size=2),
        numerics_class=st.sampled_from(["c", "d"]),
    ),
    max_size=6,
    unique_by=lambda w: w.name,
)


@given(pinned, mixed)
def test_a_campaign_has_seats_on_workers_of_one_class_unless_it_takes_any(open_campaigns, free):
    seats = deal(open_campaigns, free)
    class_of = {w.name: w.numerics_class for w in free}
    for c in open_campaigns:
        classes = {class_of[seat.worker] for seat in seats if seat.campaign_id == c.id}
        assert c.numerics_class == ANY_CLASS or len(classes) <= 1
        assert c.numerics_class in (None, ANY_CLASS) or classes <= {c.numerics_class}


@given(pinned, mixed)
def test_no_place_stays_empty_while_a_campaign_waits_that_its_worker_may_paint(
    open_campaigns, free
):
    seats = deal(open_campaigns, free)
    for w in free:
        mine = sum(seat.worker == w.name and seat.instead_of is None for seat in seats)
        if any(
            c.waiting and c.numerics_class in (ANY_CLASS, w.numerics_class) for c in open_campaigns
        ):
            assert len(w.holds) + mine >= CHUNKS_PER_WORKER


def test_a_distrusted_worker_is_left_alone_even_where_it_is_the_only_one():
    records = {"a": distrusted("it is odd", now=0.0)}
    assert usable(["a"], records, 1.0) == set()
    assert usable(["a", "b"], records, 1.0) == {"b"}
    assert usable(["a"], records, FORGIVE_S) == {"a"}
    # What others are in quarantine for is another matter.
    records["b"] = Record(quarantined_until=100.0)
    assert usable(["a", "b"], records, 1.0) == {"b"}
    # Failures and successes after that change nothing about it.
    later = after_attempt(records["a"], 7, failed=False, now=2.0)
    assert (later.why, later.quarantined_until) == ("it is odd", FORGIVE_S)


def test_what_a_distrusted_worker_had_can_go_to_another_of_its_class_only():
    records = {"a": distrusted("it is odd", now=0.0)}

    def others(classes, size=None):
        return has_others("a", classes, records, size=size or len(classes), now=1.0)

    assert not others({"a": "c"})
    assert others({"a": "c"}, size=2)  # one more will be started
    assert others({"a": "c", "b": "c"})
    assert others({"a": "c", "b": None})  # it is starting
    assert not others({"a": "c", "b": "d"})
    records["b"] = distrusted("so is this", now=0.0)
    assert not others({"a": "c", "b": "c"})


# --- loading, and workers that differ ---


def shares_of(**levels):
    return Shares(
        projects={"p": 0.0},
        campaigns={int(k[1:]): v for k, v in levels.items()},
        active_projects=frozenset({"p"}),
    )


def test_a_new_campaign_with_a_cold_model_comes_once_its_loading_is_little_beside_the_painted():
    large = open_campaign(1, model_digest="one", workers=frozenset({"w1"}), ended=1)
    new = open_campaign(2, model_digest="two")
    history = History(loads={"one": 10.0, "two": 10.0})
    for painted, first in ((AFFINITY_LOADS * 10 - 1, 1), (AFFINITY_LOADS * 10 + 1, 2)):
        assert (
            deal(
                [large, new],
                [worker(1, warm="one")],
                shares_of(c1=painted, c2=0.0),
                history=history,
            )[0].campaign_id
            == first
        )
        taken = deal(
            [large, new],
            [worker(1, holds=[1, 1], warm="one")],
            shares_of(c1=painted, c2=0.0),
            history=history,
        )
        assert [seat.campaign_id for seat in taken] == [2] * (first == 2), (
            "nor is anything taken back for it before"
        )
    # Where some worker has it warm, it comes at once.
    assert (
        deal([large, new], [worker(1, warm="two")], shares_of(c1=1.0, c2=0.0), history=history)[
            0
        ].campaign_id
        == 2
    )


def test_models_that_are_warm_together_take_turns_and_a_loaded_one_may_take_the_others_place():
    both = [
        open_campaign(k, model_digest=name, workers=frozenset({"x"}), ended=9)
        for k, name in ((1, "one"), (2, "two"))
    ]
    levels = shares_of(c1=60.0, c2=0.0)
    free = lambda warm, holds=(): worker(1, holds=holds, warm=warm)  # noqa: E731
    assert deal(both, [free(["one", "two"])], levels)[0].campaign_id == 2
    assert deal(both, [free(["one"])], levels)[0].campaign_id == 1
    # It is about to load the third one: nobody knows what is left of the others then.
    third = open_campaign(
        3, model_digest="three", workers=frozenset({"w1"}), waiting=False, ended=9
    )
    assert (
        deal([*both, third], [free(["one", "two"], [3])], shares_of(c1=0.0, c2=60.0, c3=0.0))[
            0
        ].campaign_id
        == 1
    )


def test_a_cold_worker_loads_what_no_other_has():
    served = open_campaign(1, model_digest="one", workers=frozenset({"x"}), ended=1)
    left = open_campaign(2, model_digest="two", ended=50)
    assert (
        deal([served, left], [worker(1, warm="old")], shares_of(c1=0.0, c2=60.0))[0].campaign_id
        == 2
    )


PACES = {("one", "s"): {"fast": 1.0, "slow": 8.0}, ("two", "s"): {"fast": 1.0, "slow": 2.0}}
MIXED = History(loads={"one": 0.0, "two": 0.0}, paces=PACES)


def test_each_worker_gets_what_it_is_better_at_than_others_are():
    both = [
        open_campaign(k, model_digest=name, numerics_class=ANY_CLASS)
        for k, name in ((1, "one"), (2, "two"))
    ]
    seats = deal(
        both, [worker(1, numerics_class="slow"), worker(2, numerics_class="fast")], history=MIXED
    )
    assert {(seat.worker, seat.campaign_id) for seat in seats[:2]} == {("w1", 2), ("w2", 1)}


def test_a_slow_worker_takes_nothing_that_faster_ones_would_be_done_with_before_it():
    for left, gets_some in ((1000, True), (1, False)):
        tail = open_campaign(
            1,
            model_digest="one",
            numerics_class=ANY_CLASS,
            workers=frozenset({"w2"}),
            left=left,
            megapixel_steps=left * 10.0,
        )
        free = [worker(1, numerics_class="slow"), worker(2, holds=[1], numerics_class="fast")]
        assert any(seat.worker == "w1" for seat in deal([tail], free, history=MIXED)) == gets_some
        alone = deal([tail], [worker(1, numerics_class="slow")], history=MIXED)
        assert alone, "where it is the only one, it takes all"
