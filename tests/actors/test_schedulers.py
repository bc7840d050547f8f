"""Every pair of a model's scheduler config and a named scheduler: the noise is the one that the
model was trained with.
"""

import inspect
import json
import shutil

import diffusers
import numpy as np
import pytest
import torch

from actors.models.families import family_of
from actors.models.models import SEEDLING, find_model
from actors.models.scheduler_limits import refusal
from actors.models.schedulers import (
    _DIFFUSION,
    SCHEDULERS,
    assumptions,
    class_defaults,
    scheduler_config,
    usable_schedulers,
)
from actors.models.sigmas import sigmas_of
from actors.painting.engine import Engine
from actors.recipes.recipe import Group, Recipe
from tests.pipelines import save

DIFFUSION = family_of("StableDiffusionPipeline").schedulers
NATIVE = {
    "_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
    "clip_sample": False, "set_alpha_to_one": True, "steps_offset": 1,
    "timestep_spacing": "leading", "prediction_type": "v_prediction",
}  # fmt: skip


SPACED = sorted(
    kind for name in _DIFFUSION if "timestep_spacing" in class_defaults(kind := f"{name}Scheduler")
)
"""The classes whose configs say how timesteps are laid out; the others leave that to whoever reads
them.
"""


def build(config):
    kind = getattr(diffusers, config["_class_name"])
    known = inspect.signature(kind.__init__).parameters
    return kind.from_config({key: value for key, value in config.items() if key in known})


def config_for(name, model_config, pipeline="StableDiffusionXLPipeline"):
    family = family_of(pipeline)
    return scheduler_config(
        name, model_config, assumptions(model_config, is_flow=family.is_flow, kind=family.noise)
    )


def walk(config, steps):
    """Latents [1, 4, 2, 2] through every step of a scheduler, beside a model whose answers are
    bounded.
    """
    scheduler = build(config)
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(0) if hasattr(scheduler, "set_begin_index") else None
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 2, 2, generator=generator) * scheduler.init_noise_sigma
    takes = inspect.signature(scheduler.step).parameters
    for t in scheduler.timesteps:
        answer = torch.tanh(scheduler.scale_model_input(latents, t))
        latents = scheduler.step(
            answer, t, latents, **({"generator": generator} if "generator" in takes else {})
        ).prev_sample
    assert torch.isfinite(latents).all()
    return latents


def saved_as(class_name):
    """The native config as diffusers saves it for another class: all that this class takes, and
    nothing else.
    """
    takes = class_defaults(class_name)
    return {
        **takes,
        **{key: value for key, value in NATIVE.items() if key in takes},
        "_class_name": class_name,
    }


@pytest.mark.parametrize("name", DIFFUSION)
@pytest.mark.parametrize("class_name", SPACED)
def test_a_scheduler_walks_the_same_way_from_any_config_of_the_same_noise(class_name, name):
    assert torch.equal(
        walk(config_for(name, saved_as(class_name)), 5), walk(config_for(name, NATIVE), 5)
    )


@pytest.mark.parametrize("name", DIFFUSION)
def test_what_a_config_leaves_out_is_what_its_own_class_assumes(name):
    full = saved_as("LCMScheduler")
    without = {
        key: full[key]
        for key in full
        if key not in ("beta_start", "beta_end", "beta_schedule", "timestep_spacing")
    }
    assert torch.equal(walk(config_for(name, without), 5), walk(config_for(name, full), 5))


@pytest.mark.parametrize("clip", [{}, {"clip_sample": True}, {"clip_sample": False}])
@pytest.mark.parametrize("name", ["ddim", "ddpm", "lcm"])
def test_latents_are_never_clipped(name, clip):
    config = {key: value for key, value in NATIVE.items() if key != "clip_sample"} | clip
    for pipeline in (
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "PixArtSigmaPipeline",
    ):
        assert not build(config_for(name, config, pipeline)).config.clip_sample


def test_a_last_step_that_keeps_noise_does_so_in_ddim_too():
    kept = {**saved_as("EulerDiscreteScheduler"), "final_sigmas_type": "sigma_min"}
    assert build(config_for("ddim", kept)).config.set_alpha_to_one is False
    assert (
        build(config_for("ddim", saved_as("EulerDiscreteScheduler"))).config.set_alpha_to_one
        is True
    )
    assert (
        build(config_for("ddim", {"_class_name": "PNDMScheduler"})).config.set_alpha_to_one
        is False
    )


def test_old_configs_of_stable_diffusion_get_the_offset_that_its_pipeline_gives_them():
    old = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear"}
    assert build(config_for("ddim", old, "StableDiffusionPipeline")).config.steps_offset == 1
    assert (
        build(
            config_for("ddim", {**old, "steps_offset": 0}, "StableDiffusionPipeline")
        ).config.steps_offset
        == 0
    )


