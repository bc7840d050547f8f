"""The embedded model is a plain diffusers folder: others' pipelines read it as it is."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image

from actors.models.models import SEEDLING


def load(kind):
    pipe = kind.from_pretrained(
        SEEDLING,
        torch_dtype=torch.float32,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def shot():
    pipe = load(StableDiffusionPipeline)
    return pipe(
        "a red mug in a studio",
        num_inference_steps=8,
        guidance_scale=4.0,
        generator=torch.Generator().manual_seed(3),
    ).images[0]


def redness(image):
    red, green, blue = (
        np.asarray(image)[40:100, 40:90, channel].astype(float).mean() for channel in range(3)
    )
    return red - max(green, blue)


def test_text_to_image_paints_what_it_is_told(shot):
    assert shot.size == (128, 128)
    assert redness(shot) > 30


def test_image_to_image_keeps_the_framing_and_takes_the_new_words(shot):
    pipe = load(StableDiffusionImg2ImgPipeline)
    blue = pipe(
        "a blue mug in a studio",
        image=shot,
        strength=0.8,
        num_inference_steps=10,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    assert redness(blue) < redness(shot) - 20
    assert isinstance(blue, Image.Image)
