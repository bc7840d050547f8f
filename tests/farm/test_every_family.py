"""Every family through the farm, from the campaign to the settled render, without Ray; and what
submission refuses of each.
"""

import json

import pytest
from PIL import Image

from actors.painting.engine import Engine
from actors.painting.painter import Painter
from farm.campaign.checks import parse_campaign
from farm.campaign.specs import expansion_of
from farm.documents.document import DocumentError
from farm.results.reproduce import campaign_of, read_picture
from farm.service.submission import Submissions
from storage.states import CampaignState
from tests.adapters import save_adapter
from tests.farm.resting import assert_recipes_come_back, paint_queued
from tests.pipelines import FREE, PLAIN, built_once, save

NAMES = [family.pipeline for family in FREE]
(LCM,) = PLAIN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return built_once(tmp_path_factory.mktemp("models"))


@pytest.fixture
def service(campaigns, control, watching, outputs, brands):
    return Submissions(
        campaigns=campaigns, control=control, watching=watching, outputs=outputs, brands=brands
    )


def campaign(folder, **changes):
    base = {
        "name": "tiny",
        "model": str(folder),
        "prompt": "a {color} mug",
        "vary": {"color": ["red", "blue"]},
        "seeds": {"count": 2},
        "settings": {"steps": 2, "size": "32x64"},
    }
    whole = {**base, **changes}
    if folder.name == "ZImagePipeline":  # paints only with a guidance that is named
        whole["settings"] = {"guidance": 3.0, **whole["settings"]}
    return whole


def paint(service, queue, settling, outputs, data):
    row, _ = service.submit("p", data)
    paint_queued(queue, settling, row, Painter("w", Engine(device="cpu", threads=1), outputs))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("pipeline", [*NAMES, LCM])
def test_a_campaign_is_painted(
    service, queue, settling, campaigns, outputs, folder, pipeline, reading
):
    paint(service, queue, settling, outputs, campaign(folder(pipeline)))
    done = campaigns.get("p", "tiny")
    assert (done.state, done.done, done.total) == (CampaignState.DONE, 4, 4), reading.status(
        "p", "tiny"
    )["failures"]
    lines = [json.loads(line) for line in reading.manifest("p", "tiny")]
    assert len({line["pixels"] for line in lines}) == 4
    for line in lines:
        with outputs.open(line["key"]) as file:
            assert len(file.read()) == line["bytes"]


