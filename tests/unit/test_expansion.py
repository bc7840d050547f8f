import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.recipes.recipe import Adapter
from farm.campaign.chunks import chunk_size, chunks_of, plan_chunks
from farm.campaign.expansion import Expansion
from farm.campaign.sources import Sources
from tests.campaigns import MODEL, campaign, data, expansion

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


axes = st.fixed_dictionaries(
    {},
    optional={
        "product": st.lists(
            st.sampled_from(["mug", "box", "lamp", "ball"]), min_size=1, max_size=4, unique=True
        ),
        "color": st.lists(
            st.sampled_from(["red", "blue", "teal"]), min_size=1, max_size=3, unique=True
        ),
        "guidance": st.lists(
            st.sampled_from([1.0, 3.0, 5.0]), min_size=1, max_size=3, unique=True
        ),
        "steps": st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True),
    },
)


@st.composite
def plans(draw):
    vary = draw(axes)
    prompt = "x " + " ".join(f"{{{name}}}" for name in vary if name in ("product", "color"))
    rules = []
    if vary:
        for _ in range(draw(st.integers(0, 3))):
            names = draw(st.lists(st.sampled_from(sorted(vary)), min_size=1, unique=True))
            rules.append({name: draw(st.sampled_from(vary[name])) for name in names})
    return expansion(
        prompt=prompt, vary=vary, skip=rules, seeds={"count": draw(st.integers(1, 5))}
    )


@given(plans())
def test_the_count_needs_no_expansion(plan):
    assert plan.total == sum(1 for _ in plan.all_renders())


@given(plans())
def test_a_render_can_be_had_from_its_number_alone(plan):
    for group_no, render in plan.all_renders():
        assert plan.render(render.number) == (group_no, render)


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
        assert plan.number_of(render.shot.told, k) == render.number
    assert not plan.has(-1)
    assert not plan.has(10**9)


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


def test_campaigns_without_axes_are_one_shot():
    assert expansion(prompt="a mug", vary=None, seeds=[5]).total == 1
    assert campaign(prompt="a mug", vary=None).axes == ()


def test_rows_that_set_the_same_setting_share_a_group_and_its_batches():
    rows = [{"color": f"shade {k}", "steps": 20 if k % 2 else 30} for k in range(10)]
    plan = expansion(vary={"product": ["mug"], "row": rows}, seeds={"count": 1})
    assert (plan.groups, plan.total) == (2, 10)
    assert [sum(1 for _ in plan.renders(k, 0, 5)) for k in range(2)] == [5, 5]


def test_a_model_with_a_history_gets_chunks_of_about_a_minute():
    plan = expansion(settings={"size": "1024x1024", "steps": 30}, seeds={"count": 5000})
    seconds = chunk_size(plan, 0.02)(0, plan.total) * plan.group(0).megapixel_steps * 0.02
    assert 45 < seconds <= 60


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
    assert {render.shot.reference for render in plan.renders(0, 0, 10**6)} == {"/a.png", "/b.png"}
    assert {render.shot.reference for render in plan.renders(1, 0, 10**6)} == {None}
    assert {plan.recipe(0, render).reference for render in plan.renders(0, 0, 10**6)} == {
        "aa",
        "bb",
    }
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
    assert [plan.adapter_paths(k) for k in range(2)] == [("/x", "/y"), ("/x",)]
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
