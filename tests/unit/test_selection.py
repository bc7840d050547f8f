"""Choosing many renders at once says the same as looking at each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.chunks import chunks_among
from farm.campaign.expansion import Expansion
from farm.campaign.redos import redos_of
from farm.campaign.schema import Proof
from farm.campaign.selection import (
    all_numbers,
    at_values,
    axis_indices,
    groups_of,
    of_shot,
    proof_numbers,
    with_seed,
)
from farm.results.where import meant
from tests.campaigns import MODEL, campaign, expansion
from tests.plans import plans


def with_redos(plan, numbers):
    redos = redos_of(plan, numbers, next_seed=True)
    return Expansion(plan.campaign, plan.model, redos=redos)


@st.composite
def some(draw):
    """A plan, with a few redos, and some of its renders."""
    plan = draw(plans())
    own = all_numbers(plan).tolist()
    again = draw(st.lists(st.sampled_from(own), max_size=2)) if own else []
    plan = with_redos(plan, again)
    every = all_numbers(plan)
    return plan, every[
        np.array(draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every))), bool)
    ]


@given(some())
def test_numbers_groups_and_axes_are_those_of_each_render(case):
    plan, numbers = case
    assert all_numbers(plan).tolist() == [n for n in range(plan.size) if plan.has(n)]
    assert groups_of(plan, numbers).tolist() == [plan.group_of(n) for n in numbers.tolist()]
    for place, axis in enumerate(plan.axes):
        values = [axis.values[k] for k in axis_indices(plan, numbers, place)]
        assert values == [plan.render(n)[1].shot.coordinates[axis.name] for n in numbers.tolist()]


@given(some(), st.data())
def test_renders_are_chosen_by_value_seed_and_shot(case, data):
    plan, numbers = case
    renders = {n: plan.render(n)[1] for n in numbers.tolist()}
    if not renders:
        return
    wanted = data.draw(st.sampled_from(list(renders.values())))
    assert with_seed(plan, numbers, wanted.seed).tolist() == [
        n for n, render in renders.items() if render.seed == wanted.seed
    ]
    assert of_shot(plan, numbers, wanted.shot.key).tolist() == [
        n for n, render in renders.items() if render.shot.key == wanted.shot.key
    ]
    for name, value in wanted.shot.coordinates.items():
        assert at_values(plan, numbers, {name: [str(value)]}, meant).tolist() == [
            n for n, render in renders.items() if render.shot.coordinates[name] == value
        ]


WORDS = st.sampled_from(
    ["con.x", "mug", "mug-", "+1", "-1", "x" * 58, "x" * 70, "x" * 59 + " y", "赤", "a_b", "A b"]
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=4, unique=True), max_size=3))
def test_a_shot_is_found_by_its_name_whatever_its_values_are(values):
    vary = {f"v{k}": of_axis for k, of_axis in enumerate(values)}
    plan = expansion(prompt="x " + " ".join(f"{{{name}}}" for name in vary), vary=vary)
    every = all_numbers(plan)
    keys = [plan.render(n)[1].shot.key for n in every.tolist()]
    for key in {*keys, "nothing", "", "mug_0"}:
        assert of_shot(plan, every, key).tolist() == [
            n for n, other in enumerate(keys) if other == key
        ]


@given(some(), st.integers(1, 7))
def test_chunks_have_every_chosen_render_once_and_are_of_one_group(case, room):
    plan, numbers = case
    found = []
    for chunk in chunks_among(plan, numbers, lambda _group, _left: room):
        inside = (
            list(chunk.numbers)
            if chunk.numbers is not None
            else [r.number for r in plan.renders(chunk.group_no, chunk.start, chunk.stop)]
        )
        assert len(inside) == chunk.total <= room
        assert {plan.group_of(n) for n in inside} == {chunk.group_no}
        found += inside
    assert sorted(found) == numbers.tolist()


def test_all_of_a_campaign_is_cut_into_runs():
    plan = expansion()
    chunks = list(chunks_among(plan, all_numbers(plan), lambda _group, _left: 4))
    assert all(chunk.numbers is None for chunk in chunks)


def test_proofs_are_of_the_first_seeds_of_chosen_shots():
    plan = expansion(seeds={"count": 3})  # 6 shots
    assert len(proof_numbers(plan, Proof())) == 18
    assert proof_numbers(plan, Proof(seeds=1)).tolist() == [0, 3, 6, 9, 12, 15]
    assert proof_numbers(plan, Proof(seeds=1, every=4)).tolist() == [0, 12]
    assert proof_numbers(plan, Proof(seeds=2, shots="first-last")).tolist() == [0, 1, 15, 16]
    both = Proof(seeds=1, every=4, shots="first-last")
    assert proof_numbers(plan, both).tolist() == [0, 12, 15]
    assert len(proof_numbers(plan, Proof(seeds=99))) == 18


def test_the_first_and_the_last_shot_are_those_that_no_rule_skips():
    plan = expansion(seeds={"count": 1}, skip=[{"product": "mug", "color": "red"}])
    assert proof_numbers(plan, Proof(shots="first-last")).tolist() == [1, 5]


def test_a_redo_has_the_cell_and_the_settings_of_its_render_and_a_seed_that_no_other_has():
    plan = expansion(seeds={"count": 3})
    plan = with_redos(plan, [4, 4, 5])
    first, second, third = (plan.render(number)[1] for number in sorted(plan.redos))
    assert [r.version for r in (first, second, third)] == [2, 3, 2]
    assert first.shot.key == plan.render(4)[1].shot.key
    seeds = [plan.render(number)[1].seed for number in (3, 4, 5, *sorted(plan.redos))]
    assert len(set(seeds)) == 6
    again = redos_of(plan, [18], next_seed=True)[0]  # of a redo: the next one of the same cell
    assert (again.of, again.version, again.number) == (4, 4, 21)


def test_a_redo_keeps_what_does_not_change():
    plan = expansion(seeds=[11, 12])
    (redo,) = redos_of(plan, [1], prompt="a tall mug")
    plan = Expansion(campaign(seeds=[11, 12]), MODEL, redos=[redo])
    render = plan.render(redo.number)[1]
    assert (render.seed, render.shot.prompt) == (12, "a tall mug")
    assert redos_of(plan, [redo.number], next_seed=True)[0].prompt == "a tall mug"
    assert redos_of(plan, [1], seed=7)[0].seed == 7
