"""A part of a picture painted anew: beside the bare pipeline of diffusers, in any place of a
batch, and going on where it was parked.
"""

import numpy as np
import pytest
import torch

from actors.models.families import FAMILIES, family_of
from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.errors import BadRequest
from actors.recipes.previews import Previews
from actors.recipes.recipe import Recipe
from tests.actors.bare import painted_bare
from tests.actors.tiny import SHADES, Looks, assert_pictures_stand_alone, group, hashes, recipes

NAMES = [family.pipeline for family in FAMILIES if family.inpaint]
LEFT, TOP = np.zeros((32, 64, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)
LEFT[:, :32], TOP[:16] = 255, 200  # a grey of 200 is light enough
FILES = {**SHADES, "left": LEFT, "top": TOP, "none": np.full((32, 64, 3), 127, np.uint8)}


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def masked(path, mask="left", reference="dark", **changes):
    inpaint = family_of(group(path).pipeline).inpaint
    made_of = group(path, **{"pipeline": inpaint, "strength": 0.75, **changes})
    return recipes(made_of, reference=reference, mask=mask)


def bare(path, recipe):
    """What diffusers paints of a recipe with a mask."""
    light = torch.from_numpy((FILES[recipe.mask][:, :, 0] > 127).astype(np.float32))
    picture = torch.from_numpy(FILES[recipe.reference][None]).permute(0, 3, 1, 2).float() / 255
    options = {
        "negative_prompt": recipe.negative or None,
        "image": picture,
        "mask_image": light[None, None],
        "strength": recipe.group.strength,
    }
    return painted_bare(path, recipe, lambda _pipe: options)


@pytest.mark.parametrize("strength", [0.75, 1.0])
@pytest.mark.parametrize("pipeline", NAMES)
def test_a_masked_picture_is_the_one_that_diffusers_paints(engine, folder, pipeline, strength):
    path = folder(pipeline)
    one = masked(path, batch=1, strength=strength)[0]
    painted = engine.paint([one], str(path), references=FILES).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, one)).max() == 0


@pytest.mark.parametrize("pipeline", NAMES)
def test_masked_pictures_stand_alone_beside_others_with_other_masks(engine, folder, pipeline):
    path = folder(pipeline)
    left, top = masked(path), masked(path, "top", "light")
    assert_pictures_stand_alone(engine, [left[0], top[1], left[2]], path, references=FILES)


def test_only_what_is_light_in_the_mask_is_painted_anew(engine, folder, monkeypatch):
    """Looked at in latents, of which two pixels are one: a VAE of random weights mixes places."""
    path, seen = folder("StableDiffusionPipeline"), []
    batches = [masked(path, mask, steps=8) for mask in ("left", "none")]
    hashes(engine, batches[0], path, references=FILES)
    vae = next(reversed(engine.warm.values())).pipeline.pipe.vae
    decode = vae.decode
    monkeypatch.setattr(
        vae, "decode", lambda latents, **how: seen.append(latents) or decode(latents, **how)
    )
    for batch in batches:
        engine.paint(batch, str(path), references=FILES)
    left, nothing = seen
    assert torch.equal(left[..., 16:], nothing[..., 16:])
    assert (left[..., :16] != nothing[..., :16]).float().mean() > 0.99


def test_the_digest_knows_the_mask_and_old_digests_stay(folder):
    one, other = (masked(folder(NAMES[0]), mask)[0] for mask in ("left", "top"))
    assert one.digest != other.digest
    assert Recipe.from_json(one.to_json()) == one
    assert "mask" not in recipes(group(folder(NAMES[0])))[0].to_json()


def test_a_masked_picture_has_previews_and_goes_on_where_it_was_parked(engine, folder):
    path, looks = folder("StableDiffusionPipeline"), Looks()
    batch = masked(path, steps=8)
    painted = engine.paint(
        batch, str(path), Previews(every=2), references=FILES, on_preview=looks
    ).pixels
    assert sorted(looks) == [2, 4]
    parked = engine.paint(batch, str(path), references=FILES, until=3).parked
    again = engine.paint(batch, str(path), references=FILES, parked=parked).pixels
    assert [pixels_digest(picture) for picture in again] == [
        pixels_digest(picture) for picture in painted
    ]
    plain = recipes(group(path))
    assert hashes(engine, plain, path) == hashes(Engine(device="cpu", threads=1), plain, path)


def test_a_mask_that_cannot_be_used_is_refused(engine, folder):
    path = folder("StableDiffusionPipeline")
    for batch, words in (
        (masked(path, "gone"), "gone of a picture was not fetched"),
        (masked(path, None), "paints pictures that have a mask"),
        (masked(path, pipeline="StableDiffusionImg2ImgPipeline"), "and no others"),
        (masked(path, width=32), "has the shape"),
    ):
        with pytest.raises(BadRequest, match=words):
            engine.paint(batch, str(path), references=FILES)
