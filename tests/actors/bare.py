"""What the bare pipelines of diffusers paint, to hold the engine's pictures against."""

import diffusers
import torch

from actors.painting.denoising import new_scheduler, pixels_of


def painted_bare(path, recipe, options=lambda _pipe: {}, **components):
    """The picture of a recipe, from its text on. `options` gives, for the pipeline, what else its
    call is told; `components` are those that it has beside its folder's.
    """
    pipe = getattr(diffusers, recipe.group.pipeline).from_pretrained(path, **components)
    return painted_by(pipe, recipe, options(pipe))


def painted_by(pipe, recipe, options):
    """The picture that a pipeline paints of a recipe."""
    torch.set_num_threads(1)
    made_of = recipe.group
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = new_scheduler(made_of)
    told = {
        "width": made_of.width,
        "height": made_of.height,
        "num_inference_steps": made_of.steps,
        "guidance_scale": made_of.guidance,
        **options,
    }
    images = pipe(
        prompt=recipe.prompt,
        generator=torch.Generator().manual_seed(recipe.seed),
        output_type="pt",
        **{name: value for name, value in told.items() if value is not None},
    ).images
    return pixels_of(images)[0]
