from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recipes.recipe import Adapter
from farm.campaign.expansion import Expansion
from farm.campaign.sources import Sources
from tests.campaigns import MODEL, campaign, data, expansion
from tests.plans import plans

PLACES = ["on a beach", "at sunset", "in a forest"]


def cells(plan):
    """Every render by what names it: coordinates and seed, with all that decides its pixels."""
    found = {}
    for group_no, render in plan.all_renders():
        name = (
            tuple(sorted((k, str(v)) for k, v in render.shot.coordinates.items())),
            render.seed,
        )
        group = plan.group(group_no)
        found[name] = (
            render.shot.prompt,
            render.shot.negative,
            render.seed,
            group,
            render.shot.key,
        )
    return found


@given(plans())
def test_the_count_needs_no_expansion(plan):
    assert plan.total == sum(1 for _ in plan.all_renders())


@given(plans())
def test_a_render_can_be_had_from_its_number_alone(plan):
    for group_no, render in plan.all_renders():
        assert plan.render(render.number) == (group_no, render)


def test_a_skipped_cell_is_not_rendered():
    plan = expansion(skip=[{"product": "mug", "color": "red"}])
    assert plan.total == 15
    assert not any(
        r.shot.coordinates == {"product": "mug", "color": "red"} for _, r in plan.all_renders()
    )


def test_adding_a_value_changes_no_render_that_was_there():
    before = cells(expansion(seeds={"count": 2, "per": ["color"]}))
    after = cells(
        expansion(
            vary={"product": ["lamp", "mug", "vase", "bottle"], "color": ["blue", "red", "green"]},
            seeds={"count": 2, "per": ["color"]},
        )
    )
    assert before.items() <= after.items()


def test_reordering_axes_changes_no_render():
    vary = {"product": ["mug", "box"], "color": ["red", "blue"], "guidance": [3.0, 5.0]}
    turned = dict(reversed(vary.items()))
    assert cells(
        expansion(vary=vary, seeds={"count": 2, "per": ["product", "guidance"]})
    ) == cells(expansion(vary=turned, seeds={"count": 2, "per": ["guidance", "product"]}))


def test_adding_an_axis_keeps_derived_seeds():
    before = {seed for _, seed in cells(expansion(seeds={"count": 3, "per": ["color"]}))}
    vary = {**data()["vary"], "place": PLACES}
    after = {
        seed
        for _, seed in cells(
            expansion(
                prompt="a {color} {product} {place}",
                vary=vary,
                seeds={"count": 3, "per": ["color"]},
            )
        )
    }
    assert before == after


def test_seeds_are_locked_over_shots_unless_an_axis_has_its_own():
    locked = expansion(seeds={"count": 4})
    assert len({render.seed for _, render in locked.all_renders()}) == 4
    own = expansion(seeds={"count": 4, "per": ["color"]})
    assert len({render.seed for _, render in own.all_renders()}) == 8


def test_a_setting_axis_makes_groups_and_no_prompt_variable():
    plan = expansion(vary={**data()["vary"], "guidance": [3.0, 5.0], "steps": [4, 8]})
    assert plan.groups == 4
    assert {(plan.group(k).guidance, plan.group(k).steps) for k in range(4)} == {
        (3.0, 4),
        (3.0, 8),
        (5.0, 4),
        (5.0, 8),
    }


def test_a_mapping_sets_several_variables_at_once():
    plan = expansion(
        prompt="{color} {product} {finish}",
        vary={"product": ["mug"], "look": [{"color": "red", "finish": "matt"}]},
    )
    assert {render.shot.prompt for _, render in plan.all_renders()} == {"red mug matt"}


def test_the_batch_shape_comes_from_the_model_never_from_the_count():
    assert (
        expansion(seeds={"count": 1}).group(0).batch
        == expansion(seeds={"count": 500}).group(0).batch
        == 4
    )
    assert expansion(settings={"batch": 2}).group(0).batch == 2


def test_keys_are_safe_and_differ_for_alike_values():
    plan = expansion(
        prompt="{product} {color}",
        vary={"product": ["../../etc", "a/b", "a b", "日本", "A B"], "color": ["x" * 300]},
    )
    keys = {render.shot.key for _, render in plan.all_renders()}
    assert len(keys) == 5
    assert all(
        set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
        and len(key) < 80
        and not key.startswith(".")
        for key in keys
    )


