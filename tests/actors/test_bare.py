"""Each family beside the bare pipeline of diffusers, one picture at a time: the same pixels."""

import numpy as np
import pytest
import torch

from actors.models.families import family_of
from actors.painting.engine import Engine
from tests.actors.bare import painted_bare
from tests.actors.tiny import group, recipes
from tests.pipelines import FREE, KINDS_OF_VAE

GUIDED = {"ZImagePipeline": [0.0, 3.0]}


def _bare(path, recipe, family):
    """What diffusers paints of a recipe."""
    made_of = recipe.group

    def options(pipe):
        told = {"negative_prompt": recipe.negative} if family.has_negative else {}
        if family.pipeline == "Flux2KleinPipeline":  # it takes a negative as an embedding alone
            with torch.no_grad():
                told = {"negative_prompt_embeds": pipe.encode_prompt(recipe.negative)[0]}
        if family.pipeline in ("PixArtSigmaPipeline", "SanaPipeline"):
            told |= {"clean_caption": False, "use_resolution_binning": False}
        if family.pipeline == "FluxKontextPipeline":
            told |= {"max_area": made_of.width * made_of.height}
        if family.pipeline == "QwenImagePipeline":
            told |= {"true_cfg_scale": made_of.guidance, "guidance_scale": None}
        if made_of.vae_tile:
            _lay_tiles(pipe, made_of.vae_tile)
        return told

    return painted_bare(path, recipe, options)


def _lay_tiles(pipe, side):
    if hasattr(pipe.vae, "tile_sample_min_size"):
        pipe.vae.enable_tiling()
        pipe.vae.tile_sample_min_size = side
        pipe.vae.tile_latent_min_size = side // pipe.vae_scale_factor
    else:
        pipe.vae.enable_tiling(side, side, side * 3 // 4, side * 3 // 4)


@pytest.mark.parametrize(
    ("family", "guidance"),
    [(f, guidance) for f in FREE for guidance in GUIDED.get(f.pipeline, [f.guidance])],
    ids=lambda value: getattr(value, "pipeline", str(value)),
)
def test_a_picture_is_the_one_that_diffusers_paints(folder, family, guidance):
    path = folder(family.pipeline)
    negative = "a grain" if family.has_negative else ""
    one = recipes(group(path, batch=1, guidance=guidance), negative=negative)[0]
    painted = Engine(device="cpu", threads=1).paint([one], str(path)).pixels[0]
    assert np.abs(painted.astype(int) - _bare(path, one, family)).max() == 0


@pytest.mark.parametrize("family", [family_of(name) for name in KINDS_OF_VAE], ids=KINDS_OF_VAE)
def test_a_picture_in_tiles_is_the_one_that_diffusers_paints_and_leaves_no_trace(folder, family):
    path, engine = folder(family.pipeline), Engine(device="cpu", threads=1)
    plain, tiled = (
        recipes(group(path, width=160, height=32, batch=1, vae_tile=tile))[0]
        for tile in (None, 128)
    )
    whole, painted, again = (
        engine.paint([one], str(path)).pixels[0] for one in (plain, tiled, plain)
    )
    assert np.abs(painted.astype(int) - _bare(path, tiled, family)).max() == 0
    assert not np.array_equal(painted, whole)
    assert np.array_equal(again, whole)
