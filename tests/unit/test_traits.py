"""What a model takes, from the source of its pipeline and the configs of its folder, without
torch.
"""

import pytest

from actors.models.families import family_of
from actors.models.source import Facts, source_of, text_to_image_classes
from actors.models.traits import multiple_of, traits_of

EIGHT = {
    "block_out_channels": [128, 256, 512, 512],
    "latent_channels": 16,
}  # as most autoencoders have it
QWEN = {"temperal_downsample": [False, True, True], "z_dim": 16}


def facts(pipeline, index=(), **configs):
    parts = {
        part: ["diffusers", "SomeModel"] for part in (*source_of(pipeline).components, *configs)
    }
    return Facts({"_class_name": pipeline, **parts, **dict(index)}, configs)


SIDES = [
    ("AuraFlowPipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("ChromaPipeline", dict(vae=EIGHT, transformer={"patch_size": 1}), 16),
    ("CogView3PlusPipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("CogView4Pipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("Flux2KleinPipeline", dict(vae=EIGHT, transformer={"patch_size": 1}), 16),
    ("FluxKontextPipeline", dict(vae=EIGHT, transformer={"patch_size": 1}), 16),
    ("HunyuanDiTPipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("IFPipeline", dict(unet={"in_channels": 3, "block_out_channels": [320, 640, 960, 1280]}), 8),
    (
        "Kandinsky3Pipeline",
        dict(unet={"in_channels": 4, "block_out_channels": [384, 768, 1536, 3072]}),
        64,
    ),
    ("KandinskyCombinedPipeline", dict(unet={"in_channels": 4}), 64),
    ("Krea2Pipeline", dict(vae=QWEN, transformer={}), 16),
    ("LatentConsistencyModelPipeline", dict(vae=EIGHT, unet={"in_channels": 4}), 8),
    ("Lumina2Pipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("PixArtAlphaPipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("QwenImagePipeline", dict(vae=QWEN, transformer={"patch_size": 2}), 16),
    ("QwenImage21Pipeline", dict(vae={"z_dim": 64}, transformer={}), 32),
    (
        "SanaPAGPipeline",
        dict(vae={"encoder_block_out_channels": [128] * 6}, transformer={"patch_size": 1}),
        32,
    ),
    ("StableDiffusion3PAGPipeline", dict(vae=EIGHT, transformer={"patch_size": 2}), 16),
    ("StableDiffusionXLPAGPipeline", dict(vae=EIGHT, unet={"in_channels": 4}), 8),
    ("ZImagePipeline", dict(vae=EIGHT, transformer={}), 16),
]


@pytest.mark.parametrize(("pipeline", "configs", "expected"), SIDES)
def test_sides_are_multiples_of_what_the_code_and_the_patches_need(pipeline, configs, expected):
    assert (
        multiple_of(source_of(pipeline), facts(pipeline, **configs), family_of(pipeline))
        == expected
    )


def test_every_plain_pipeline_has_traits_whatever_its_folder_lacks():
    for name in text_to_image_classes():
        if (family := family_of(name)) is not None:
            assert 1 <= traits_of(family, facts(name)).multiple_of <= 128


def test_a_denoiser_that_knows_its_places_has_a_longest_side():
    side = {"patch_size": 2, "pos_embed_max_size": 192}
    assert (
        traits_of(
            family_of("StableDiffusion3Pipeline"),
            facts("StableDiffusion3Pipeline", vae=EIGHT, transformer=side),
        ).longest_side
        == 3072
    )
    grid = {
        "_class_name": "AuraFlowTransformer2DModel",
        "patch_size": 2,
        "pos_embed_max_size": 9216,
    }
    assert (
        traits_of(
            family_of("AuraFlowPipeline"), facts("AuraFlowPipeline", vae=EIGHT, transformer=grid)
        ).longest_side
        == 1536
    )


def traits(pipeline, index=(), **configs):
    return traits_of(family_of(pipeline), facts(pipeline, index, **configs))


def test_guidance_and_negatives_follow_the_flag_that_a_model_was_distilled():
    klein = "Flux2KleinPipeline"
    assert (traits(klein, {"is_distilled": True}).has_guidance, traits(klein).guidance) == (
        False,
        4.0,
    )
    assert traits(klein, {"is_distilled": True}).guidance is None
    # Krea's takes guidance all the same, but was distilled to paint without.
    assert (
        traits("Krea2Pipeline").guidance,
        traits("Krea2Pipeline", {"is_distilled": True}).guidance,
    ) == (4.5, 0.0)
    kontext = "FluxKontextPipeline"
    assert [
        traits(kontext, transformer={"guidance_embeds": on}).has_guidance for on in (True, False)
    ] == [True, False]
    for name in (
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "StableDiffusionXLPAGPipeline",
    ):
        distilled, not_distilled = (
            traits(name, unet={"time_cond_proj_dim": width}) for width in (256, None)
        )
        assert (distilled.has_negative, distilled.has_guidance, distilled.guidance_off) == (
            False,
            True,
            None,
        )
        assert (
            not_distilled.has_negative,
            not_distilled.has_guidance,
            not_distilled.guidance_off,
        ) == (True, True, 1.0)


def test_guidance_without_a_default_must_be_named():
    image = traits("ZImagePipeline")
    assert (image.has_guidance, image.needs_guidance, image.guidance) == (True, True, None)
    assert traits("Ideogram4Pipeline").needs_guidance
    true = traits("QwenImagePipeline", transformer={"guidance_embeds": False})
    assert (true.needs_guidance, true.guidance, true.guidance_off) == (False, 4.0, 1.0)


def test_a_schedule_in_the_index_decides_the_steps():
    assert traits("QwenImage21Pipeline", {"sample_sigmas": [1.0, 0.7, 0.4]}).steps == 3
    assert traits("QwenImage21Pipeline", {"sample_sigmas": None}).steps is None
