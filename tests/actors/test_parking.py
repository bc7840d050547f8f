"""Batches that are stopped after some of their steps and go on among other pictures: every family,
every scheduler, and not one bit changed.
"""

import numpy as np
import pytest

from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.errors import Stopped
from actors.recipes.previews import Previews
from tests.actors.tiny import SHADES, Looks, group, hashes, recipes
from tests.pipelines import FREE

pytestmark = pytest.mark.usefixtures("unproved")

NAMES = [family.pipeline for family in FREE]


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def parked(engine, batch, path, steps, **how):
    begun = engine.paint(batch, str(path), until=steps, **how)
    assert begun.pixels == []
    assert [one.steps for one in begun.parked] == [steps] * len(batch)
    assert all(one.latents.device.type == "cpu" for one in begun.parked)
    return begun.parked


def assert_goes_on(engine, batch, path, *, steps, **how):
    """Of two batches that are parked, three pictures are packed anew, and come out as they always
    do.
    """
    more = [*batch[1:], batch[0]]
    whole = hashes(engine, batch, path, **how)
    first, second = (parked(engine, some, path, steps, **how) for some in (batch, more[:2]))
    survivors, places = [batch[2], more[0], batch[0]], [first[2], second[0], first[0]]
    assert hashes(engine, survivors, path, parked=places, **how) == [whole[2], whole[1], whole[0]]
    # A short batch is padded, and parked pictures can go on more than once.
    assert hashes(engine, survivors[1:2], path, parked=places[1:2], **how) == [whole[1]]
    assert hashes(engine, batch, path, **how) == whole  # and nothing is left behind


@pytest.mark.parametrize(
    ("pipeline", "scheduler"), [(f.pipeline, name) for f in FREE for name in f.schedulers]
)
def test_survivors_keep_every_bit_with_every_scheduler_of_every_family(
    engine, folder, pipeline, scheduler
):
    path = folder(pipeline)
    batch = recipes(group(path, scheduler=scheduler, steps=6))
    assert_goes_on(engine, batch, path, steps=3)


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("scheduler", ["dpm++-2m", "unipc", "euler-ancestral"])
def test_after_the_first_step_and_before_the_last(engine, folder, scheduler, steps):
    path = folder("StableDiffusionPipeline")
    batch = recipes(group(path, scheduler=scheduler, steps=6))
    assert_goes_on(engine, batch, path, steps=steps)


@pytest.mark.parametrize("pipeline", NAMES)
def test_survivors_keep_every_bit_in_half_precision(engine, folder, pipeline):
    path = folder(pipeline)
    assert_goes_on(engine, recipes(group(path, dtype="bfloat16", steps=4)), path, steps=2)


@pytest.mark.parametrize(
    ("pipeline", "scheduler"),
    [
        (f.pipeline, name)
        for f in FREE
        if f.image_to_image
        for name in f.schedulers
        if name in (f.schedulers[0], "euler-ancestral", "lcm")
    ],
)
def test_survivors_that_begin_from_references_keep_every_bit(engine, folder, pipeline, scheduler):
    path = folder(pipeline)
    near = group(path, strength=0.7, steps=6, scheduler=scheduler)
    dark, light = (recipes(near, reference=shade) for shade in SHADES)
    assert_goes_on(engine, [dark[0], light[1], dark[2]], path, steps=2, references=SHADES)


def test_the_denoiser_works_only_for_steps_that_are_left(engine, folder):
    path = folder("StableDiffusionPipeline")
    batch = recipes(group(path, steps=6))
    places = parked(engine, batch, path, 4)
    unet = next(reversed(engine.warm.values())).pipeline.pipe.unet
    calls = []
    hook = unet.conv_in.register_forward_hook(lambda *_: calls.append(1))
    engine.paint(batch, str(path), parked=places)
    hook.remove()
    assert len(calls) == 2


def test_looks_before_and_after_parking_are_those_of_a_whole_run(engine, folder):
    path = folder("SanaPipeline")
    batch = recipes(group(path, steps=6))
    whole, halves = Looks(), Looks()
    engine.paint(batch, str(path), Previews(every=2), on_preview=whole)
    begun = engine.paint(batch, str(path), Previews(every=2), on_preview=halves, until=2)
    assert sorted(halves) == [2]
    engine.paint(batch, str(path), Previews(every=2), on_preview=halves, parked=begun.parked)
    assert sorted(whole) == sorted(halves) == [2, 4]
    assert all(np.array_equal(whole[step], halves[step]) for step in whole)


def test_a_batch_that_is_stopped_while_it_goes_on_leaves_the_pipeline_as_it_was(engine, folder):
    path = folder("FluxPipeline")
    batch = recipes(group(path, steps=4))
    whole = hashes(engine, batch, path)
    places = parked(engine, batch, path, 3)

    def stop(left):
        if left == 3:  # a step that is only played back
            raise Stopped

    with pytest.raises(Stopped):
        engine.paint(batch, str(path), parked=places, on_step=stop)
    painted = engine.paint(batch, str(path))
    assert [pixels_digest(picture) for picture in painted.pixels] == whole
