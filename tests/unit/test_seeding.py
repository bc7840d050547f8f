"""Which seeds a shot has: a picture keeps its seed whatever is noted beside it, and a row may
bring its own.
"""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.chunks import chunks_of, plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.seeding import own_seeds
from farm.campaign.seeds import derived_seed
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import DocumentError
from farm.service.update import compare
from tests.campaigns import MODEL, campaign, expansion


def seeds(plan):
    """The seeds of every prompt."""
    found = {}
    for _, render in plan.all_renders():
        found.setdefault(render.shot.prompt, []).append(render.seed)
    return found


def rows(*values, **changes):
    return expansion(
        **{
            "prompt": "a {color} {product}",
            "vary": {"row": list(values)},
            "seeds": {"count": 2, "per": ["row"]},
            **changes,
        }
    )


RED, BLUE = {"color": "red", "product": "mug"}, {"color": "blue", "product": "box"}


def test_notes_change_no_seed():
    plain = seeds(rows(RED, BLUE))
    assert plain == seeds(rows({**RED, "comment": "new"}, {**BLUE, "comment": "old"}))
    assert plain == seeds(rows({**RED, "comment": "news"}, {**BLUE, "comment": "old"}))
    assert len({seed for each in plain.values() for seed in each}) == 4


def test_the_same_words_have_the_same_seeds_as_a_list_and_as_a_table():
    listed = expansion(
        prompt="{place}", vary={"place": ["on a beach", 3]}, seeds={"count": 2, "per": ["place"]}
    )
    for axis, per in (("place", "place"), ("row", "row"), ("row", "place")):
        table = expansion(
            prompt="{place}",
            vary={axis: [{"place": "on a beach"}, {"place": "3"}]},
            seeds={"count": 2, "per": [per]},
        )
        assert seeds(table) == seeds(listed)
    both = expansion(
        vary={"color": ["red"], "product": ["mug"]},
        seeds={"count": 2, "per": ["product", "color"]},
    )
    assert seeds(both) == seeds(rows(RED))


def test_seeds_may_be_derived_from_one_column_and_then_no_other_counts():
    def plan(finish):
        values = [{"color": "red", "finish": finish}, {"color": "blue", "finish": finish}]
        return expansion(
            prompt="{color} {finish}", vary={"row": values}, seeds={"count": 1, "per": ["color"]}
        )

    matt, glossy = (list(seeds(plan(finish)).values()) for finish in ("matt", "glossy"))
    assert matt == glossy
    assert matt[0] != matt[1]


def test_a_column_that_only_seeds_are_derived_from_is_no_note():
    values = [{**RED, "id": 1}, {**RED, "id": 2}]
    plan = expansion(vary={"row": values}, seeds={"count": 1, "per": ["id"]})
    assert len({render.seed for _, render in plan.all_renders()}) == 2
    assert campaign_warnings(plan.campaign) == []
    with pytest.raises(DocumentError, match=r"notes\[0\]: 'id' is not a note"):
        expansion(vary={"row": values}, seeds={"count": 1, "per": ["id"]}, notes=["id"])


def test_settings_count_as_what_they_are_however_they_are_written():
    def plan(guidance, size):
        values = [{**RED, "guidance": guidance, "size": size}]
        return seeds(rows(*values))

    assert plan(3, "128x128") == plan(3.0, "128X128") != plan(3.5, "128x128")


def test_campaigns_of_before_keep_their_seeds_and_names():
    noted = [{**RED, "comment": "new", "seed": 5}, {**BLUE, "comment": "old", "seed": 6}]
    spec = make_spec(rows(*noted).campaign, MODEL, Sources())
    assert spec["derivation"] == 2
    old = json.loads(
        json.dumps({key: value for key, value in spec.items() if key != "derivation"})
    )
    assert seeds(expansion_of(old)) == {
        f"a {row['color']} {row['product']}": [derived_seed(0, k, {"row": row}) for k in range(2)]
        for row in noted
    }
    assert fingerprint(old) == fingerprint(spec)  # the same file is the same campaign still


def test_rows_that_differ_in_notes_alone_are_told():
    (warning,) = campaign_warnings(
        rows(
            {**RED, "id": 1}, BLUE | {"id": 2}, {**RED, "id": 3}, {**RED, "id": 4}, notes=["id"]
        ).campaign
    )
    assert (warning.place, "differs from value 0 in notes alone" in warning.message) == (
        "vary.row[2]",
        True,
    )
    assert "and 1 more" in warning.message
    assert "per: [id]" in warning.message


OWN = (
    {**RED, "seed": 5},
    {**BLUE, "seed": [7, 8, 9]},
    {"color": "teal", "product": "lamp", "seed": "none"},
)


def test_a_row_may_have_seeds_of_its_own():
    plan = rows(*OWN, seeds={"count": 2, "base": 3})
    common = [derived_seed(3, k, {}) for k in range(2)]
    assert seeds(plan) == {"a red mug": [5], "a blue box": [7, 8, 9], "a teal lamp": common}
    assert plan.total == 6
    assert plan.locked_seeds is None
    shots = {render.shot.key for _, render in plan.all_renders()}
    assert len(shots) == 3


