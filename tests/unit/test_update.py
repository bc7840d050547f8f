"""What another version of a campaign keeps of the one before."""

import pytest

from actors.recipes.recipe import Recipe
from farm.campaign.brand import Brand
from farm.campaign.counterparts import kept_redos, redo_numbers
from farm.campaign.expansion import Expansion
from farm.campaign.shots import Redo
from farm.service.update import before_of, compare, counterparts
from tests.campaigns import MODEL, campaign, expansion


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


def redone(*redos, **changes):
    """A campaign with redos, each of a cell."""
    asked = [
        Redo(number=18 + k, of=of, version=version, seed=seed, prompt=prompt)
        for k, (of, version, seed, prompt) in enumerate(redos)
    ]
    return Expansion(campaign(**{**BASE, **changes}), MODEL, redos=asked)


def test_redos_go_on_where_their_pictures_stay_the_same():
    old = redone((5, 2, 77, None), (5, 3, 78, "a lamp"), (0, 2, 79, None))
    kept = kept_redos(old, expansion(**BASE, prompt="one {color} {product}"))
    assert kept == [Redo(number=18, of=5, version=3, seed=78, prompt="a lamp")]
    vary = {"product": ["vase", "mug", "bottle", "lamp"], "color": ["blue", "red"]}
    kept = kept_redos(old, expansion(**{**BASE, "vary": vary}))
    assert [(redo.number, redo.of, redo.version) for redo in kept] == [
        (24, 8, 2),
        (25, 8, 3),
        (26, 9, 2),
    ]
    assert kept_redos(old, expansion(**{**BASE, "seeds": [1]})) == []
    assert kept_redos(expansion(**BASE), expansion(**BASE)) == []
    acme = Brand(
        name="acme", version=1, digest="0" * 64, pack={"name": "acme", "banned": ["lamp"]}
    )
    branded = Expansion(campaign(**BASE), MODEL, brand=acme)
    assert [redo.number for redo in kept_redos(old, branded)] == [18, 19]
    assert all(redo.prompt is None for redo in kept_redos(old, branded))


def test_kept_redos_are_found_again_and_compared_by_their_pictures():
    old = redone((5, 2, 77, None), (0, 2, 79, None), (0, 3, 80, None))
    new = redone((0, 2, 79, None), (0, 3, 80, None))
    assert redo_numbers(old, new) == {18: 19, 19: 20}
    pairs, rest = against(old, new)
    assert (pairs[-2:], rest) == ([(18, 19), (19, 20)], [])
    pairs, rest = compare(old, new, lambda numbers: {n: digest(old, n) for n in numbers if n < 20})
    assert (pairs[-1], rest) == ((18, 19), [19])
    assert against(old, redone((0, 2, 79, None), output={"format": "webp"})) == (
        [],
        [*range(18), 18],
    )
    assert before_of(old, new, 19) == (20, True)
    assert before_of(old, new, 5) == (5, True)
    assert counterparts(old, new, [0, 18, 19, 20]) == {0: 0, 19: 18, 20: 19}
