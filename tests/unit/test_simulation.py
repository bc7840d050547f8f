"""The simulator: that it does all the work, that a trace is the same twice, and that its figures
can be followed by hand.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.documents.document import DocumentError
from farm.fleet_file import load_fleet
from farm.scheduling.values import AFFINITY_LOADS, Limits, Pool
from farm.simulation.simulator import simulate, what_if
from farm.simulation.trace import Trace, Work
from farm.simulation.trace_file import load_trace


def work(name="c", **changes):
    return Work(
        **{**dict(name=name, model="m", renders=400, batch=4, batch_s=1.0, load_s=0.0), **changes}
    )


def trace(*works, ceiling=4, pools=None, **changes):
    return Trace(works=works, pools=pools or [Pool()], limits=Limits(ceiling=ceiling), **changes)


def test_a_campaign_on_workers_that_come_at_once():
    report = simulate(trace(work()))
    assert report.bound == 25.0
    assert report.makespan <= 1.05 * report.bound + 0.25
    assert (report.renders, report.failed, report.lost, report.most_workers, report.loads) == (
        400,
        0,
        0,
        4,
        4,
    )
    assert report.finished == {"c": report.makespan}


def test_a_worker_is_paid_for_and_loads_its_model():
    report = simulate(
        trace(work(renders=40, load_s=5.0), ceiling=1, pools=[Pool(price=3600.0, start_s=10.0)])
    )
    assert report.makespan == pytest.approx(10 + 5 + 10, abs=0.5)
    assert report.cost == pytest.approx(report.makespan, abs=0.5)
    assert report.busy == pytest.approx(10 / report.makespan, abs=0.01)


def test_more_workers_are_faster_until_there_is_too_little_for_them():
    reports = [
        report
        for _, report in what_if(
            trace(work(renders=4000), pools=[Pool(start_s=20)]), [1, 4, 16, 1000]
        )
    ]
    times = [report.makespan for report in reports]
    assert times[0] > times[1] > times[2] >= times[3]
    assert reports[3].most_workers <= 1000 / 20


def test_a_small_campaign_does_not_wait_for_a_large_one():
    report = simulate(
        trace(work("large", renders=100_000), work("small", renders=12, arrives_s=100.0))
    )
    assert report.finished["small"] < 100 + 2 * 64
    assert report.finished["large"] == pytest.approx(100_000 / 4 / 4, rel=0.01)


def test_projects_are_given_what_their_weights_say():
    both = (work("a", project="a", renders=40_000), work("b", project="b", renders=40_000))
    assert simulate(trace(*both, weights={"a": 3.0})).fairness > 0.98


def test_a_project_keeps_to_its_quota_and_the_others_have_the_rest():
    both = (work("a", project="a"), work("b", project="b"))
    report = simulate(trace(*both, quotas={"a": 1}))
    assert report.finished["a"] == pytest.approx(100, rel=0.05)
    assert report.finished["b"] == pytest.approx(100 / 3, rel=0.1)
    alone = simulate(trace(work(renders=4000), ceiling=50, quotas={"default": 3}))
    assert alone.most_workers == 3, "no worker is asked for that would have nothing"


def test_workers_that_are_taken_away_cost_time_and_nothing_else():
    pools = [Pool(name="spot", price=1.0, start_s=5.0)]
    report = simulate(trace(work(renders=4000), pools=pools, losses_per_hour={"spot": 60.0}))
    assert report.lost > 0
    assert (report.renders, report.failed) == (4000, 0)
    assert report.makespan > report.bound


def test_where_a_pool_gives_nothing_the_next_one_is_asked():
    pools = [
        Pool(name="spot", price=0.3, start_s=30.0, grace_s=60.0),
        Pool(name="demand", price=1.0, start_s=30.0),
    ]
    report = simulate(trace(work(renders=4000), pools=pools, missing=frozenset({"spot"})))
    assert report.makespan < 60 + 30 + 4000 / 4 / 4 + 60
    assert report.cost > 0


def test_work_that_nobody_will_paint_is_said():
    pools = [Pool(name="spot", grace_s=60.0)]
    with pytest.raises(ValueError, match="No pool gives a worker"):
        simulate(trace(work(), pools=pools, missing=frozenset({"spot"})))


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            Work, name=st.uuids().map(str), model=st.sampled_from("abc"),
            renders=st.integers(1, 300), batch=st.integers(1, 8),
            batch_s=st.floats(0.1, 10), load_s=st.floats(0, 30), project=st.sampled_from("xy"),
            priority=st.integers(0, 100),
            max_workers=st.none() | st.integers(1, 5), arrives_s=st.floats(0, 500),
            deadline_s=st.none() | st.floats(1, 5000),
        ),
        min_size=1, max_size=6,
    ),
    st.integers(1, 12), st.floats(0, 0.2), st.floats(0, 20), st.integers(0, 99),
    st.dictionaries(st.sampled_from("xy"), st.integers(1, 5)),
)  # fmt: skip
def test_every_trace_ends_and_is_the_same_again(
    works, ceiling, failure_rate, losses, seed, quotas
):
    pools = [
        Pool(name="spot", price=0.3, start_s=20.0),
        Pool(name="demand", price=1.0, speed=2.0, limit=2),
    ]
    given = trace(
        *works,
        ceiling=ceiling,
        pools=pools,
        failure_rate=failure_rate,
        losses_per_hour={"spot": losses},
        seed=seed,
    )
    given = replace(given, quotas=quotas)
    report = simulate(given)
    assert report == simulate(given)
    assert set(report.finished) == {one.name for one in works}
    assert report.makespan >= report.bound - 1e-6
    assert report.most_workers <= ceiling
    if {one.project for one in works} <= quotas.keys():
        assert report.most_workers <= sum(quotas.values())
    assert 0 < report.busy <= 1
    assert 0 < report.fairness <= 1 + 1e-9


def test_a_trace_is_read_from_a_file_and_its_mistakes_are_named(tmp_path):
    path = tmp_path / "trace.yaml"
    path.write_text(
        "workers: 4\nquotas: {default: 2}\npools: [{name: p, start_s: 1}]\ncampaigns: [{name: c,"
        " model: 'm{n}', renders: 8, batch_s: 1, count: 2, every_s: 5, arrives_s: 1}]\n"
    )
    read = load_trace(path)
    assert [(one.name, one.model, one.arrives_s) for one in read.works] == [
        ("c-0", "m0", 1.0),
        ("c-1", "m1", 6.0),
    ]
    assert (simulate(read).renders, read.quotas) == (16, {"default": 2})
    for change, words in (
        ("workers: 4", "workers: 0"),
        ("default: 2", "default: 0"),
        ("start_s: 1", "strat_s: 1"),
        ("renders: 8", "renders: many"),
        ("pools:", "missing: [q]\npools:"),
        ("name: p,", "name: P,"),
    ):
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(path.read_text().replace(change, words))
        with pytest.raises(DocumentError, match=r"wrong.yaml:\d+"):
            load_trace(wrong)


def test_keys_without_a_unit_are_still_read_with_one_warning(tmp_path, caplog):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(
        "workers: 4\nidle: 9\nprice: 8\npools: [{name: p, start: 1, grace: 60, price: 0.5}]\n"
        "campaigns: [{name: c, model: m, renders: 8, batch_seconds: 2, load: 3, deadline: 50,"
        " count: 2, every: 5, arrives: 1}]\n"
    )
    new.write_text(
        "workers: 4\nidle_s: 9\nprice_per_hour: 8\n"
        "pools: [{name: p, start_s: 1, grace_s: 60, price_per_hour: 0.5}]\n"
        "campaigns: [{name: c, model: m, renders: 8, batch_s: 2, load_s: 3, deadline_s: 50,"
        " count: 2, every_s: 5, arrives_s: 1}]\n"
    )
    assert load_trace(old) == load_trace(old) == load_trace(new)
    (warning,) = caplog.messages
    assert "old.yaml has keys with old names" in warning
    assert "batch_seconds (now batch_s)" in warning
    assert "price (now price_per_hour)" in warning


def test_a_key_with_both_its_names_is_an_error_at_its_place(tmp_path):
    path = tmp_path / "both.yaml"
    path.write_text(
        "workers: 4\nprice: 1\nprice_per_hour: 2\npools:\n"
        "  - name: p\n    start_s: 1\n    start: 1\n"
    )
    with pytest.raises(DocumentError) as error:
        load_fleet(path)
    path.write_text(
        f"{path.read_text()}campaigns:\n"
        "  - {name: c, model: m, renders: 8, batch_s: 2}\n"
        "  - {name: d, model: m, renders: 8, batch_s: 2,\n     batch_seconds: 2}\n"
    )
    with pytest.raises(DocumentError) as error_of_trace:
        load_trace(path)
    first, second = str(error.value).splitlines()
    assert first == (
        f"{path}:2: price: 'price' is the old name of 'price_per_hour', which is written here too:"
        " keep 'price_per_hour' and remove 'price'."
    )
    assert second.startswith(f"{path}:7: pools[0].start: 'start' is the old name of 'start_s'")
    *others, third = str(error_of_trace.value).splitlines()
    assert others == [first, second]
    assert third.startswith(f"{path}:11: campaigns[1].batch_seconds: ")


@pytest.mark.parametrize("rows", ["x", "{p: {start: 1, start_s: 1}}", "[x, null]"])
def test_names_are_compared_only_in_lists_of_mappings(tmp_path, rows):
    path = tmp_path / "wrong.yaml"
    path.write_text(f"pools: {rows}\n")
    with pytest.raises(DocumentError, match=r"wrong.yaml:1: pools.* is not a "):
        load_fleet(path)


FAST, SLOW = Pool(name="fast", limit=1), Pool(name="slow", limit=4)
APART = {"fast": "f", "slow": "s"}


def test_workers_of_different_speed_finish_together():
    given = trace(
        work(renders=20_000, any_class=True),
        ceiling=5,
        pools=[FAST, SLOW],
        classes=APART,
        speeds={"fast": {"m": 8.0}, "slow": {"m": 1.0}},
    )
    report = simulate(given)
    assert report.makespan <= 1.05 * report.bound


def test_a_campaign_that_is_pinned_stays_with_one_class():
    report = simulate(trace(work(renders=2000), ceiling=5, pools=[FAST, SLOW], classes=APART))
    assert report.makespan == pytest.approx(2000 / 4, rel=0.1) or report.makespan == pytest.approx(
        2000 / 4 / 4, rel=0.1
    )
    assert (
        report.makespan
        > simulate(
            trace(work(renders=2000, any_class=True), ceiling=5, pools=[FAST, SLOW], classes=APART)
        ).makespan
    )


def test_what_a_pool_shows_counts_more_than_what_its_file_says():
    """The second pool is said to be the better bargain, and is not. Both paint the first campaign;
    the later ones find out.
    """
    pools = [
        Pool(name="true", price=1.0, start_s=30.0),
        Pool(name="said", price=1.0, speed=2.0, start_s=30.0, limit=4),
    ]
    works = [work(f"c{k}", renders=8000, any_class=True, arrives_s=3000.0 * k) for k in range(6)]
    apart, speeds = {"true": "t", "said": "s"}, {"said": {"m": 0.25}}
    seen = simulate(trace(*works, ceiling=8, pools=pools, classes=apart, speeds=speeds))
    blind = simulate(
        trace(*works, ceiling=8, pools=pools, speeds=speeds)
    )  # all are of one class: nothing can be compared
    assert seen.cost < 0.9 * blind.cost
    assert seen.makespan < blind.makespan


def test_a_worker_on_which_everything_fails_is_left_alone_for_a_time():
    works = [work(name, renders=2000) for name in "abcd"]
    report = simulate(trace(*works, ceiling=8, pools=[Pool(name="p")], faulty={"p": 0.25}, seed=3))
    assert report.quarantined > 0
    assert report.failed < 0.02 * report.renders
    assert set(report.finished) == set("abcd")


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.floats(0.0, 60.0), st.floats(100.0, 3000.0))
def test_a_new_campaign_whose_model_is_cold_waits_no_longer_than_is_promised(size, load_s, came):
    large = work("large", renders=4 * 6000 * size, load_s=load_s)
    small = work("small", renders=4, model="other", load_s=load_s, arrives_s=came)
    report = simulate(trace(large, small, ceiling=size, pools=[Pool(limit=size)]))
    chunk_s = 64.0
    assert (
        report.finished["small"] - came
        <= AFFINITY_LOADS * load_s / size + 2 * chunk_s + load_s + 1
    )


@pytest.mark.parametrize(("batches", "most"), [(200, 4), (600, 5)])
def test_models_that_share_workers_are_loaded_seldom(batches, most):
    """Three models on two workers, where loading takes as long as 20 batches: four loads share the
    work evenly.
    """
    works = [work(f"c{k}", model=f"m{k}", renders=batches, batch=1, load_s=20.0) for k in range(3)]
    report = simulate(trace(*works, ceiling=2))
    assert report.loads <= most
    assert report.makespan <= 1.05 * (3 * batches + 4 * 20) / 2


def test_models_that_fit_beside_each_other_are_loaded_once():
    works = [work(f"c{k}", model=f"m{k}", renders=4000, load_s=20.0) for k in range(3)]
    report = simulate(trace(*works, ceiling=2, pools=[Pool(name="p")], warm={"p": 3}))
    assert report.loads <= 6
    assert report.loads < simulate(trace(*works, ceiling=2, pools=[Pool(name="p")])).loads


def test_a_small_campaign_takes_the_place_of_a_chunk_that_waits_although_all_workers_are_full():
    large = work("large", renders=4 * 6000)
    small = work("small", renders=4, arrives_s=100.0)
    report = simulate(trace(large, small, ceiling=1, pools=[Pool(limit=1)]))
    chunk_s, own_s = 64.0, 4.0
    assert report.finished["small"] - 100.0 <= chunk_s + own_s + 1