@pytest.mark.parametrize(
    "option", ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"]
)
def test_a_named_scheduler_spreads_its_sigmas_as_its_name_says(option):
    config = {**saved_as("DPMSolverMultistepScheduler"), option: True}
    plain = saved_as("DPMSolverMultistepScheduler")
    for name in DIFFUSION:
        assert torch.equal(walk(config_for(name, config), 5), walk(config_for(name, plain), 5)), (
            name
        )
    karras, even = (
        walk(config_for("dpm++-2m-karras", config), 5),
        walk(config_for("dpm++-2m", config), 5),
    )
    assert not torch.equal(karras, even)


def test_the_second_order_solver_stays_of_second_order():
    third = {**saved_as("DPMSolverMultistepScheduler"), "solver_order": 3}
    assert build(config_for("dpm++-2m", third)).config.solver_order == 2


def test_a_learned_variance_is_not_asked_for_once_pipelines_have_cut_it_off():
    learned = {**saved_as("DDPMScheduler"), "variance_type": "learned_range"}
    assert build(config_for("ddpm", learned)).config.variance_type == "fixed_small"
    assert build(config_for("dpm++-2m", learned)).config.variance_type is None


def test_flow_models_stay_flow_models_whatever_their_config_forgets():
    forgot = {"_class_name": "DPMSolverMultistepScheduler", "flow_shift": 3.0}
    for pipeline in ("StableDiffusion3Pipeline", "SanaPipeline"):
        assert build(config_for("dpm++-2m", forgot, pipeline)).config.use_flow_sigmas
        assert build(config_for("flow-match-euler", forgot, pipeline)).config.shift == 3.0


def test_each_kind_of_noise_has_its_schedulers():
    edm = {"_class_name": "EDMEulerScheduler"}
    flow = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    assert usable_schedulers(DIFFUSION, edm, {}) == ("own",)
    assert usable_schedulers(DIFFUSION, flow, {}) == ("dpm++-2m", "unipc")
    assert usable_schedulers(DIFFUSION, NATIVE, {}) == DIFFUSION
    assert usable_schedulers(("flow-match-euler", "unipc"), NATIVE, {"use_flow_sigmas": True}) == (
        "flow-match-euler",
        "unipc",
    )


def test_the_shipped_model_has_the_configs_that_it_always_had():
    model = find_model("seedling")
    for name in DIFFUSION:
        assert scheduler_config(name, model.scheduler_config, model.assumed) == scheduler_config(
            name, model.scheduler_config
        ), name


@pytest.mark.parametrize("class_name", sorted({kind for kind, _ in SCHEDULERS.values() if kind}))
def test_defaults_read_from_the_source_are_those_of_the_class(class_name):
    real = {
        k: p.default
        for k, p in inspect.signature(getattr(diffusers, class_name).__init__).parameters.items()
    }
    read = class_defaults(class_name)
    assert read.items() <= real.items()
    assert {key for key in real if key not in read} <= {
        "self",
        "lambda_min_clipped",
        "disable_corrector",
        "trained_betas",
    }
    assert class_defaults("NoSuchScheduler") == {}


ZERO_SNR = {"rescale_betas_zero_snr": True}
VARIANTS = [
    *(
        {"timestep_spacing": spacing, "steps_offset": offset}
        for spacing in ("leading", "linspace", "trailing")
        for offset in (0, 1)
    ),
    *({"prediction_type": kind} for kind in ("epsilon", "sample", "flow_prediction", "nonsense")),
    *({"beta_schedule": kind} for kind in ("linear", "sigmoid", "laplace")),
    *(
        {**ZERO_SNR, "prediction_type": "epsilon", "timestep_spacing": spacing}
        for spacing in ("trailing", "leading")
    ),
    {**ZERO_SNR, "timestep_spacing": "trailing"},
    {"steps_offset": 3},
    {"num_train_timesteps": 50},
    {"num_train_timesteps": 200},
    {"timestep_spacing": "nonsense"},
    {"original_inference_steps": 10},
    {"original_inference_steps": 2000},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "trailing"},
]


@pytest.mark.parametrize("name", DIFFUSION)
def test_what_is_refused_is_what_diffusers_cannot_do(name):
    for variant in VARIANTS:
        for steps in (1, 2, 20, 50, 51, 200, 999, 1000):
            config = config_for(name, {**NATIVE, **variant})
            said = refusal(config, steps)
            if said is None and 60 < steps < 999:
                continue  # long walks prove nothing that short ones do not
            try:
                walk(config, steps)
            except (
                AssertionError,
                ValueError,
                IndexError,
                NotImplementedError,
                RuntimeError,
                TypeError,
            ):
                assert said is not None, (variant, steps)
            else:
                assert said is None, (variant, steps, said)


