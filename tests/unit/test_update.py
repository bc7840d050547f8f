"""What another version of a campaign keeps of the one before."""

import pytest

from actors.recipes.recipe import Recipe
from farm.service.update import compare
from tests.campaigns import expansion


def digest(plan, number):
    group_no, render = plan.render(number)
    return Recipe(
        group=plan.group(group_no),
        prompt=render.shot.prompt,
        negative=render.shot.negative,
        seed=render.seed,
    ).digest


def against(old, new):
    return compare(old, new, lambda numbers: {n: digest(old, n) for n in numbers})


def identities(plan, numbers):
    return {
        (r.shot.key, r.seed, digest(plan, r.number)) for _, r in (plan.render(n) for n in numbers)
    }


def test_files_that_are_written_in_another_way_are_painted_again():
    old = expansion(output={"format": "webp"})
    for output, kept in (
        ({"format": "webp"}, 18),
        ({"format": "webp", "quality": 90}, 0),
        ({"format": "png"}, 0),
    ):
        assert len(against(old, expansion(output=output))[0]) == kept
        assert len(against(old, expansion(output=output))[1]) == 18 - kept
    assert against(old, expansion(output={"format": "webp"}, previews={"every": 5}))[0] == []


BASE = {
    "vary": {"product": ["mug", "bottle", "lamp"], "color": ["red", "blue"]},
    "seeds": {"count": 3},
}


@pytest.mark.parametrize(
    ("changes", "kept", "missing"),
    [
        ({}, 18, 0),
        (
            {"vary": {"product": ["mug", "vase", "bottle", "lamp"], "color": ["red", "blue"]}},
            18,
            6,
        ),
        ({"vary": {"product": ["lamp", "mug"], "color": ["blue"]}}, 6, 0),
        (
            {"vary": {"color": ["red", "blue"], "product": ["mug", "bottle", "lamp"]}},
            18,
            0,
        ),  # reordered
        ({"seeds": {"count": 5}}, 18, 12),
        ({"settings": {"steps": 21}}, 0, 18),
        ({"prompt": "one {color} {product}"}, 0, 18),
        (
            {"vary": {**BASE["vary"], "guidance": [3.0, 5.0]}},
            0,
            36,
        ),  # an axis more: other shots, in other folders
        ({"skip": [{"product": "mug"}]}, 12, 0),
    ],
)
def test_what_is_the_same_is_kept_and_nothing_else(changes, kept, missing):
    old, new = expansion(**BASE), expansion(**{**BASE, **changes})
    pairs, rest = against(old, new)
    assert (len(pairs), len(rest)) == (kept, missing)
    assert sorted([number for number, _ in pairs] + rest) == sorted(
        r.number for _, r in new.all_renders()
    )
    assert identities(new, [number for number, _ in pairs]) == identities(
        old, [before for _, before in pairs]
    )


def test_a_seed_in_a_list_is_found_by_what_it_is():
    old, new = (
        expansion(**{**BASE, "seeds": [11, 12, 13]}),
        expansion(**{**BASE, "seeds": [13, 14]}),
    )
    pairs, rest = against(old, new)
    assert (len(pairs), len(rest)) == (6, 6)
    assert {new.render(number)[1].seed for number, _ in pairs} == {13}


def test_a_render_that_has_not_ended_is_painted():
    plan = expansion(**BASE)
    pairs, rest = compare(
        plan, plan, lambda numbers: {n: digest(plan, n) for n in numbers if n < 5}
    )
    assert (len(pairs), len(rest)) == (5, 13)