@pytest.mark.parametrize(
    ("written", "meant"),
    [(5, (5,)), ("5", (5,)), ("[5, 6]", (5, 6)), ("5 6", (5, 6)), ("5;6", (5, 6)), ("", ())],
)
def test_own_seeds_are_read_as_they_are_written(written, meant):
    assert own_seeds(written) == meant


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("five", "'five' is not a whole number"),
        ("1.5", "not a whole number"),
        ("-1", "not a whole number"),
        (2**32, "out of range"),
        ("9" * 5000, "out of range"),
        ("4 4", "stands twice"),
        ([4, 4], "stands twice"),
    ],
)
def test_bad_seeds_of_a_row_are_told_at_their_place(written, words):
    with pytest.raises(DocumentError, match=rf"vary\.row\[1\]: .*{words}"):
        rows(RED | {"seed": 1}, BLUE | {"seed": written})


def test_where_seeds_can_stand_is_told():
    with pytest.raises(DocumentError, match=r"write `seeds: \[11, 12\]`"):
        expansion(prompt="a mug", vary={"seed": [1, 2]})
    with pytest.raises(DocumentError, match="none are derived from it"):
        rows(*OWN, seeds={"count": 1, "per": ["seed"]})
    (warning,) = campaign_warnings(rows(*OWN[:2], seeds=[1, 2]).campaign)
    assert (warning.place, warning.message.startswith("nothing uses them")) == ("seeds", True)


def test_a_prompt_that_names_seed_means_a_word():
    plan = rows({"seed": "poppy"}, {"seed": "cress"}, prompt="a {seed} seed", seeds=[1])
    assert seeds(plan) == {"a poppy seed": [1], "a cress seed": [1]}
    (warning,) = campaign_warnings(
        rows({"seed": 1}, {"seed": 2}, prompt="a {seed}", seeds=[1]).campaign
    )
    assert "a word of the prompt" in warning.message


def test_an_earlier_versions_campaign_is_told_that_its_column_of_seeds_is_not_obeyed():
    (warning,) = campaign_warnings(rows(*OWN).campaign, 1)
    assert (warning.place, "not obeyed" in warning.message) == ("vary.row", True)


own = st.one_of(st.none(), st.lists(st.integers(0, 50), min_size=1, max_size=4, unique=True))


@st.composite
def uneven(draw):
    count = draw(st.integers(1, 3))
    values = [
        {"color": f"c{k}", "steps": draw(st.integers(1, 2)), "seed": draw(own) or "none"}
        for k in range(draw(st.integers(1, 4)))
    ]
    product = draw(
        st.lists(st.sampled_from(["mug", "box", "lamp"]), min_size=1, max_size=3, unique=True)
    )
    rules = [
        {
            "product": draw(st.sampled_from(product)),
            "color": draw(st.sampled_from(values))["color"],
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    return expansion(vary={"product": product, "row": values}, skip=rules, seeds={"count": count})


@given(uneven(), st.integers(1, 5))
def test_rows_with_more_or_fewer_seeds_are_counted_placed_and_cut_into_chunks(plan, size):
    renders = list(plan.all_renders())
    assert plan.total == len(renders) == len({render.number for _, render in renders})
    for group_no, render in renders:
        assert plan.has(render.number)
        assert plan.render(render.number) == (group_no, render)
        found_group, ordinal = plan.place(render.number)
        assert [r.number for r in plan.renders(found_group, ordinal, ordinal + 1)] == [
            render.number
        ]
    last = max((render.number for _, render in renders), default=0) + plan.seeds_per_shot + 1
    assert sorted(number for number in range(last) if plan.has(number)) == sorted(
        render.number for _, render in renders
    )
    assert sorted(itertools.chain(*(plan.numbers(k) for k in range(plan.groups)))) == sorted(
        render.number for _, render in renders
    )
    numbers = []
    for chunk in plan_chunks(plan, lambda group_no, left: size):
        held = [render.number for render in plan.renders(chunk.group_no, chunk.start, chunk.stop)]
        assert len(held) == chunk.total <= size
        numbers += held
    assert sorted(numbers) == sorted(render.number for _, render in renders)
    explicit = [
        n
        for chunk in chunks_of(
            plan, sorted(numbers), lambda group_no, left: size, total=len(numbers)
        )
        for n in chunk.numbers
    ]
    assert sorted(explicit) == sorted(numbers)


def test_an_update_keeps_the_rows_whose_seeds_stay():
    def digests(plan):
        return lambda numbers: {n: plan.recipe(*plan.render(n)).digest for n in numbers}

    old = rows(*OWN, seeds=[1, 2])
    new = rows(OWN[0], {**BLUE, "seed": [7, 8, 9, 10]}, OWN[2], seeds=[1, 2])
    kept, missing = compare(old, new, digests(old))
    assert {new.render(number)[1].seed for number, _ in kept} == {5, 1, 2}
    assert {new.render(number)[1].seed for number in missing} == {7, 8, 9, 10}
    assert all(old.render(before)[1].seed == new.render(number)[1].seed for number, before in kept)


def test_seeds_in_rows_reach_the_farm_as_they_are_written():
    sent = json.loads(json.dumps(campaign(vary={"row": list(OWN)}).model_dump(mode="json")))
    assert seeds(Expansion(campaign(**sent), MODEL)) == seeds(rows(*OWN, seeds={"count": 3}))
