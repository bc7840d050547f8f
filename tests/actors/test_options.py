"""Few steps, and what else only some families take: each beside the bare pipeline of diffusers,
and each with another picture than without it.
"""

from dataclasses import replace

import numpy as np
import pytest

from actors.models.spacings import snr_refusal, spaced, spacing_refusal
from actors.painting.denoising import new_scheduler
from actors.painting.engine import Engine
from actors.pictures.files import pixels_digest
from actors.recipes.canary import subject_of
from actors.recipes.errors import BadRequest
from actors.recipes.guidance import GuidanceKind, guidance_words, kind_of
from actors.recipes.previews import Previews
from tests.actors.bare import painted_bare
from tests.actors.tiny import SHADES, Looks, assert_pictures_stand_alone, group, hashes, recipes

SD, XL, SD3 = "StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"


@pytest.fixture(scope="module")
def engine():
    return Engine(device="cpu", threads=1)


def trailing(made_of, terminal_snr=None):
    return replace(
        made_of, scheduler_config=spaced(made_of.scheduler_config, "trailing", terminal_snr)
    )


def bare(path, recipe):
    """What diffusers paints of a recipe with its options."""
    made_of = recipe.group

    def options(pipe):
        if made_of.pipeline == SD:  # the name by which diffusers 0.42 looks for CLIP's last layer
            pipe.text_encoder.__dict__["text_model"] = pipe.text_encoder
        named = {name: getattr(made_of, name) for name in ("eta", "clip_skip", "guidance_rescale")}
        # Of no negative XL makes zeros, as the farm does.
        return {"negative_prompt": recipe.negative or None, **named}

    return painted_bare(path, recipe, options)


BARE = [
    *((pipeline, dict(clip_skip=1)) for pipeline in (SD, XL, SD3)),
    *((pipeline, dict(guidance_rescale=0.7)) for pipeline in (SD, XL)),
    *((pipeline, dict(scheduler="tcd", eta=0.3, guidance=0.0)) for pipeline in (SD, XL)),
    (XL, dict(scheduler="ddim", eta=0.5)),
    (XL, dict(scheduler="lcm", guidance=1.5)),
]


@pytest.mark.parametrize(("pipeline", "options"), BARE)
def test_an_option_gives_the_picture_that_diffusers_paints_and_another_than_without(
    engine, folder, pipeline, options
):
    path = folder(pipeline)
    one = recipes(group(path, batch=1, **options), negative="a grain")[0]
    painted = engine.paint([one], str(path)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, one)).max() == 0
    plain = replace(one, group=group(path, batch=1))
    assert one.digest != plain.digest
    assert not np.array_equal(engine.paint([plain], str(path)).pixels[0], painted)


@pytest.mark.parametrize("name", ["euler", "ddim", "dpm++-2m"])
def test_trailing_steps_begin_at_the_last_timestep_and_paint_as_diffusers_does(
    engine, folder, name
):
    path = folder(XL)
    made_of = trailing(group(path, batch=1, scheduler=name))
    scheduler = new_scheduler(made_of)
    scheduler.set_timesteps(4)
    assert int(scheduler.timesteps[0]) == 999
    one = recipes(made_of)[0]
    painted = engine.paint([one], str(path)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, one)).max() == 0
    leading = recipes(group(path, batch=1, scheduler=name))
    assert pixels_digest(painted) != hashes(engine, leading[:1], path)[0]


def test_with_zero_terminal_snr_nothing_of_a_picture_is_left_at_the_first_step(engine, folder):
    path = folder(SD)
    v = {"prediction_type": "v_prediction"}
    made_of = group(path, batch=1)
    made_of = replace(made_of, scheduler_config={**made_of.scheduler_config, **v})
    zero = trailing(made_of, "zero")
    assert (
        float(new_scheduler(zero).alphas_cumprod[-1])
        == 0
        < float(new_scheduler(made_of).alphas_cumprod[-1])
    )
    one = recipes(zero)[0]
    painted = engine.paint([one], str(path)).pixels[0]
    assert np.abs(painted.astype(int) - bare(path, one)).max() == 0
    assert one.digest != recipes(trailing(made_of))[0].digest


@pytest.mark.parametrize(
    "options", [dict(clip_skip=1), dict(scheduler="tcd", eta=0.3), dict(guidance_rescale=0.7)]
)
def test_pictures_with_options_stand_alone(engine, folder, options):
    assert_pictures_stand_alone(engine, recipes(group(folder(XL), **options)), folder(XL))


def test_a_picture_that_draws_noise_at_each_step_goes_on_where_it_was_parked(engine, folder):
    path = folder(SD)
    batch = recipes(group(path, scheduler="tcd", eta=0.5, steps=5))
    parked = engine.paint(batch, str(path), until=2).parked
    again = engine.paint(batch, str(path), parked=parked).pixels
    assert [pixels_digest(picture) for picture in again] == hashes(engine, batch, path)


