"""Which renders of two campaigns belong together, and what became of each."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.results.pairing import Kind, pairs
from tests.campaigns import expansion

BASE = {
    "vary": {"product": ["mug", "bottle", "lamp"], "color": ["red", "blue"]},
    "seeds": {"count": 3},
}


def paired(old, new):
    return list(pairs(expansion(**{**BASE, **old}), expansion(**{**BASE, **new})))


def counts(found):
    counted = Counter(pair.kind for pair in found)
    return tuple(counted[kind] for kind in Kind)


def coordinates(changes, number):
    return dict(expansion(**{**BASE, **changes}).render(number)[1].shot.coordinates)


@pytest.mark.parametrize(
    ("changes", "expected"),  # kept, changed, new, retired
    [
        ({}, (18, 0, 0, 0)),
        ({"settings": {"steps": 21}}, (0, 18, 0, 0)),
        ({"prompt": "one {color} {product}"}, (0, 18, 0, 0)),
        ({"seeds": {"count": 5}}, (18, 0, 12, 0)),
        ({"seeds": {"count": 2}}, (12, 0, 0, 6)),
        ({"skip": [{"product": "mug"}]}, (12, 0, 0, 6)),
        (
            {"vary": {"color": ["blue", "red"], "product": ["lamp", "mug", "bottle"]}},
            (18, 0, 0, 0),
        ),  # in another order
        (
            {"vary": {"product": ["mug", "vase", "bottle", "lamp"], "color": ["red", "blue"]}},
            (18, 0, 6, 0),
        ),
        ({"vary": {"product": ["mug"], "color": ["red", "blue"]}}, (6, 0, 0, 12)),
        (
            {"vary": {"product": ["mug", "bottle", "lamp"], "color": ["red", "green"]}},
            (9, 9, 0, 0),
        ),
        ({"vary": {**BASE["vary"], "guidance": [3.0, 7.0]}}, (0, 18, 18, 0)),
    ],
)
def test_every_kind_of_edit_is_counted_as_what_it_is(changes, expected):
    assert counts(paired({}, changes)) == expected


def test_the_other_way_round_what_was_new_is_retired():
    changes = {"vary": {"product": ["mug", "vase", "bottle", "lamp"], "color": ["red", "green"]}}
    kept, changed, new, retired = counts(paired({}, changes))
    assert counts(paired(changes, {})) == (kept, changed, retired, new)


def test_a_listed_seed_is_found_by_what_it_is_and_the_rest_in_order():
    found = paired({"seeds": [11, 12, 13]}, {"seeds": [13, 14]})
    assert counts(found) == (6, 6, 0, 6)


def test_a_value_that_took_the_place_of_another_is_its_counterpart_in_every_other_axis():
    changes = {
        "vary": {"product": ["mug", "bottle", "lamp"], "color": ["crimson", "blue", "green"]}
    }
    for pair in paired({}, changes):
        if pair.kind is Kind.CHANGED:
            was, now = coordinates({}, pair.old), coordinates(changes, pair.new)
            assert (was, now) == (
                {"product": now["product"], "color": "red"},
                {"product": now["product"], "color": "crimson"},
            )
        if pair.kind is Kind.NEW:
            assert coordinates(changes, pair.new)["color"] == "green"


def test_of_a_new_axis_the_value_that_was_set_before_is_kept():
    found = paired(
        {"settings": {"guidance": 5.0}}, {"vary": {"guidance": [3.0, 5.0, 7.0], **BASE["vary"]}}
    )
    assert counts(found) == (18, 0, 36, 0)


def test_an_axis_of_another_name_with_the_same_values_is_the_same_axis():
    found = paired(
        {},
        {
            "prompt": "a {colour} {product}",
            "vary": {"product": BASE["vary"]["product"], "colour": ["red", "blue"]},
        },
    )
    assert counts(found) == (18, 0, 0, 0)


def test_a_row_whose_text_changed_is_found_by_its_first_column():
    def rows(*texts):
        return {
            "prompt": "{text}",
            "vary": {"item": [{"id": k, "text": text} for k, text in texts]},
            "seeds": [1],
        }

    before, after = (
        rows(("a", "a mug"), ("b", "a bottle"), ("c", "a lamp")),
        rows(("z", "a vase"), ("a", "a mug"), ("b", "one bottle")),
    )
    found = {pair.new: pair for pair in paired(before, after)}
    assert (found[1].kind, found[1].old) == (Kind.KEPT, 0)
    assert (found[2].kind, found[2].old) == (Kind.CHANGED, 1)
    assert (found[0].kind, found[0].old) == (Kind.CHANGED, 2)  # what is left, in order


def test_campaigns_that_have_nothing_in_common_are_paired_by_their_seeds():
    found = paired(
        {"seeds": [1, 2]},
        {"prompt": "a {tree}", "vary": {"tree": ["oak", "elm"]}, "seeds": [2, 3]},
    )
    assert counts(found) == (0, 4, 0, 8)
    seeds = [
        (expansion(**{**BASE, "seeds": [1, 2]}).render(pair.old)[1].seed, pair.new % 2)
        for pair in found
        if pair.kind is Kind.CHANGED
    ]
    assert seeds == [(2, 0), (1, 1), (2, 0), (1, 1)]


EDITS = st.fixed_dictionaries(
    {
        "vary": st.fixed_dictionaries(
            {
                "product": st.lists(
                    st.sampled_from(["mug", "lamp", "vase"]), min_size=1, unique=True
                )
            },
            optional={
                "color": st.lists(
                    st.sampled_from(["red", "blue", "green"]), min_size=1, unique=True
                ),
                "guidance": st.lists(st.sampled_from([3.0, 5.0, 7.0]), min_size=1, unique=True),
            },
        ),
        "seeds": st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
        "skip": st.sampled_from([[], [{"product": "mug"}], [{"seed": 1}]]),
    }
)


def of(edit):
    color = "{color}" if "color" in edit["vary"] else "plain"
    skip = [
        rule for rule in edit["skip"] if rule.get("product") in (None, *edit["vary"]["product"])
    ]
    skip = [rule for rule in skip if rule.get("seed") in (None, *edit["seeds"])]
    return expansion(
        prompt=f"a {color} {{product}}", vary=edit["vary"], seeds=edit["seeds"], skip=skip
    )


@settings(max_examples=150)
@given(EDITS, EDITS)
def test_every_render_of_both_is_in_one_pair(old, new):
    before, after = of(old), of(new)
    found = list(pairs(before, after))
    assert sorted(pair.old for pair in found if pair.old is not None) == sorted(
        r.number for _, r in before.all_renders()
    )
    assert sorted(pair.new for pair in found if pair.new is not None) == sorted(
        r.number for _, r in after.all_renders()
    )
    for pair in found:
        if pair.kind in (Kind.KEPT, Kind.CHANGED):
            (a, was), (b, now) = before.render(pair.old), after.render(pair.new)
            assert (before.recipe(a, was).digest == after.recipe(b, now).digest) == (
                pair.kind is Kind.KEPT
            )
