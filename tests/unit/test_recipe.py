from dataclasses import replace

from actors.recipes.recipe import Group, Recipe

GROUP = Group(
    model="a" * 64,
    pipeline="StableDiffusionPipeline",
    steps=20,
    guidance=4.0,
    scheduler="ddim",
    scheduler_config={"_class_name": "DDIMScheduler", "beta_end": 0.02},
    width=128,
    height=64,
    dtype="float32",
    batch=4,
)
RECIPE = Recipe(group=GROUP, prompt="a mug", negative="grain", seed=7)


def test_the_digest_is_that_of_what_decides_the_pixels():
    assert RECIPE.digest == Recipe.from_json(dict(reversed(RECIPE.to_json().items()))).digest
    changed = [replace(RECIPE, prompt="b"), replace(RECIPE, negative=""), replace(RECIPE, seed=8)]
    changed += [
        replace(RECIPE, group=replace(GROUP, **{name: value}))
        for name, value in {
            "model": "b" * 64,
            "steps": 21,
            "guidance": 4.5,
            "scheduler": "euler",
            "scheduler_config": {},
            "width": 64,
            "dtype": "float16",
            "batch": 8,
        }.items()
    ]
    assert len({recipe.digest for recipe in [RECIPE, *changed]}) == len(changed) + 1


def test_the_digest_never_changes_between_versions():
    # Files carry it, and a farm knows by it what it has painted already.
    assert RECIPE.digest == "06938da1ada954013139b6df6fa153c4a07a0b79dcfb449e4f49903988d6df8e"


def test_cost_is_in_megapixel_steps():
    assert GROUP.megapixel_steps == 128 * 64 * 20 / 1e6