def test_the_looks_of_few_steps_come_nearer_to_the_picture(engine, folder):
    path, looks = folder(SD), Looks()
    batch = recipes(group(path, scheduler="tcd", eta=0.3, steps=6))
    painted = engine.paint(batch, str(path), Previews(every=1), on_preview=looks).pixels[0]
    first, last = (np.abs(looks[k][0].astype(float) - painted).mean() for k in (1, 5))
    assert last < first


def test_a_worker_refuses_options_that_its_pipeline_does_not_take(engine, folder):
    path = folder("FluxPipeline")
    for options, words in ((dict(clip_skip=1), "clip_skip"), (dict(eta=0.3), "takes no `eta`")):
        with pytest.raises(BadRequest, match=words):
            engine.paint(recipes(group(path, **options)), str(path))
    begin = group(folder(SD), strength=0.5, guidance_rescale=0.7)
    with pytest.raises(BadRequest, match=r"Img2ImgPipeline takes no `guidance_rescale`"):
        engine.paint(recipes(begin, reference="dark"), str(folder(SD)), references=SHADES)


def test_options_that_change_no_kernel_need_no_canaries_of_their_own(folder):
    plain = group(folder(SD))
    for options in (dict(clip_skip=1), dict(guidance_rescale=0.5)):
        assert subject_of(replace(plain, **options)) == subject_of(plain)


# --- decisions ---


def test_what_a_config_says_already_is_not_said_twice():
    config = {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"}
    assert spaced(config, "leading", None) == config  # its class assumes that
    assert spaced(config, None, None) == config
    assert spaced(config, "trailing", "zero") == {
        **config,
        "timestep_spacing": "trailing",
        "rescale_betas_zero_snr": True,
    }
    assert spaced({**config, "rescale_betas_zero_snr": True}, None, "zero").keys() == {
        *config,
        "rescale_betas_zero_snr",
    }


CONFIGS = [
    ({"_class_name": "EulerDiscreteScheduler"}, None, "predicts noise"),
    ({"_class_name": "EulerDiscreteScheduler", "prediction_type": "v_prediction"}, None, None),
    ({"_class_name": "LCMScheduler"}, "distilled at", "predicts noise"),
    ({"_class_name": "TCDScheduler", "prediction_type": "sample"}, "distilled at", None),
    ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "not laid out", "no such noise"),
    (
        {"_class_name": "DPMSolverMultistepScheduler", "use_flow_sigmas": True},
        "not laid out",
        "no such noise",
    ),
    (
        {"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True},
        "Karras",
        "predicts noise",
    ),
]


@pytest.mark.parametrize(("config", "spacing", "snr"), CONFIGS)
def test_a_spacing_or_noise_that_a_scheduler_does_not_have_is_refused(config, spacing, snr):
    for why, words in ((spacing_refusal(config), spacing), (snr_refusal(config), snr)):
        assert (why is None) is (words is None)
        assert words is None or words in why


def test_schedulers_whose_spacing_is_refused_paint_the_same_with_any(engine, folder):
    """Else a campaign would be refused something that it could have."""
    path = folder(XL)
    for name in ("lcm", "tcd", "dpm++-2m-karras"):
        one = recipes(group(path, batch=1, scheduler=name))[:1]
        other = [replace(recipe, group=trailing(recipe.group)) for recipe in one]
        assert hashes(engine, one, path) == hashes(engine, other, path), name


WORDS = [
    (GuidanceKind.STANDARD, 5.0, "guidance 5 (standard)"),
    (GuidanceKind.STANDARD, 1.0, "guidance 1 (none at this number)"),
    (GuidanceKind.STANDARD, None, "no guidance"),
    (GuidanceKind.ANCHORED, 3.0, "guidance 3 (anchored at the prompt, 4 in standard numbers)"),
    (GuidanceKind.ANCHORED, 0.0, "guidance 0 (none at this number)"),
    (GuidanceKind.ANCHORED, 0.5, "guidance 0.5 (anchored at the prompt, 1.5 in standard numbers)"),
    (GuidanceKind.EMBEDDED, 0.0, "guidance 0 (embedded: the model reads the number)"),
    (GuidanceKind.TRUE, 4.0, "guidance 4 (true CFG)"),
    (GuidanceKind.TRUE, 1.0, "guidance 1 (none at this number)"),
]


@pytest.mark.parametrize(("kind", "number", "words"), WORDS)
def test_a_guidance_is_told_with_its_kind(kind, number, words):
    assert guidance_words(kind, number) == words
    assert (kind_of(kind, number) is GuidanceKind.NONE) is ("no" in words.split("(")[-1][:4])