REFUSED = [
    (
        "Flux2Pipeline",
        dict(prompt="a {color} [IMG] mug", emphasis="literal"),
        "prompt",
        "[IMG] has a meaning for this model, which would not read it",
    ),
    (
        "Flux2Pipeline",
        dict(vary={"color": ["red", "a [IMG] blue"]}, emphasis="literal"),
        "vary.color[1]",
        "[IMG] has a meaning for this model, which would not read it",
    ),
    ("FluxPipeline", dict(negative="grain"), "negative", "takes no negative prompt"),
    (
        "FluxPipeline",
        dict(settings={"scheduler": "ddim"}),
        "settings.scheduler",
        "with 'flow-match-euler' alone",
    ),
    (
        "StableDiffusionPipeline",
        dict(settings={"scheduler": "flow-match-euler"}),
        "settings.scheduler",
        "known are ddim",
    ),
    (
        "StableDiffusionPipeline",
        dict(settings={"scheduler": "lcm", "steps": 60}),
        "settings",
        "at most the 50 steps",
    ),
    (
        "StableDiffusionPipeline",
        dict(settings={"steps": 1000}),
        "settings",
        "1000 timesteps: take fewer",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"steps": 60}, vary={"color": ["red"], "scheduler": ["ddim", "lcm"]}),
        "vary.scheduler[1]",
        "lcm cannot make 60 steps",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(
            vary={
                "color": ["red"],
                "way": [
                    {"scheduler": "lcm", "steps": 8},
                    {"scheduler": "dpm++-2m", "steps": 1000},
                ],
            }
        ),
        "vary.way[1]",
        "dpm++-2m cannot make 1000 steps",
    ),
    (
        "StableDiffusion3Pipeline",
        dict(settings={"scheduler": "dpm++-2m-karras"}),
        "settings.scheduler",
        "did you mean 'dpm++-2m'",
    ),
    (
        "StableDiffusion3Pipeline",
        dict(settings={"size": "72x64"}),
        "settings.size",
        "must be multiples of 16",
    ),
    (
        "SanaPipeline",
        dict(settings={"size": "48x64"}),
        "settings.size",
        "multiples of 32 for the model",
    ),
    (
        "SanaPipeline",
        dict(vary={"color": ["red"], "size": ["64x64", "48x64"]}),
        "vary.size[1]",
        "like 64x64",
    ),
    (
        "FluxPipeline",
        dict(vary={"color": ["red"], "scheduler": ["flow-match-euler", "ddim"]}),
        "vary.scheduler[1]",
        "alone",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(prompt="a {color} mug " * 20),
        "prompt",
        "the model reads 48",
    ),
    ("PixArtSigmaPipeline", dict(prompt="a {color} mug " * 40), "prompt", "the model reads 300"),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"scheduler": "tcd", "steps": 60}),
        "settings",
        "tcd cannot make 60 steps",
    ),
    ("FluxPipeline", dict(settings={"clip_skip": 1}), "settings.clip_skip", "takes no 'clip_skip"),
    (
        "SanaPipeline",
        dict(settings={"guidance_rescale": 0.7}),
        "settings.guidance_rescale",
        "takes no 'guidance_rescale'",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"guidance_rescale": 0.7, "guidance": 1.0}),
        "settings.guidance_rescale",
        "no guidance to rescale",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"eta": 0.5, "scheduler": "euler"}),
        "settings.eta",
        "'euler' draws no new noise",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"spacing": "trailing", "scheduler": "lcm"}),
        "settings.spacing",
        "changes nothing with 'lcm'",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(settings={"terminal_snr": "zero"}),
        "settings.terminal_snr",
        "the model predicts noise",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(vary={"color": ["red"], "spacing": ["none", "leading"]}),
        "vary.spacing[1]",
        "the same pictures as the value 0",
    ),
    (
        "StableDiffusionXLPipeline",
        dict(vary={"color": ["red"], "clip_skip": [0, 1, 12]}),
        "vary.clip_skip[2]",
        "at most 11",
    ),
    (
        "FluxPipeline",
        dict(reference={"image": "/a.png", "mask": "/b.png"}),
        "reference.mask",
        "Flux paints no part of a picture anew",
    ),
    (
        "StableDiffusionPipeline",
        dict(
            reference={"image": "/a.png", "mask": "/b.png"},
            settings={"guidance_rescale": 0.7, "steps": 4, "size": "32x64"},
        ),
        "settings.guidance_rescale",
        "a StableDiffusionInpaintPipeline takes no 'guidance_rescale'",
    ),
    (
        "StableDiffusionPipeline",
        dict(
            vary={"color": ["red"], "reference": ["/a.png", "none"], "reference_mask": ["/b.png"]},
            settings={"steps": 4, "size": "32x64"},
        ),
        "vary.reference_mask[0]",
        "here is none",
    ),
    (
        "StableDiffusionPipeline",
        dict(vary={"color": ["red"], "reference_mask": ["/b.png", "none"]}),
        "vary.reference_mask",
        "that of a reference, and no axis names one",
    ),
    *(
        (
            "StableDiffusion3Pipeline",
            dict(reference={"image": "/a.png"}, settings={"scheduler": name}),
            "settings.scheduler",
            f"cannot begin from a reference with {name!r}: take 'flow-match-euler'",
        )
        for name in ("unipc", "dpm++-2m")
    ),
    (
        "StableDiffusionPipeline",
        dict(settings={"vae_tile": 128}),
        "settings.vae_tile",
        "a picture of 32x32 pixels is one tile of 128",
    ),
    (
        LCM,
        dict(settings={"vae_tile": 128, "size": "256x64"}),
        "settings.vae_tile",
        "takes no 'vae",
    ),
    (LCM, dict(negative="grain"), "negative", "takes no negative prompt"),
    (LCM, dict(settings={"batch": 2}), "settings.batch", "one picture at a time"),
    (LCM, dict(settings={"scheduler": "ddim"}), "settings.scheduler", "with 'own' alone"),
    (LCM, dict(previews={"every": 1}), "previews", "without previews"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("pipeline", "changes", "place", "words"), REFUSED)
def test_what_a_family_does_not_have_is_refused_at_submission(
    service, folder, pipeline, changes, place, words
):
    with pytest.raises(DocumentError) as error:
        service.submit("p", campaign(folder(pipeline), **changes))
    assert [(problem.place, words in problem.message) for problem in error.value.problems] == [
        (place, True)
    ], str(error.value)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "changes",
    [dict(settings={"guidance": 3.0}), dict(vary={"color": ["red"], "guidance": [2.0, 3.0]})],
)
def test_guidance_is_refused_where_the_model_was_distilled_without(
    service, folder, tmp_path, changes, estimates
):
    path = save("FluxPipeline", tmp_path / "schnell")
    config = path / "transformer" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"guidance_embeds": False}))
    with pytest.raises(DocumentError, match="has no guidance: remove it"):
        service.submit("p", campaign(path, **changes))
    plan = estimates.plan(campaign(path))
    assert plan["renders"] == 4


