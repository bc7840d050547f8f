"""The text that other tools read, held against the rules by which three public readers take it
apart.
"""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.models.schedulers import SCHEDULERS, scheduler_config
from actors.painting.infotext import infotext, model_label
from actors.recipes.recipe import Recipe
from tests.unit.test_recipe import GROUP, RECIPE

VALUES = {
    "Steps": "20",
    "Sampler": "DDIM",
    "CFG scale": "4",
    "Seed": "7",
    "Size": "128x64",
    "Model hash": "aaaaaaaaaa",
}


def webui(text):
    """AUTOMATIC1111's web UI: the last line has the settings, and a line that begins with the
    marker begins the negative.
    """
    *lines, last = text.strip().split("\n")
    found = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    if len(found) < 3:
        lines, found = [*lines, last], []
    prompts = [[], []]
    for line in map(str.strip, lines):
        is_marked = line.startswith("Negative prompt:")
        prompts[1 if is_marked or prompts[1] else 0].append(
            line[16:].strip() if is_marked else line
        )
    values = {
        key: json.loads(value) if value[:1] == '"' == value[-1:] else value for key, value in found
    }
    return "\n".join(prompts[0]), "\n".join(prompts[1]), values


def prompt_reader(text):
    """The desktop program SD Prompt Reader: searches the whole text, and knows no quotes."""
    settings, marker = text.find("\nSteps:"), text.find("\nNegative prompt:")
    if "Negative prompt:" not in text:
        return (
            text[:settings].strip(),
            "",
            dict(re.findall(r"\s*([^:,]+):\s*([^,]+)", text[settings:].strip())),
        )
    found = dict(re.findall(r"\s*([^:,]+):\s*([^,]+)", text[settings:].strip()))
    return text[:marker].strip(), text[marker + 17 : settings].strip(), found


