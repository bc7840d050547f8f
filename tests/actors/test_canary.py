"""Canaries: what they prove of an engine, and which engines they catch."""

from dataclasses import replace

import diffusers
import numpy as np
import pytest
import torch
import transformers

from actors.models.models import SEEDLING
from actors.painting.canaries import Unstable, paint_canaries
from actors.recipes.canary import canary_group, subject_of
from actors.recipes.recipe import Adapter
from tests.actors.test_engine import Engine, group, recipes
from tests.actors.test_painter import GROUP


def picture(number):
    return np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def by_recipe(batch):
    return [picture(recipe.seed) for recipe in batch]


def by_place(batch):
    return [picture(recipe.seed + k) for k, recipe in enumerate(batch)]


def by_neighbours(batch):
    return [picture(sum(other.seed for other in batch)) for _ in batch]


def by_fullness(batch):
    return [picture(recipe.seed + (len(batch) < GROUP.batch)) for recipe in batch]


class ByTime:
    def __init__(self):
        self.calls = 0

    def __call__(self, batch):
        self.calls += 1
        return [picture(self.calls) for _ in batch]


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_pictures_that_their_recipe_alone_decides_are_fine(batch):
    own = replace(GROUP, batch=batch)
    assert paint_canaries(own, by_recipe) == paint_canaries(own, by_recipe)
    assert paint_canaries(own, lambda b: [255 - p for p in by_recipe(b)]) != paint_canaries(
        own, by_recipe
    )


@pytest.mark.parametrize(
    "paint",
    [by_place, by_neighbours, by_fullness, ByTime()],
    ids=["place", "neighbours", "fullness", "time"],
)
def test_what_does_not_repeat_is_caught(paint):
    with pytest.raises(Unstable, match="does not paint one recipe the same"):
        paint_canaries(GROUP, paint)


def test_a_pipeline_of_single_pictures_is_caught_too():
    with pytest.raises(Unstable, match="twice"):
        paint_canaries(replace(GROUP, batch=1), ByTime())


def test_no_more_than_a_batch_is_painted_at_once_and_all_of_it_small():
    seen = []

    def paint(batch):
        seen.append(batch)
        return by_recipe(batch)

    paint_canaries(replace(GROUP, width=1024, height=16, steps=50), paint)
    assert [len(batch) for batch in seen] == [4, 1, 4]
    assert {(r.group.width, r.group.height, r.group.steps) for batch in seen for r in batch} == {
        (64, 16, 2)
    }


def test_numbers_that_are_no_picture_are_compared_too():
    assert len(paint_canaries(GROUP, lambda batch: [None] * len(batch))) == 64


@pytest.mark.parametrize(
    "changes", [{"steps": 9}, {"guidance": 0.5}, {"width": 512, "height": 256}, {"strength": 0.4}]
)
def test_one_subject_stands_for_all_that_the_same_kernels_paint(changes):
    large = replace(GROUP, width=128, height=128)
    assert subject_of(replace(large, **changes)) == subject_of(large)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 8},
        {"dtype": "bfloat16"},
        {"model": "n" * 64},
        {"guidance": 3.0},
        {"adapters": (Adapter(digest="a", scale=1.0),)},
    ],
    ids=str,
)
def test_what_chooses_other_kernels_is_another_subject(changes):
    assert subject_of(replace(GROUP, **changes)) != subject_of(GROUP)
    assert len(subject_of(replace(GROUP, **changes))) <= 400


# --- with the embedded model ---


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def test_the_engine_proves_itself_once_for_each_kind_of_batch(engine, monkeypatch):
    batch = recipes(group(steps=1))
    first = engine.paint(batch, str(SEEDLING))
    with monkeypatch.context() as cut:
        cut.setattr("actors.painting.engine.paint_canaries", None)
        again = engine.paint(batch, str(SEEDLING))
    assert first.canary == again.canary
    assert (first.canary.subject, first.canary.numerics_class) == (
        subject_of(group()),
        engine.numerics_class,
    )
    # Another process of the same class says the same.
    assert Engine(device="cpu", threads=1).paint(batch, str(SEEDLING)).canary == first.canary


def test_a_class_names_all_that_pixels_depend_on_beside_the_recipe(engine):
    assert Engine(device="cpu", threads=2).numerics_class != engine.numerics_class
    for name, version in (
        ("torch", torch.__version__),
        ("diffusers", diffusers.__version__),
        ("transformers", transformers.__version__),
    ):
        assert f":{name}-{version}" in engine.numerics_class
    assert len(engine.numerics_class) <= 200  # as the database keeps it


def test_an_engine_whose_pixels_depend_on_their_place_paints_nothing(monkeypatch):
    broken = Engine(device="cpu", threads=1)
    warm = broken._warm(canary_group(group()), str(SEEDLING))
    decode = warm.pipeline.pipe.vae.decode

    def leaning(latents, *args, **kwargs):
        tilt = np.arange(len(latents), dtype=np.float32) / 10
        return decode(latents + latents.new_tensor(tilt)[:, None, None, None], *args, **kwargs)

    monkeypatch.setattr(warm.pipeline.pipe.vae, "decode", leaning)
    with pytest.raises(Unstable, match="in another place of its batch"):
        broken.paint(recipes(group(steps=1)), str(SEEDLING))
    # It is asked again each time: a driver may be mended.
    monkeypatch.undo()
    assert broken.paint(recipes(group(steps=1)), str(SEEDLING)).canary is not None
