"""Each family beside the bare pipeline of diffusers, one picture at a time: the same pixels."""

import diffusers
import numpy as np
import pytest
import torch

from actors.models.families import FAMILIES
from actors.painting.denoising import new_scheduler, pixels_of
from actors.painting.engine import Engine
from tests.actors.tiny import group, recipes

GUIDED = {"ZImagePipeline": [0.0, 3.0]}


def _bare(path, recipe, family):
    """What diffusers paints of a recipe, from its text on."""
    torch.set_num_threads(1)
    pipe = getattr(diffusers, family.pipeline).from_pretrained(path)
    pipe.set_progress_bar_config(disable=True)
    made_of = recipe.group
    pipe.scheduler = new_scheduler(made_of)
    options = {"negative_prompt": recipe.negative} if family.has_negative else {}
    if family.pipeline == "Flux2KleinPipeline":  # it takes a negative as an embedding alone
        with torch.no_grad():
            options = {"negative_prompt_embeds": pipe.encode_prompt(recipe.negative)[0]}
    if family.pipeline in ("PixArtSigmaPipeline", "SanaPipeline"):
        options |= {"clean_caption": False, "use_resolution_binning": False}
    if family.pipeline == "FluxKontextPipeline":
        options |= {"max_area": made_of.width * made_of.height}
    scale = "true_cfg_scale" if family.pipeline == "QwenImagePipeline" else "guidance_scale"
    images = pipe(
        prompt=recipe.prompt,
        width=made_of.width,
        height=made_of.height,
        num_inference_steps=made_of.steps,
        **{scale: made_of.guidance},
        generator=torch.Generator().manual_seed(recipe.seed),
        output_type="pt",
        **options,
    ).images
    return pixels_of(images)[0]


@pytest.mark.parametrize(
    ("family", "guidance"),
    [(f, guidance) for f in FAMILIES for guidance in GUIDED.get(f.pipeline, [f.guidance])],
    ids=lambda value: getattr(value, "pipeline", str(value)),
)
def test_a_picture_is_the_one_that_diffusers_paints(folder, family, guidance):
    path = folder(family.pipeline)
    negative = "a grain" if family.has_negative else ""
    one = recipes(group(path, batch=1, guidance=guidance), negative=negative)[0]
    painted = Engine(device="cpu", threads=1).paint([one], str(path)).pixels[0]
    assert np.abs(painted.astype(int) - _bare(path, one, family)).max() == 0