def gallery(text):
    """The site Civitai: the first line that begins with "Steps: " has the settings, and the marker
    counts wherever it stands.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    for key in ("Template: ", "Negative Template: "):
        lines = [line for line in lines if not line.startswith(key)]
    settings = next(line for line in lines if line.startswith("Steps: "))
    lines.remove(settings)
    prompt, *negative = [part.strip() for part in "\n".join(lines).split("Negative prompt:")]
    values, quoted = {}, re.compile(r'("[^"]*")')
    plain = quoted.sub(lambda found: found[0].replace(",", "\0").replace(":", "\1"), settings)
    for part in plain.split(","):
        key, _, value = part.partition(":")
        values[key.strip()] = value.strip().replace("\0", ",").replace("\1", ":")
    return prompt, " ".join(negative), values


READERS = (webui, prompt_reader, gallery)


def words(text):
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("a mug", "grain"),
        ("a mug", ""),
        ('a mug, "best", 5:3, {x}\nsecond line', "grain, noise\nblur"),
        ("a sign\nNegative prompt: none", "grain"),
        ("a sign\nNegative prompt: none", ""),
        ("Negative prompt: is what the sign says", "negative prompt: grain"),
        ('a sign with "Negative prompt: none" on it', "grain"),
        ("a list\nSteps: 3, Sampler: x, Seed: 9\nmore", "Steps: 2, Seed: 1, Size: 1x1"),
        ("Steps: 3, Sampler: x, Seed: 9", "Template: a\nNegative Template: b"),
        ("赤い Größe красный", "עברית"),
    ],
)
def test_readers_find_prompts_and_settings_whatever_the_prompts_say(reader, prompt, negative):
    found = reader(infotext(replace(RECIPE, prompt=prompt, negative=negative), "seedling"))
    assert [words(text) for text in found[:2]] == [words(prompt), words(negative)]
    assert found[2].items() >= {**VALUES, "Model": "seedling"}.items()


@given(
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    negative=st.text(st.sampled_from('Negative prompt:,"\nSteps ')),
)
def test_no_prompt_hides_the_settings(prompt, negative):
    prompt_found, negative_found, values = webui(
        infotext(replace(RECIPE, prompt=prompt, negative=negative), "seedling")
    )
    assert (words(prompt_found), words(negative_found)) == (words(prompt), words(negative))
    assert values == {**VALUES, "Model": "seedling"}


def test_a_prompt_without_markers_stands_as_it_is():
    recipe = replace(RECIPE, prompt='(a, "mug"): steps, negative prompt\n of 2', negative="a: b")
    assert infotext(recipe, "seedling").startswith(
        '(a, "mug"): steps, negative prompt\n of 2\nNegative prompt: a: b\nSteps: 20, '
    )


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("seedling", "seedling"),
        ("/srv/secret customer/models/sd-xl, final", "sd-xl, final"),
        ("/srv/models/sdxl/", "sdxl"),
        ("../models/./sdxl", "sdxl"),
        (r"C:\Users\anna\models\sd xl", "sd xl"),
        (r"\\server\share\sdxl", "sdxl"),
        ("~/sdxl", "sdxl"),
        ("/m/so: called", "so: called"),
        ('/m/the "best"', 'the "best"'),
        ("/m/two\nlines", "two\nlines"),
        ("/m/赤い", "赤い"),
        ("/m/v1.5.safetensors", "v1.5"),
        ("stabilityai/sdxl-base@462165984030d82259a11f4367a4eed129e94a7b", "sdxl-base"),
        ("stabilityai/sdxl-base@refs/pr/3", "sdxl-base"),
        (
            "/home/ann/.cache/huggingface/hub/models--stabilityai--sdxl-base/snapshots/4621659",
            "sdxl-base",
        ),
        ("..", "StableDiffusionPipeline"),
        ("/", "StableDiffusionPipeline"),
    ],
)
def test_a_model_is_told_by_its_name_alone(name, label):
    text = infotext(RECIPE, name)
    assert webui(text)[2] == {**VALUES, "Model": label}
    assert "secret" not in text
    assert text.count("\n") == 2


def test_a_label_is_empty_if_the_path_has_no_name():
    assert model_label("./") == ""


@pytest.mark.parametrize(
    ("scheduler", "name", "schedule"),
    [
        ("ddim", "DDIM", None),
        ("euler", "Euler", None),
        ("euler-ancestral", "Euler a", None),
        ("dpm++-2m", "DPM++ 2M", None),
        ("dpm++-2m-karras", "DPM++ 2M", "Karras"),
        ("unipc", "UniPC", None),
        ("lcm", "LCM", None),
        ("flow-match-euler", "Euler", None),
    ],
)
def test_samplers_have_the_names_that_other_tools_know(scheduler, name, schedule):
    group = replace(
        GROUP,
        scheduler=scheduler,
        scheduler_config=scheduler_config(scheduler, {"_class_name": "EulerDiscreteScheduler"}),
    )
    values = webui(infotext(replace(RECIPE, group=group), "seedling"))[2]
    assert (values["Sampler"], values.get("Schedule type")) == (name, schedule)


def test_a_scheduler_without_a_schedule_of_sigmas_has_none_told():
    config = scheduler_config(
        "ddim", {"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True}
    )
    assert "Karras" not in infotext(
        replace(RECIPE, group=replace(GROUP, scheduler_config=config)), "seedling"
    )


def test_a_models_own_scheduler_is_told_by_its_class():
    for config, name in [
        ({"_class_name": "EulerDiscreteScheduler", "use_karras_sigmas": True}, "Euler"),
        (
            {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"},
            "DPM++ 2M SDE",
        ),
        ({"_class_name": "SomeNewScheduler"}, "own"),
    ]:
        group = replace(GROUP, scheduler="own", scheduler_config=config)
        assert webui(infotext(replace(RECIPE, group=group), "seedling"))[2]["Sampler"] == name


def test_every_scheduler_of_a_campaign_has_a_name_elsewhere():
    for scheduler in set(SCHEDULERS) - {"own"}:
        group = replace(
            GROUP, scheduler=scheduler, scheduler_config=scheduler_config(scheduler, {})
        )
        assert f"Sampler: {scheduler}," not in infotext(replace(RECIPE, group=group), "seedling")


def test_guidance_and_strength_are_what_other_tools_would_set():
    flux = replace(GROUP, pipeline="FluxPipeline", guidance=3.5)
    values = [
        webui(infotext(Recipe(group=group, prompt="a", negative="", seed=2**32 - 1), "m"))[2]
        for group in (
            flux,
            replace(GROUP, guidance=None),
            replace(GROUP, guidance=7.5, strength=0.6),
        )
    ]
    assert (values[0]["CFG scale"], values[0]["Distilled CFG Scale"]) == ("1", "3.5")
    assert "CFG scale" not in values[1]
    assert (values[2]["CFG scale"], values[2]["Denoising strength"], values[2]["Seed"]) == (
        "7.5",
        "0.6",
        "4294967295",
    )