def test_a_trillion_renders_are_counted_at_once():
    vary = {"product": {"range": [1, 10**5, 1]}, "color": ["red"]}
    assert expansion(vary=vary, seeds={"count": 10**7}).total == 10**12


@given(plans(), st.integers(1, 9))
def test_a_render_is_found_at_its_place(plan, size):
    for group_no in range(plan.groups):
        assert list(plan.numbers(group_no)) == [
            r.number
            for r in plan.renders(group_no, 0, plan.shots_in_group(group_no) * plan.seeds_per_shot)
        ]
    for group_no, render in plan.all_renders():
        assert plan.has(render.number)
        assert plan.group_of(render.number) == group_no
        found_group, ordinal = plan.place(render.number)
        assert (found_group, [r.number for r in plan.renders(group_no, ordinal, ordinal + 1)]) == (
            group_no,
            [render.number],
        )
        k = render.number % plan.seeds_per_shot
        assert plan.number_of(render.shot.by_content, k) == render.number
    assert not plan.has(-1)
    assert not plan.has(10**9)


def test_campaigns_without_axes_are_one_shot():
    assert expansion(prompt="a mug", vary=None, seeds=[5]).total == 1
    assert campaign(prompt="a mug", vary=None).axes == ()


def test_rows_that_set_the_same_setting_share_a_group_and_its_batches():
    rows = [{"color": f"shade {k}", "steps": 20 if k % 2 else 30} for k in range(10)]
    plan = expansion(vary={"product": ["mug"], "row": rows}, seeds={"count": 1})
    assert (plan.groups, plan.total) == (2, 10)
    assert [sum(1 for _ in plan.renders(k, 0, 5)) for k in range(2)] == [5, 5]


SOURCES = Sources(references={"/a.png": "aa", "/b.png": "bb"}, adapters={"/x": "xx", "/y": "yy"})


def begun(**changes):
    return Expansion(campaign(**changes), replace(MODEL, image_to_image="Img2Img"), SOURCES)


def test_a_campaign_without_references_has_the_digests_that_it_always_had():
    plan = expansion()
    _, render = plan.render(0)
    assert (
        plan.recipe(0, render).digest
        == "dfddade24148fa433b5bab426710df0b194b7a77d0ca85c9c3d02e131ec15972"
    )
    assert render.shot.key == "red_mug_5fde4994fd2c695e"


def test_what_begins_from_a_picture_and_what_does_not_are_groups_and_which_picture_is_not():
    plan = begun(
        vary={**data()["vary"], "reference": ["/a.png", "none", "/b.png"]},
        reference={"image": "/b.png", "strength": 0.4},
    )
    assert [(plan.group(k).strength, plan.group(k).pipeline) for k in range(plan.groups)] == [
        (0.4, "Img2Img"),
        (None, MODEL.pipeline),
    ]
    begins, free = (
        list(plan.renders(k, 0, plan.shots_in_group(k) * plan.seeds_per_shot)) for k in range(2)
    )
    assert {render.shot.reference for render in begins} == {"/a.png", "/b.png"}
    assert {render.shot.reference for render in free} == {None}
    assert {plan.recipe(0, render).reference for render in begins} == {"aa", "bb"}
    for group_no, render in plan.all_renders():
        assert plan.render(render.number) == (group_no, render)
        assert plan.place(render.number)[0] == group_no


def test_adapters_are_those_of_all_renders_and_then_that_of_the_axis():
    looks = [{"lora": "/y", "lora_scale": 0}, {"lora": "none", "lora_scale": 1}]
    plan = begun(vary={**data()["vary"], "look": looks}, adapters=[{"lora": "/x", "scale": 0.5}])
    constant = Adapter(digest="xx", scale=0.5)
    assert [plan.group(k).adapters for k in range(2)] == [
        (constant, Adapter(digest="yy", scale=0.0)),
        (constant,),
    ]
    assert [plan.beside(k).adapter_paths for k in range(2)] == [("/x", "/y"), ("/x",)]
    plan = begun(vary={**data()["vary"], "lora": ["/y"]})
    assert plan.group(0).adapters == (Adapter(digest="yy", scale=1.0),)