COSINE = {**NATIVE, "beta_schedule": "squaredcos_cap_v2"}
NOISES = [
    NATIVE, COSINE, {**NATIVE, **ZERO_SNR}, {**COSINE, **ZERO_SNR},
    {**COSINE, "num_train_timesteps": 100},
    {**NATIVE, "beta_schedule": "linear"},
    {**NATIVE, "trained_betas": np.linspace(0.0001, 0.02, 1000).tolist()},
]  # fmt: skip


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("noise", range(len(NOISES)))
def test_a_number_of_steps_whose_ancestral_steps_are_no_numbers_is_refused(noise, spacing):
    """Square roots of numbers below zero, by rounding: with cosine noise 3 steps are NaN, laid out
    from the end, and 2 and 4 are not.
    """
    config = config_for("euler-ancestral", {**NOISES[noise], "timestep_spacing": spacing})
    scheduler = build(config)
    for steps in range(1, 60):
        scheduler.set_timesteps(steps)
        full = {**class_defaults(config["_class_name"]), **config}
        # Processors multiply a thousand numbers in their own orders: 1 - alpha differs by some
        # units of the last place, 0.1 % of it if alpha is almost 1.
        assert np.allclose(sigmas_of(full, steps), scheduler.sigmas.numpy(), rtol=2e-3), steps
        before, after = scheduler.sigmas[:-1], scheduler.sigmas[1:]
        up = (after**2 * (before**2 - after**2) / before**2) ** 0.5
        is_finite = bool(((after**2 - up**2) ** 0.5).isfinite().all())
        assert (refusal(config, steps) is None) is is_finite, steps


def test_the_refusal_of_a_step_without_numbers_says_what_would_work():
    config = config_for("euler-ancestral", {**COSINE, "timestep_spacing": "trailing"})
    said = refusal(config, 3)
    assert said.endswith(
        "a step would give no numbers (NaN): take 4 steps, or the scheduler 'euler'"
    )
    with pytest.raises(AssertionError):
        walk(config, 3)
    walk(config, 4)
    walk(config_for("euler", {**COSINE, "timestep_spacing": "trailing"}), 3)


def test_noise_without_end_is_refused():
    """Betas that leave nothing of a picture long before the last timestep."""
    noise = {
        **NATIVE,
        "trained_betas": [0.01] * 900 + [0.99] * 100,
        "timestep_spacing": "trailing",
    }
    for name in ("euler", "euler-ancestral"):
        assert (
            "leaves nothing of a picture at the first step: take a scheduler like 'ddim'"
            in refusal(config_for(name, noise), 8)
        )
    walk(config_for("ddim", noise), 8)


@pytest.mark.parametrize("name", DIFFUSION)
def test_noise_that_half_precision_cannot_hold_is_refused(name):
    for noise in NOISES:
        config = config_for(name, {**noise, "timestep_spacing": "trailing"})
        scheduler = build(config)
        scheduler.set_timesteps(8)
        begin = (
            torch.randn(4, 128, 128, generator=torch.Generator().manual_seed(0)).half()
            * scheduler.init_noise_sigma
        )
        said = refusal(config, 8, "float16")
        assert (said is None) is bool(begin.isfinite().all()), noise
        assert said is None or "float16 cannot hold: write `dtype: bfloat16` or float32" in said
        assert refusal(config, 8, "bfloat16") is None


@pytest.fixture(scope="module")
def euler_seedling(tmp_path_factory):
    """The shipped model with the config that Stable Diffusion XL's folders come with: Euler's,
    which says nothing of clipping.
    """
    folder = tmp_path_factory.mktemp("models") / "euler"
    shutil.copytree(SEEDLING, folder)
    path = folder / "scheduler" / "scheduler_config.json"
    native = json.loads(path.read_text())
    takes = class_defaults("EulerDiscreteScheduler")
    euler = {**takes, **{key: value for key, value in native.items() if key in takes}}
    path.write_text(json.dumps({"_class_name": "EulerDiscreteScheduler", **euler}))
    return folder


@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpm++-2m-karras"])
def test_pictures_do_not_change_with_the_scheduler_that_a_folder_came_with(euler_seedling, name):
    engine, painted = Engine(device="cpu", threads=1), []
    for place in (SEEDLING, euler_seedling):
        model = find_model(str(place))
        config = scheduler_config(name, model.scheduler_config, model.assumed)
        group = Group(
            model=model.digest, pipeline=model.pipeline, steps=4, guidance=5.0, scheduler=name,
            scheduler_config=config,
            width=64, height=64, dtype="float32", batch=1,
        )  # fmt: skip
        (pixels,) = engine.paint(
            [Recipe(group=group, prompt="a red mug", negative="", seed=7)], str(place)
        ).pixels
        painted.append(pixels)
    assert np.array_equal(*painted)


def test_a_model_with_preconditioned_noise_is_painted_with_its_own_scheduler_alone(tmp_path):
    folder = save("StableDiffusionXLPipeline", tmp_path / "edm")
    diffusers.EDMEulerScheduler().save_pretrained(folder / "scheduler")
    model = find_model(str(folder))
    assert model.schedulers == ("own",)
    group = Group(
        model=model.digest, pipeline=model.pipeline, steps=2, guidance=5.0, scheduler="own",
        width=32, height=32, dtype="float32",
        batch=1, scheduler_config=scheduler_config("own", model.scheduler_config, model.assumed),
    )  # fmt: skip
    (pixels,) = (
        Engine(device="cpu", threads=1)
        .paint([Recipe(group=group, prompt="a mug", negative="", seed=7)], str(folder))
        .pixels
    )
    assert pixels is not None
