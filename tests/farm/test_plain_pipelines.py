"""What submission says of pipelines without a row of their own, and of folders whose parts do not
fit together.
"""

import json
import shutil

import pytest

from actors.models import whole
from farm.documents.document import DocumentError
from farm.service.submission import Submissions
from storage.states import CampaignState
from tests.farm.test_every_family import paint
from tests.pipelines import built_once, save
from tests.plain_pipelines import PLAIN, save_plain


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    def build(name, path, **how):
        return save_plain(name, path, **how) if name in PLAIN else save(name, path)

    return built_once(tmp_path_factory.mktemp("models"), build)


@pytest.fixture
def broken(folder, tmp_path):
    """A copy of a folder with other words in one of its configs."""

    def change(name, file, **words):
        path = shutil.copytree(folder(name), tmp_path / "model", copy_function=shutil.copy)
        config = json.loads((path / file).read_text()) | words
        (path / file).write_text(
            json.dumps({key: value for key, value in config.items() if value != "gone"})
        )
        return path

    return change


@pytest.fixture
def of_other_weights(monkeypatch):
    """Lets folders through whose configs are no longer those of their weights."""
    monkeypatch.setattr(whole, "fault_in", lambda folder: None)


@pytest.fixture
def service(campaigns, control, watching, outputs, brands):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands
    )


def campaign(path, **changes):
    base = {
        "name": "tiny",
        "model": str(path),
        "prompt": "a {color} mug",
        "vary": {"color": ["red", "blue"]},
    }
    whole = {**base, "seeds": {"count": 1}, "settings": {"steps": 2, "size": "64x32"}, **changes}
    if "ZImagePipeline" in (path / "model_index.json").read_text():  # it wants one that is named
        whole["settings"] = {"guidance": 3.0, **whole["settings"]}
    return whole


def refused(service, data):
    with pytest.raises(DocumentError) as error:
        service.submit("p", data)
    return [(problem.place, problem.message) for problem in error.value.problems]


SIXTEENS = [
    "ZImagePipeline",
    "Flux2KleinPipeline",
    "FluxKontextPipeline",
    "PixArtAlphaPipeline",
    "HunyuanDiTPipeline",
]
FOUR_LEVELS = {"block_out_channels": [8, 8, 8, 16]}  # a latent pixel covers eight


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "pipeline",
    [
        "ZImagePipeline",
        "Flux2KleinPipeline",
        "FluxKontextPipeline",
        "PixArtAlphaPipeline",
        "HunyuanDiTPipeline",
    ],
)
def test_sides_that_a_pipeline_cannot_paint_are_refused(
    service, broken, of_other_weights, pipeline, estimates
):
    path = broken(pipeline, "vae/config.json", **FOUR_LEVELS)
    ((place, message),) = refused(service, campaign(path, settings={"steps": 2, "size": "64x72"}))
    assert (place, "must be multiples of 16" in message) == ("settings.size", True), message
    assert estimates.plan(campaign(path, settings={"steps": 2, "size": "64x80"}))["renders"] == 2


READ = [
    ("ZImagePipeline", 504),
    ("QwenImagePipeline", 507),
    ("PixArtAlphaPipeline", 120),
    ("HunyuanDiTPipeline", 256),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("pipeline", "tokens"),
    [*READ, ("FluxKontextPipeline", 512), ("StableDiffusionPAGPipeline", 48)],
)
def test_a_prompt_that_a_pipeline_would_cut_off_is_refused(service, folder, pipeline, tokens):
    ((place, message),) = refused(
        service, campaign(folder(pipeline), prompt="a {color} mug " * 60)
    )
    assert (place, f"the model reads {tokens}" in message) == ("prompt", True), message


SWEEP = {"color": ["red"], "guidance": [1.0, 3.0, 5.0]}
WITHOUT_EFFECT = [
    ("Flux2KleinPipeline", {}, dict(vary=SWEEP), "vary.guidance[0]", "has no guidance: remove it"),
    (
        "Flux2KleinPipeline",
        {},
        dict(settings={"guidance": 3.0, "size": "64x32"}),
        "settings.guidance",
        "has no guidance",
    ),
    (
        "FluxKontextPipeline",
        {"guidance_embeds": False},
        dict(vary=SWEEP),
        "vary.guidance[0]",
        "has no guidance",
    ),
    ("FluxKontextPipeline", {}, dict(negative="grain"), "negative", "takes no negative prompt"),
    (
        "PixArtAlphaPipeline",
        {},
        dict(vary={"color": ["red"], "guidance": [0.5, 1.0, 3.0]}),
        "vary.guidance[1]",
        "the same pictures as 0.5",
    ),
    (
        "QwenImagePipeline",
        {"guidance_embeds": True},
        {},
        "model",
        "with guidance_embeds in its transformer/config.json",
    ),
    (
        "ZImagePipeline",
        {},
        {"settings": {"steps": 2, "size": "64x32", "guidance": None}},
        "settings",
        "only with a guidance that is named: add one, like `guidance: 4.0`",
    ),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("pipeline", "how", "changes", "place", "words"), WITHOUT_EFFECT)