@pytest.fixture
def parts(tmp_path):
    """A picture, and masks of its left half and of its upper half."""
    Image.new("RGB", (64, 40), "teal").save(tmp_path / "teal.png")
    for name, box in (("left", (0, 0, 32, 40)), ("top", (0, 0, 64, 20))):
        mask = Image.new("L", (64, 40))
        mask.paste(255, box)
        mask.save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("pipeline", [family.pipeline for family in FREE if family.inpaint])
def test_a_part_of_a_picture_is_painted_anew_and_again_from_its_file(
    service, queue, settling, campaigns, outputs, folder, reading, parts, pipeline
):
    masks = [str(parts / "left.png"), str(parts / "top.png"), "none"]
    data = campaign(
        folder(pipeline),
        vary={"color": ["red"], "reference_mask": masks},
        reference={"image": str(parts / "teal.png"), "strength": 0.8},
        settings={"steps": 6, "size": "32x64"},
        seeds={"count": 1},
    )
    paint(service, queue, settling, outputs, data)
    lines = [json.loads(line) for line in reading.manifest("p", "tiny")]
    assert len({line["pixels"] for line in lines}) == 3
    assert [line["mask"] and line["mask"]["address"] for line in lines] == [*masks[:2], None]
    assert_recipes_come_back(service, outputs, lines)


def test_a_mask_is_known_by_its_content_and_a_campaign_without_one_is_as_before(
    service, folder, parts
):
    data = campaign(
        folder("StableDiffusionPipeline"),
        reference={"image": str(parts / "teal.png")},
        settings={"steps": 6, "size": "32x64"},
    )
    plain, _ = service.submit("p", data)
    assert "mask" not in plain.spec["campaign"]["reference"]
    reference = {**data["reference"], "mask": str(parts / "left.png")}
    masked, _ = service.submit("q", {**data, "reference": reference})
    (parts / "left.png").rename(parts / "other.png")
    reference = {**reference, "mask": str(parts / "other.png")}
    same, did = service.submit("q", {**data, "reference": reference})
    assert (same.id, did["created"]) == (masked.id, False)
    assert same.fingerprint != plain.fingerprint


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_few_steps_are_painted_and_told_in_the_manifest_and_in_the_file(
    service, queue, settling, campaigns, outputs, folder, reading
):
    """Each value of each option is another picture, and 0 is the same as nothing."""
    way = {"scheduler": "euler", "spacing": "trailing", "eta": 0.0}
    ways = [way, {"scheduler": "tcd", "spacing": "none", "eta": 0.3}]
    data = campaign(
        folder("StableDiffusionXLPipeline"),
        vary={"color": ["red"], "way": ways, "clip_skip": [0, 1], "guidance": [0.0, 1.5]},
        seeds={"count": 1},
    )
    paint(service, queue, settling, outputs, data)
    lines = [json.loads(line) for line in reading.manifest("p", "tiny")]
    assert len({line["pixels"] for line in lines}) == len(lines) == 8
    first, last = lines[0]["settings"], lines[-1]["settings"]
    assert (first["spacing"], first["eta"], first["clip_skip"]) == ("trailing", None, None)
    assert (last["spacing"], last["eta"], last["clip_skip"]) == (None, 0.3, 1)
    assert (first["guidance_kind"], last["guidance_kind"]) == ("none", "standard")
    with outputs.open(lines[-1]["key"]) as file:
        picture = read_picture(file.read())
    assert picture.record["guidance_kind"] == "standard"
    again = parse_campaign(campaign_of(picture, name="again"))
    row, _ = service.submit("again", again.model_dump(mode="json", exclude_none=True))
    expansion = expansion_of(row.spec)
    assert expansion.recipe(*expansion.render(0)).digest == lines[-1]["digest"]


def test_previews_and_adapters_are_looked_at_together(estimates, folder, tmp_path):
    path = folder("StableDiffusionPipeline")
    lora = str(save_adapter(path, tmp_path / "a.safetensors"))
    data = campaign(path, adapters=[{"lora": lora}], previews={"every": 1})
    assert estimates.plan(data)["renders"] == 4


