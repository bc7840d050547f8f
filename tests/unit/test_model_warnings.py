"""What a model makes of a campaign that may not be meant is told: negative prompts without effect,
sizes it was not trained at.
"""

from dataclasses import replace

import pytest

from actors.models.models import find_model
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.service.model_warnings import model_warnings
from tests.campaigns import data

VARY = {"product": ["mug"], "color": ["red"]}
NONE = [{"guidance": 1.0, "negative": "none"}, {"guidance": 5.0, "negative": "grain"}]
ONE = [*NONE, {"guidance": 0.5, "negative": "grain"}]
UNSAID = [{"guidance": ""}, {"guidance": 3.0}]


@pytest.fixture(scope="module")
def seedling():
    return find_model("seedling")


@pytest.fixture
def warnings(seedling):
    def warnings(model=seedling, **changes):
        found = model_warnings(Expansion(parse_campaign(data(**{"vary": VARY, **changes})), model))
        return {problem.place: problem.message for problem in found}

    return warnings


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        (dict(negative="grain", settings={"guidance": 1.0}), ["settings.guidance"]),
        (dict(negative="grain", settings={"guidance": 0.0}), ["settings.guidance"]),
        (dict(negative="grain", settings={"guidance": 1.5}), []),
        (dict(negative="grain"), []),
        (dict(settings={"guidance": 1.0}), []),
        (dict(negative="grain", vary={**VARY, "guidance": [1.0, 3.0]}), ["vary.guidance[0]"]),
        (
            dict(negative="grain", vary={**VARY, "guidance": [3.0, 1.0]}, skip=[{"guidance": 1}]),
            [],
        ),
        (
            dict(settings={"guidance": 1.0}, vary={**VARY, "negative": ["none", "grain"]}),
            ["settings.guidance"],
        ),
        (
            dict(
                settings={"guidance": 1.0},
                vary={**VARY, "negative": ["none", "grain"]},
                skip=[{"negative": "grain"}],
            ),
            [],
        ),
        (dict(vary={**VARY, "row": NONE}), []),
        (dict(vary={**VARY, "row": ONE}), ["vary.row[2].guidance"]),
        (
            dict(
                negative="grain",
                settings={"guidance": 1.0},
                vary={**VARY, "row": [{"guidance": ""}, {"guidance": 3.0}]},
            ),
            ["settings.guidance"],
        ),
    ],
)
def test_a_negative_prompt_without_effect_is_told(warnings, changes, places):
    found = warnings(**changes)
    assert list(found) == places
    assert all("the negative prompt has no effect" in message for message in found.values())


def test_the_models_own_guidance_may_be_none(warnings, seedling):
    found = warnings(model=replace(seedling, guidance=1.0), negative="grain")
    assert found["negative"].startswith("the model's own guidance 1 is none")


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        (dict(settings={"size": "256x256"}), ["settings.size"]),
        (dict(settings={"size": "128x136"}), ["settings.size"]),
        (dict(settings={"size": "128x128"}), []),
        (dict(), []),
        (
            dict(vary={**VARY, "size": ["128x128", "64x64", "256x128"]}),
            ["vary.size[1]", "vary.size[2]"],
        ),
        (dict(vary={**VARY, "size": ["128x128", "64x64"]}, skip=[{"size": "64x64"}]), []),
        (
            dict(vary={"row": [{"product": p, "color": "red", "size": "64x64"} for p in "abc"]}),
            ["vary.row[0].size"],
        ),
    ],
)
def test_a_size_that_the_model_was_not_trained_at_is_told_with_its_own(warnings, changes, places):
    found = warnings(**changes)
    assert list(found) == places
    assert all("was trained at 128x128, not at" in message for message in found.values())


@pytest.mark.parametrize(
    ("pipeline", "size", "is_told"),
    [
        ("StableDiffusionXLPipeline", "896x1152", False),
        ("StableDiffusionXLPipeline", "1536x640", False),
        ("StableDiffusionXLPipeline", "512x512", True),
        ("StableDiffusionXLPipeline", "2048x2048", True),
        ("StableDiffusionXLPipeline", "2560x416", True),
        ("FluxPipeline", "512x512", False),
        ("FluxPipeline", "2048x2048", True),
        ("AuraFlowPipeline", "512x512", False),
    ],
)
def test_families_that_saw_many_shapes_are_told_apart(warnings, seedling, pipeline, size, is_told):
    model = replace(seedling, pipeline=pipeline, size=(1024, 1024))
    assert bool(warnings(model=model, settings={"size": size})) == is_told