def test_what_would_change_nothing_is_refused_and_what_is_needed_is_asked_for(
    service, folder, pipeline, how, changes, place, words
):
    problems = refused(service, campaign(folder(pipeline, **how), **changes))
    assert problems[0][0] == place, problems
    assert words in problems[0][1], problems


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_guidance_is_taken_by_those_that_have_it(estimates, folder):
    for name, how in (
        ("Flux2KleinPipeline", {"is_distilled": False}),
        ("FluxKontextPipeline", {}),
        ("QwenImagePipeline", {}),
    ):
        assert estimates.plan(campaign(folder(name, **how), vary=SWEEP))["renders"] == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_unet_that_was_distilled_without_negatives_takes_none(
    service, broken, of_other_weights, estimates
):
    path = broken("StableDiffusionPipeline", "unet/config.json", time_cond_proj_dim=8)
    assert (
        "takes no negative prompt, which would change nothing"
        in refused(service, campaign(path, negative="grain"))[0][1]
    )
    assert estimates.plan(campaign(path, vary=SWEEP))["renders"] == 3


FAULTS = [
    (
        "StableDiffusionPipeline",
        "unet/config.json",
        dict(in_channels=9),
        "takes latents of 9 channels and its vae makes 4 (for inpainting",
    ),
    (
        "StableDiffusionPAGPipeline",
        "unet/config.json",
        dict(in_channels=9),
        "takes latents of 9 channels",
    ),
    (
        "FluxKontextPipeline",
        "transformer/config.json",
        dict(in_channels=32),
        "takes latents of 8 channels and its vae makes 4",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(transformer="gone"),
        "has no transformer|made with a transformer",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(text_encoder=[None, None]),
        "has no text_encoder|made with a text_encoder",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(transformer=["diffusers", "NextImage2DModel"]),
        "its transformer is a NextImage2DModel of",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(text_encoder=["transformers", "Qwen9Model"]),
        "its text_encoder is a Qwen9Model of transf",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(_class_name="PRXPipeline"),
        "needs the package ftfy, which is not installed",
    ),
    (
        "ZImagePipeline",
        "model_index.json",
        dict(_class_name="Lumina2Pipeline"),
        "counts on a vae that makes 8 pixels a side",
    ),
    (
        "ZImagePipeline",
        "transformer/config.json",
        dict(quantization_config={"quant_method": "bitsandbytes"}),
        "pip install bitsandbytes",
    ),
    (
        "StableDiffusionPipeline",
        "text_encoder/config.json",
        dict(quantization_config={"load_in_4bit": True}),
        "with bitsandbytes, and the",
    ),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("pipeline", "file", "words", "told"), FAULTS)
def test_what_a_folder_tells_at_once_is_told_at_submission(
    service, broken, pipeline, file, words, told
):
    ((place, message),) = refused(service, campaign(broken(pipeline, file, **words)))
    assert place == "model"
    assert any(part in message for part in told.split("|")), message
    assert "\n" not in message


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_list_in_an_index_is_no_component(estimates, broken):
    path = broken("ZImagePipeline", "model_index.json", text_encoder_select_layers=[2, 5, 8])
    assert estimates.plan(campaign(path))["renders"] == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_more_pixels_than_a_model_has_places_for_are_refused(service, tmp_path):
    path = save("StableDiffusion3Pipeline", tmp_path / "model")
    ((place, message),) = refused(service, campaign(path, settings={"steps": 2, "size": "128x64"}))
    assert (place, message.split(" for ")[0]) == ("settings.size", "128x64 is too large")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_campaign_that_names_no_size_is_told_when_the_familys_own_is_none(service, broken):
    path = broken("PixArtAlphaPipeline", "transformer/config.json", pos_embed_max_size=16)
    ((place, message),) = refused(service, campaign(path, settings={"steps": 2}))
    assert (place, "1024x1024 is too large" in message) == ("settings", True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("pipeline", ["FluxKontextPipeline", "HunyuanDiTPipeline"])
def test_a_campaign_is_painted_at_its_own_size(
    service, queue, settling, campaigns, outputs, folder, pipeline, reading
):
    paint(service, queue, settling, outputs, campaign(folder(pipeline)))
    done = campaigns.get("p", "tiny")
    assert (done.state, done.done) == (CampaignState.DONE, 2), reading.status("p", "tiny")[
        "failures"
    ]