def test_a_long_prompt_that_only_the_short_sighted_encoder_cuts_off_is_taken(estimates, folder):
    assert (
        estimates.plan(campaign(folder("FluxPipeline"), prompt="a {color} mug " * 30))["renders"]
        == 4
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("family", FREE, ids=lambda family: family.name)
def test_a_campaign_begins_from_references_and_has_adapters(
    service, queue, settling, campaigns, outputs, folder, family, tmp_path, reading
):
    path, vary = folder(family.pipeline), {"color": ["red"]}
    if family.image_to_image:
        for name in ("teal", "red"):
            Image.new("RGB", (64, 40), name).save(tmp_path / f"{name}.png")
        vary["reference"] = [str(tmp_path / "teal.png"), str(tmp_path / "red.png"), "none"]
    if family.takes_adapters:
        vary["lora"] = [str(save_adapter(path, tmp_path / "a.safetensors")), "none"]
    vary |= {"strength": [0.8], "steps": [6]} if family.image_to_image else {}
    paint(service, queue, settling, outputs, campaign(path, vary=vary, seeds={"count": 1}))
    done = campaigns.get("p", "tiny")
    assert (
        done.done == done.total == len(vary.get("reference", [0])) * len(vary.get("lora", [0]))
    ), reading.status("p", "tiny")["failures"]
    pixels = [outcome.pixels for outcome, _, _ in campaigns.outcomes(done.id)]
    assert len(set(pixels)) == len(pixels)  # each reference and adapter counts


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "family",
    [family for family in FREE if family.image_to_image],
    ids=lambda family: family.name,
)
def test_the_manifest_names_the_previews_that_were_written(
    service, queue, settling, outputs, folder, family, tmp_path, reading
):
    """A low strength leaves few steps: of 8 steps, 0.3 makes two and 0.9 makes seven."""
    Image.new("RGB", (64, 40), "teal").save(tmp_path / "teal.png")
    changes = {
        "vary": {"color": ["red"], "strength": [0.3, 0.9]},
        "reference": {"image": str(tmp_path / "teal.png")},
        "settings": {"steps": 8, "size": "32x64"},
        "seeds": {"count": 1},
        "previews": {"every": 2},
    }
    paint(service, queue, settling, outputs, campaign(folder(family.pipeline), **changes))
    low, high = (json.loads(line) for line in reading.manifest("p", "tiny"))
    assert [[name[-12:] for name in line["previews"]] for line in (low, high)] == [
        [],
        [f"step00{step}.webp" for step in (2, 4, 6)],
    ]
    assert sorted(outputs.keys("p/tiny/final")) == sorted(
        [low["key"], high["key"], *high["previews"]]
    )


PREVIEWS = [
    (
        {"settings": {"steps": 8}, "previews": {"every": 8}},
        "no preview at step 8: make it 7 or less",
    ),
    ({"settings": {"steps": 8}, "previews": {"every": 50}}, "no preview at step 50"),
    (
        {"settings": {"steps": 1}, "previews": {"every": 1}},
        "no preview at step 1: remove `previews`",
    ),
    ({"settings": {"steps": 8}, "previews": {"every": 7}}, None),
    ({"vary": {"color": ["red"], "steps": [4, 20]}, "previews": {"every": 5}}, None),
    ({"vary": {"color": ["red"], "steps": [4, 5]}, "previews": {"every": 5}}, "more than 5 steps"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("changes", "words"), PREVIEWS)
def test_previews_beyond_the_last_step_are_refused(estimates, folder, changes, words):
    data = campaign(folder("StableDiffusionPipeline"), **changes)
    if words is None:
        estimates.plan(data)
        return
    with pytest.raises(DocumentError) as error:
        estimates.plan(data)
    (problem,) = error.value.problems
    assert problem.place == "previews.every"
    assert words in problem.message


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_of_a_strength_so_low_that_no_preview_is_left_it_is_said(estimates, folder, tmp_path):
    Image.new("RGB", (64, 40), "teal").save(tmp_path / "teal.png")
    reference = {"image": str(tmp_path / "teal.png"), "strength": 0.3}
    data = campaign(
        folder("StableDiffusionPipeline"),
        reference=reference,
        settings={"steps": 8, "size": "32x64"},
        previews={"every": 2},
    )
    with pytest.raises(DocumentError, match=r"previews.every: no picture makes more than 2 steps"):
        estimates.plan(data)


def test_adapters_for_a_family_that_takes_none_are_refused(service, folder):
    with pytest.raises(DocumentError, match=r"adapters\[0\].lora: the model .* takes no adapters"):
        service.submit(
            "p", campaign(folder("PixArtSigmaPipeline"), adapters=[{"lora": "/a.safetensors"}])
        )
