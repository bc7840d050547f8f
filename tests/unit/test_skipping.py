"""Rules that name a seed: what they leave out, how that is counted, and what is said of a seed
that no shot has.
"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.checks import parse_campaign
from farm.campaign.chunks import plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.seeds import derived_index, derived_seed
from farm.campaign.selection import all_numbers, with_seed
from farm.documents.document import DocumentError
from tests.campaigns import MODEL, campaign, data, expansion

ROWS = [
    {"product": "mug", "color": "red", "seed": "1, 2"},
    {"product": "box", "color": "red", "seed": "none"},
    {"product": "lamp", "color": "blue", "seed": "2"},
]
VARY = {"product": ["mug", "bottle", "lamp"], "color": ["red", "blue"]}


def left(plan):
    return {
        (render.shot.coordinates["product"], render.shot.coordinates["color"], render.seed)
        for _, render in plan.all_renders()
    }


def all_of(seeds, vary=VARY):
    return set(itertools.product(vary["product"], vary["color"], seeds))


def fixed(size):
    return lambda _group_no, _left: size


def test_a_seed_is_left_out_everywhere_or_with_values():
    assert left(expansion(seeds=[11, 12], skip=[{"seed": 12}])) == all_of([11])
    assert left(expansion(seeds=[11, 12], skip=[{"seed": 12.0}])) == all_of([11])
    assert left(expansion(seeds=[11, 12], skip=[{"product": "mug", "seed": 12}])) == all_of(
        [11, 12]
    ) - {
        ("mug", "red", 12),
        ("mug", "blue", 12),
    }
    assert left(
        expansion(seeds=[11, 12], skip=[{"seed": "12"}, {"color": "red", "seed": 11}])
    ) == set(itertools.product(VARY["product"], ["blue"], [11]))
    both = expansion(
        seeds=[11, 12], skip=[{"product": "mug"}, {"product": "mug", "color": "red", "seed": 11}]
    )
    assert (left(both), both.total) == (
        all_of([11, 12], {**VARY, "product": ["bottle", "lamp"]}),
        8,
    )


def test_derived_seeds_are_named_by_what_they_are():
    locked = [derived_seed(0, k, {}) for k in range(3)]
    plan = expansion(seeds={"count": 3}, skip=[{"seed": locked[1]}])
    assert left(plan) == all_of([locked[0], locked[2]])
    own = expansion(seeds={"count": 2, "per": ["product"]})
    seed = next(seed for product, _, seed in sorted(left(own)) if product == "mug")
    assert left(expansion(seeds={"count": 2, "per": ["product"]}, skip=[{"seed": seed}])) == {
        render for render in left(own) if render[2] != seed
    }


def test_numbers_stay_and_what_is_left_out_has_none():
    whole, plan = (
        expansion(seeds=[11, 12, 13]),
        expansion(seeds=[11, 12, 13], skip=[{"product": "mug", "color": "red", "seed": 12}]),
    )
    kept = {render.number: render for _, render in plan.all_renders()}
    assert kept == {
        render.number: render for _, render in whole.all_renders() if render.number != 1
    }
    assert [plan.has(number) for number in (0, 1, 2)] == [True, False, True]
    assert [plan.is_skipped(number) for number in (0, 1, 2)] == [False, True, False]
    assert [number for group in range(plan.groups) for number in plan.numbers(group)] == sorted(
        kept
    )


SEEDS = st.sampled_from(
    [
        [1, 2, 3],
        {"count": 3},
        {"count": 2, "per": ["product"]},
        {"count": 2, "per": ["product", "color"]},
        "rows",
    ]
)


@st.composite
def plans(draw):
    seeds = draw(SEEDS)
    changes = (
        {"vary": {"row": ROWS, "place": ["here", "there"]}, "prompt": "{product} {color} {place}"}
        if seeds == "rows"
        else {"vary": VARY}
    )
    changes["seeds"] = [3, 1] if seeds == "rows" else seeds
    known = sorted({render.seed for _, render in expansion(**changes).all_renders()})
    rules = []
    for _ in range(draw(st.integers(1, 4))):
        rule = {}
        for name, values in (
            ("product", ["mug", "lamp"]),
            ("color", ["red", "blue"]),
            ("seed", known),
        ):
            if draw(st.booleans()):
                rule[name] = draw(st.sampled_from(values))
        rules.append(rule or {"color": "red"})
    steps = {**changes["vary"], "steps": [4, 8]} if draw(st.booleans()) else changes["vary"]
    return Expansion(campaign_of(**{**changes, "vary": steps, "skip": rules}), MODEL)


def campaign_of(**changes):
    return campaign(**{"prompt": "a {color} {product}", **changes})


@given(plans())
def test_the_count_and_every_way_to_a_render_agree(plan):
    renders = {render.number: (group_no, render) for group_no, render in plan.all_renders()}
    assert plan.total == len(renders)
    for number, (group_no, render) in renders.items():
        rules = [
            all(
                str({**coordinates(render), "seed": render.seed}[name]) == str(value)
                for name, value in rule.items()
            )
            for rule in plan.campaign.skip
        ]
        assert not any(rules)
        assert plan.has(number)
        assert plan.render(number) == (group_no, render)
        assert plan.place(number)[0] == group_no
    numbers = [number for group in range(plan.groups) for number in plan.numbers(group)]
    assert sorted(numbers) == all_numbers(plan).tolist() == sorted(renders)
    for seed in {render.seed for _, render in renders.values()}:
        assert with_seed(plan, all_numbers(plan), seed).tolist() == sorted(
            number for number, (_, render) in renders.items() if render.seed == seed
        )


def test_there_may_be_more_rules_than_bits_in_a_number():
    names = [f"p{k}" for k in range(70)]
    plan = expansion(
        prompt="a {product}",
        vary={"product": names},
        skip=[{"product": name} for name in names[1:]],
    )
    assert all_numbers(plan).tolist() == list(range(plan.seeds_per_shot))


def coordinates(render):
    row = render.shot.coordinates.get("row", {})
    return {**render.shot.coordinates, **row}


@given(plans(), st.integers(1, 7))
def test_chunks_hold_every_render_once_and_are_full(plan, size):
    numbers = []
    for _, found in itertools.groupby(
        plan_chunks(plan, fixed(size)), key=lambda chunk: chunk.group_no
    ):
        chunks = list(found)
        assert all(chunk.total == size for chunk in chunks[:-1])
        for chunk in chunks:
            renders = list(plan.renders(chunk.group_no, chunk.start, chunk.stop))
            assert len(renders) == chunk.total
            numbers += [render.number for render in renders]
    assert sorted(numbers) == sorted(render.number for _, render in plan.all_renders())


def test_millions_are_counted_without_a_look_at_each():
    seed = derived_seed(0, 123_456, {})
    plan = expansion(seeds={"count": 1_000_000}, skip=[{"seed": seed}, {"product": "mug"}])
    assert plan.total == 4 * 999_999
    assert [plan.has(number) for number in (4_123_455, 4_123_456, 123_457)] == [True, False, False]
    many = {"product": [f"p{k}" for k in range(1000)], "color": [f"c{k}" for k in range(1000)]}
    plan = expansion(
        vary=many, seeds=[1, 2], skip=[{"product": "p7", "seed": 2}, {"color": "c3", "seed": 1}]
    )
    assert plan.total == 2_000_000 - 2000
    plan = expansion(
        vary=many,
        seeds={"count": 2, "per": ["product"]},
        skip=[{"seed": derived_seed(0, 1, {"product": "p7"})}],
    )
    assert plan.total == 2_000_000 - 1000
    with pytest.raises(DocumentError, match="name values of more axes"):
        _ = expansion(
            vary=many, seeds={"count": 2, "per": ["product", "color"]}, skip=[{"seed": 5}]
        ).total


@given(
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
def test_the_index_of_a_derived_seed_is_found(base, index, coordinates):
    assert derived_index(base, derived_seed(base, index, coordinates), coordinates) == index


def problem(**changes):
    with pytest.raises(DocumentError) as caught:
        parse_campaign(data(**changes))
    return [(found.place, found.message) for found in caught.value.problems]


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ({"seed": 112}, "skip[0].seed", "112 is not one of the seeds: did you mean '12'?"),
        ({"seed": 900}, "skip[0].seed", "900 is not one of the seeds: known are 11, 12."),
        ({"seed": "eleven"}, "skip[0].seed", "eleven is not one of the seeds: known are 11, 12."),
        ({"seed": 12.5}, "skip[0].seed", "12.5 is not one of the seeds"),
        ({"seed": True}, "skip[0].seed", "one text or number"),
        ({"seed": [11, 12]}, "skip[0].seed", "one text or number"),
        ({"sed": 12}, "skip[0].sed", "no axis sets 'sed': did you mean 'seed'?"),
        ({"product": "mugg", "seed": 12}, "skip[0].product", "did you mean 'mug'"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told(rule, place, words):
    ((where, message),) = problem(seeds=[11, 12], skip=[rule])
    assert where == place
    assert words in message


def test_of_many_seeds_some_are_told():
    ((_, message),) = problem(seeds=list(range(1000, 1500)), skip=[{"seed": 7}])
    assert message.endswith("The sheet shows 480 more.")


def test_seeds_that_differ_between_shots_are_looked_for_where_the_rule_points():
    mug = derived_seed(0, 0, {"product": "mug"})
    assert (
        list(
            expansion(
                seeds={"count": 2, "per": ["product"]}, skip=[{"product": "mug", "seed": mug}]
            ).skipping.problems()
        )
        == []
    )
    for rule in ({"product": "lamp", "seed": mug}, {"seed": 5}):
        (found,) = expansion(
            seeds={"count": 2, "per": ["product"]}, skip=[rule]
        ).skipping.problems()
        assert (found.place, "no shot with the rule's values has the seed" in found.message) == (
            "skip[0].seed",
            True,
        )


def test_a_word_called_seed_is_no_seed():
    plan = expansion(
        prompt="a {seed} seed",
        vary={"seed": ["poppy", "cress"]},
        seeds=[1, 2],
        skip=[{"seed": "poppy"}],
    )
    assert {(render.shot.prompt, render.seed) for _, render in plan.all_renders()} == {
        ("a cress seed", 1),
        ("a cress seed", 2),
    }
    ((where, message),) = problem(
        prompt="a {seed} seed", vary={"seed": ["poppy", "cress"]}, seeds=[1, 2], skip=[{"seed": 1}]
    )
    assert (where, message) == (
        "skip[0].seed",
        "1 is not a value of 'seed': known are cress, poppy.",
    )


def test_campaigns_of_before_mean_what_they_meant():
    # The first derivation knew of no seeds in columns: there, the column was a note.
    rows = [{"product": "mug", "seed": "5"}, {"product": "box", "seed": "6"}]
    found = campaign(prompt="{product}", vary={"row": rows}, seeds=[1, 2], skip=[{"seed": "5"}])
    before, now = (Expansion(found, MODEL, derivation=derivation) for derivation in (1, 2))
    assert {(render.shot.prompt, render.seed) for _, render in before.all_renders()} == {
        ("box", 1),
        ("box", 2),
    }
    assert {(render.shot.prompt, render.seed) for _, render in now.all_renders()} == {("box", 6)}


def test_a_rule_cannot_name_a_seed_that_goes_by_a_file():
    vary = {"reference": ["/a.png", "/b.png"]}
    found = campaign(
        prompt="a mug", vary=vary, seeds={"count": 1, "per": ["reference"]}, skip=[{"seed": 5}]
    )
    (told,) = Expansion(found, MODEL).skipping.problems()
    assert "let the rule name the file" in told.message
