"""Pictures that a VAE sees in tiles: the same in every place of a batch, with looks at their steps
and after they were parked.
"""

from dataclasses import replace

import pytest

from actors.painting.engine import Engine
from actors.recipes.canary import subject_of
from actors.recipes.previews import Decode, Previews
from tests.actors.tiny import Looks, assert_pictures_stand_alone, group, hashes, recipes
from tests.pipelines import KINDS_OF_VAE

WIDE = dict(width=160, height=32)

pytestmark = pytest.mark.usefixtures("unproved")


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


@pytest.mark.parametrize("pipeline", KINDS_OF_VAE)
def test_pictures_in_tiles_stand_alone(engine, folder, pipeline):
    path = folder(pipeline)
    assert_pictures_stand_alone(engine, recipes(group(path, **WIDE, vae_tile=128)), path)


def test_looks_at_steps_change_nothing_and_the_last_are_in_tiles_too(engine, folder):
    path = folder(KINDS_OF_VAE[0])
    batch = recipes(group(path, **WIDE, steps=2, vae_tile=128))
    plain = hashes(engine, batch, path)
    for decode in Decode:
        looks = Looks()
        again = hashes(
            engine, batch, path, previews=Previews(every=1, decode=decode), on_preview=looks
        )
        assert again == plain
        assert list(looks) == [1]


def test_a_batch_that_was_parked_is_decoded_in_tiles(engine, folder):
    path = folder(KINDS_OF_VAE[0])
    batch = recipes(group(path, **WIDE, steps=3, vae_tile=128))
    parked = engine.paint(batch, str(path), until=1).parked
    assert hashes(engine, batch, path, parked=parked) == hashes(engine, batch, path)


def test_tiles_need_no_canaries_of_their_own_and_are_another_recipe(folder):
    plain = group(folder(KINDS_OF_VAE[0]), **WIDE)
    tiled = replace(plain, vae_tile=128)
    assert subject_of(plain) == subject_of(tiled)
    assert recipes(plain)[0].digest != recipes(tiled)[0].digest
