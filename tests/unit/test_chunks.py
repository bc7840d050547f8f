"""How a campaign is cut into chunks."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.chunks import chunk_size, chunks_of, plan_chunks
from tests.campaigns import expansion
from tests.plans import plans


@given(plans(), st.integers(1, 9))
def test_chunks_hold_every_render_exactly_once(plan, size):
    numbers = []
    for chunk in plan_chunks(plan, fixed(size)):
        renders = list(plan.renders(chunk.group_no, chunk.start, chunk.stop))
        assert len(renders) == chunk.total <= size
        numbers += [render.number for render in renders]
    assert sorted(numbers) == sorted(render.number for _, render in plan.all_renders())
    assert len(set(numbers)) == len(numbers) == plan.total


@given(plans(), st.integers(1, 9))
def test_only_the_last_chunk_of_a_group_is_short(plan, size):
    for _, chunks in itertools.groupby(
        plan_chunks(plan, fixed(size)), key=lambda chunk: chunk.group_no
    ):
        assert all(chunk.total == size for chunk in list(chunks)[:-1])


@pytest.mark.parametrize("size", ["8x8", "128x128", "4096x4096"])
def test_a_chunk_is_whole_batches(size):
    plan = expansion(settings={"size": size, "steps": 50}, seeds={"count": 5000})
    assert chunk_size(plan)(0, plan.total) % plan.group(0).batch == 0


def test_a_small_campaign_is_cut_for_several_workers():
    plan = expansion(seeds={"count": 16})
    assert len(list(plan_chunks(plan, chunk_size(plan)))) >= 16


def test_chunks_grow_smaller_towards_the_end_so_that_all_workers_finish_together():
    plan = expansion(seeds={"count": 5000})
    sizes = [chunk.total for chunk in plan_chunks(plan, chunk_size(plan))]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (180, plan.group(0).batch)
    assert sum(sizes) == plan.total


def fixed(size):
    return lambda group_no, left: size


@given(plans(), st.integers(1, 9))
def test_chunks_of_some_renders_hold_just_those(plan, size):
    wanted = [render.number for _, render in plan.all_renders()][::2]
    chunks = list(chunks_of(plan, wanted, fixed(size)))
    assert sorted(n for chunk in chunks for n in chunk.numbers) == sorted(wanted)
    assert all(chunk.total == len(chunk.numbers) <= size for chunk in chunks)
    assert all(plan.group_of(n) == chunk.group_no for chunk in chunks for n in chunk.numbers)


@pytest.mark.parametrize(
    ("order", "first"),
    [("as-written", [0, 1, 2, 3]), ("every-5", [0, 5, 10, 15]), ("ends-first", [0, 17, 1, 2])],
)
def test_a_campaign_is_painted_in_the_order_that_it_asks_for(order, first):
    plan = expansion(order=order)
    numbers = []
    for chunk in plan_chunks(plan, fixed(2)):
        numbers += chunk.numbers or [
            r.number for r in plan.renders(chunk.group_no, chunk.start, chunk.stop)
        ]
    assert numbers[:4] == first
    assert sorted(numbers) == list(range(18))


def test_a_model_with_a_history_gets_chunks_of_about_a_minute():
    plan = expansion(settings={"size": "1024x1024", "steps": 30}, seeds={"count": 5000})
    seconds = chunk_size(plan, 0.02)(0, plan.total) * plan.group(0).megapixel_steps * 0.02
    assert 45 < seconds <= 60