def test_names_and_seeds_follow_what_is_in_a_file_not_where_it_lies():
    def names(sources, *paths):
        vary = {**data()["vary"], "reference": list(paths)}
        plan = Expansion(
            campaign(vary=vary, seeds={"count": 2, "per": ["reference"]}),
            MODEL,
            Sources(references=sources),
        )
        return {(render.shot.key, render.seed) for _, render in plan.all_renders()}

    here = names({"/here/a.png": "aa", "/here/b.png": "bb"}, "/here/a.png", "/here/b.png")
    assert here == names(
        {"/there/a.png": "aa", "/there/b.png": "bb"}, "/there/a.png", "/there/b.png"
    )
    assert not here & names(
        {"/here/a.png": "cc", "/here/b.png": "dd"}, "/here/a.png", "/here/b.png"
    )
    assert not any("here" in key for key, _ in here)


def test_angles_of_either_sign_have_names_that_tell_them_apart():
    def names(derivation):
        angles = campaign(
            prompt="{angle}",
            vary={"angle": ["+45", -45, "45", "from -45 to +.5", "well-45"]},
            seeds=[1],
        )
        return [
            r.shot.key.rpartition("_")[0]
            for _, r in Expansion(angles, MODEL, derivation=derivation).all_renders()
        ]

    assert names(2) == ["plus-45", "minus-45", "45", "from-minus-45-to-plus-.5", "well-45"]
    assert names(1) == [
        "45",
        "45",
        "45",
        "from-45-to-.5",
        "well-45",
    ]  # as campaigns of before are named


@pytest.mark.parametrize(
    ("vary", "rule", "left"),
    [
        ({"guidance": [3.0, 5.0]}, {"guidance": 3}, 1),
        ({"guidance": [3, 5]}, {"guidance": 3.0}, 1),
        (
            {
                "row": [
                    {"guidance": 3, "x": "a"},
                    {"guidance": 3.0, "x": "b"},
                    {"guidance": 4, "x": "c"},
                ]
            },
            {"guidance": 3},
            1,
        ),
        ({"size": ["128x128", "64x64"]}, {"size": "128X128"}, 1),
        (
            {"x": ["1.10", "1.1", 2]},
            {"x": "1.10"},
            2,
        ),  # of words, those with the same letters first
        ({"x": ["1.10", "1.1", 2]}, {"x": 1.100}, 2),
        ({"x": ["1.10", "1.1", 2]}, {"x": "1.100"}, 1),
        ({"x": ["2.5e+3", 2]}, {"x": 2500}, 1),
        ({"x": ["+45", -45]}, {"x": 45}, 1),
        ({"x": ["3", "4"]}, {"x": 3.0}, 1),
    ],
)
def test_numbers_in_rules_are_equal_however_they_are_written(vary, rule, left):
    prompt = "a {x} mug" if "x" in vary or "row" in vary else "a mug"
    plan = expansion(prompt=prompt, vary=vary, skip=[rule], seeds=[1])
    assert plan.total == len(list(plan.all_renders())) == left


def test_a_campaign_of_before_skips_what_it_skipped():
    rows = [{"guidance": 3, "x": "a"}, {"guidance": 3.0, "x": "b"}]
    plan = campaign(
        prompt="{x}", vary={"row": rows}, skip=[{"guidance": 3}, {"guidance": 3.0}], seeds=[1]
    )
    assert Expansion(plan, MODEL).total == 0
    plan = plan.model_copy(update={"skip": ({"guidance": 3},)})
    assert (Expansion(plan, MODEL).total, Expansion(plan, MODEL, derivation=1).total) == (0, 1)


def test_what_is_empty_in_a_row_is_left_to_the_campaign():
    rows = [
        {"color": "red", "product": "", "steps": "", "size": "64x64"},
        {"color": "blue", "product": "mug", "steps": 4, "size": ""},
    ]
    plan = expansion(vary={"row": rows}, seeds=[1], settings={"steps": 9})
    found = [
        (render.shot.prompt.strip(), plan.group(group).steps, plan.group(group).width)
        for group, render in plan.all_renders()
    ]
    assert found == [("a red", 9, 64), ("a blue mug", 4, 128)]
