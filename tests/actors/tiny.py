"""Groups, recipes and hashes of small pictures, of any model."""

from dataclasses import replace

import numpy as np

from actors.models.families import family_of
from actors.models.models import find_model
from actors.models.schedulers import scheduler_config
from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.recipe import Group, Recipe

SHADES = {"dark": np.full((32, 64, 3), 20, np.uint8), "light": np.full((32, 64, 3), 220, np.uint8)}


def group(folder, **changes):
    model = find_model(str(folder))
    scheduler = changes.get("scheduler", family_of(model.pipeline).schedulers[0])
    base = dict(
        model=model.digest,
        pipeline=model.pipeline,
        steps=4,
        guidance=model.guidance,
        scheduler=scheduler,
        scheduler_config=scheduler_config(scheduler, model.scheduler_config),
        width=64,
        height=32,
        dtype="float32",
        batch=3,
    )
    return Group(**{**base, **changes})


def recipes(in_group, **changes):
    return [
        Recipe(**{**dict(group=in_group, prompt=f"a {word} mug", negative="", seed=k), **changes})
        for k, word in enumerate("xyz")
    ]


def hashes(engine, batch, folder, **how):
    pixels = engine.paint(batch, str(folder), **how).pixels
    assert all(picture is not None for picture in pixels)
    return [pixels_digest(picture) for picture in pixels]


class Looks(dict):
    """An `on_preview` that keeps what it is given, by step."""

    def __call__(self, step, pictures):
        assert step not in self
        self[step] = list(pictures)


def assert_pictures_stand_alone(engine, batch, folder, **how):
    """The same pictures in any place, beside any others, in a short batch, and from an engine that
    has just been started.
    """
    whole = hashes(engine, batch, folder, **how)
    assert len(set(whole)) == 3
    assert hashes(engine, batch[::-1], folder, **how)[::-1] == whole
    others = [replace(batch[0], seed=99, prompt="quite another thing"), batch[2], batch[1]]
    assert hashes(engine, others, folder, **how)[1:] == [whole[2], whole[1]]
    assert hashes(engine, batch[1:2], folder, **how) == whole[1:2]
    assert hashes(Engine(device="cpu", threads=1), batch[1:], folder, **how) == whole[1:]
