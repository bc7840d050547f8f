"""What changed from one recipe to another, in words."""

from dataclasses import replace

import pytest

from farm.campaign.expansion import Expansion
from farm.campaign.sources import Sources
from farm.results.recipe_changes import cell_label, changes, named
from tests.campaigns import MODEL, campaign, expansion

PLAIN = {
    "prompt": "a red mug on white",
    "vary": {},
    "seeds": [1],
    "settings": {"guidance": 5.0, "steps": 20},
}


def words(**edit):
    old, new = expansion(**PLAIN), expansion(**{**PLAIN, **edit})
    return [change.words for change in changes(named(old, 0), named(new, 0))]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({}, []),
        ({"prompt": "a red mug on black"}, ['prompt: "white" -> "black"']),
        ({"prompt": "a red enamel mug on white"}, ['prompt: with "enamel"']),
        ({"prompt": "a mug on white"}, ['prompt: without "red"']),
        (
            {"prompt": "a red mug on white, a red mug on white"},
            ['prompt: with "white, a red mug on"'],
        ),
        ({"negative": "blurry"}, ['negative: none -> "blurry"']),
        ({"seeds": [2]}, ["seed 1 -> 2"]),
        ({"settings": {"guidance": 7.5, "steps": 30}}, ["steps 20 -> 30", "guidance 5 -> 7.5"]),
        (
            {"settings": {"guidance": 5.0, "steps": 20, "size": "128x256"}},
            ["size 128x128 -> 128x256"],
        ),
        ({"settings": {"guidance": 5.0, "steps": 20, "batch": 2}}, ["batch 4 -> 2"]),
        (
            {"settings": {"guidance": 5.0, "steps": 20, "scheduler": "euler"}},
            ["scheduler ddim -> euler"],
        ),
    ],
)
def test_each_part_is_told_in_its_own_words(edit, expected):
    assert words(**edit) == expected


def test_a_long_prompt_is_shown_by_the_words_that_differ():
    long = " ".join(f"word{k}" for k in range(500))
    assert (
        words(prompt=f"{long} end")[0]
        == 'prompt: "a red mug on white" -> "' + f"{long} end"[:59] + '…"'
    )
    old, new = (
        expansion(**{**PLAIN, "prompt": f"{long} red {long}"}),
        expansion(**{**PLAIN, "prompt": f"{long} blue {long}"}),
    )
    assert [change.words for change in changes(named(old, 0), named(new, 0))] == [
        'prompt: "red" -> "blue"'
    ]


def test_files_are_told_by_name_and_those_of_one_name_by_their_digests():
    def plan(path, digest, scale=1.0):
        sources = Sources(adapters={path: digest})
        return Expansion(
            campaign(**PLAIN, adapters=[{"lora": path, "scale": scale}]), MODEL, sources
        )

    old = named(plan("/loras/style.safetensors", "a" * 64), 0)
    assert [c.words for c in changes(old, named(plan("/loras/ink.safetensors", "b" * 64), 0))] == [
        "adapters style at 1 -> ink at 1"
    ]
    assert [
        c.words for c in changes(old, named(plan("/loras/style.safetensors", "a" * 64, 0.5), 0))
    ] == ["adapters style at 1 -> style at 0.5"]
    assert [
        c.words for c in changes(old, named(plan("/loras/style.safetensors", "b" * 64), 0))
    ] == ["adapters style at 1 (aaaaaaaa) -> (bbbbbbbb)"]
    assert [c.words for c in changes(named(expansion(**PLAIN), 0), old)] == [
        "adapters none -> style at 1"
    ]


def test_a_reference_that_comes_is_told_with_its_strength_and_not_with_its_pipeline():
    model = replace(MODEL, image_to_image="StableDiffusionImg2ImgPipeline")
    sources = Sources(references={"/pictures/mug.png": "c" * 64})
    new = Expansion(
        campaign(**PLAIN, reference={"image": "/pictures/mug.png", "strength": 0.5}),
        model,
        sources,
    )
    found = changes(named(expansion(**PLAIN), 0), named(new, 0))
    assert [change.words for change in found] == [
        "reference none -> mug.png",
        "strength none -> 0.5",
    ]


def test_other_weights_of_the_same_name_are_told_by_their_digests():
    old = named(expansion(**PLAIN), 0)
    new = named(Expansion(campaign(**PLAIN), replace(MODEL, digest="e" * 64)), 0)
    assert [change.words for change in changes(old, new)] == [
        "model seedling (dddddddd) -> (eeeeeeee)"
    ]


def test_what_only_the_scheduler_s_config_has_is_told_too():
    old = named(expansion(**PLAIN), 0)
    new = named(
        Expansion(
            campaign(**PLAIN),
            replace(MODEL, scheduler_config={**MODEL.scheduler_config, "beta_schedule": "linear"}),
        ),
        0,
    )
    assert [change.words for change in changes(old, new)] == [
        "scheduler's beta_schedule squaredcos_cap_v2 -> linear"
    ]


def test_a_cell_is_named_by_its_values_and_by_those_that_it_had_before():
    assert (
        cell_label(None, {"product": "mug", "look": {"a": "x", "b": ""}}, 7)
        == "mug, x, none, seed 7"
    )
    assert (
        cell_label(
            {"product": "mug", "color": "red"},
            {"product": "mug", "color": "blue", "guidance": 3},
            7,
        )
        == "mug, red -> blue, 3, seed 7"
    )
