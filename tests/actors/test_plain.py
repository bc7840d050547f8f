"""Pipelines without a row of their own, painted for real: nothing that they are told is dropped
without a word.
"""

import pytest

from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.errors import PromptTooLong
from actors.recipes.recipe import Recipe
from tests.actors.tiny import group
from tests.pipelines import built_once
from tests.plain_pipelines import PLAIN, save_plain


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return built_once(tmp_path_factory.mktemp("models"), save_plain)


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def recipe(folder, prompt="a red mug", **changes):
    own = {"scheduler": "own", "steps": 2, "batch": 1, **changes}
    return Recipe(group=group(folder, **own), prompt=prompt, negative="", seed=1)


def pixels(engine, folder, **changes):
    (picture,) = engine.paint([recipe(folder, **changes)], str(folder)).pixels
    return pixels_digest(picture)


@pytest.mark.parametrize("pipeline", PLAIN)
def test_a_picture_has_the_size_that_it_was_told_and_its_own_prompt(engine, folder, pipeline):
    path = folder(pipeline)
    assert pixels(engine, path) != pixels(engine, path, prompt="a blue bottle")


@pytest.mark.parametrize("pipeline", PLAIN)
def test_a_prompt_that_a_pipeline_would_cut_off_is_refused(engine, folder, pipeline):
    with pytest.raises(PromptTooLong, match="the model reads"):
        engine.paint([recipe(folder(pipeline), prompt="a red mug " * 60)], str(folder(pipeline)))


def test_what_a_pipeline_puts_around_a_prompt_takes_room_too(engine, folder):
    """A template of 19 tokens stands around it, and 512 are read."""
    path = folder("ZImagePipeline")
    assert pixels(engine, path, prompt="x" * 490)
    with pytest.raises(PromptTooLong, match="and the model reads 512: shorten 'xxx"):
        engine.paint([recipe(path, prompt="x" * 500)], str(path))


def test_a_prompt_that_only_the_short_sighted_tokenizer_cuts_off_is_painted(engine, folder):
    assert pixels(engine, folder("FluxKontextPipeline"), prompt="a red mug " * 20)
    assert pixels(engine, folder("HunyuanDiTPipeline"), prompt="a red mug " * 20)


def test_guidance_counts(engine, folder, tmp_path):
    assert pixels(engine, folder("FluxKontextPipeline"), guidance=2.0) != pixels(
        engine, folder("FluxKontextPipeline"), guidance=5.0
    )
