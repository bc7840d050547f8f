"""Every mistake that a campaign file can hold is found, named and placed before anything is
written.
"""

import pytest
import yaml

from farm.campaign.checks import parse_campaign
from farm.campaign.loading import load_campaign
from farm.documents.document import DocumentError
from tests.campaigns import campaign, data

VARY = {"product": ["mug"], "color": ["red"]}
FOREIGN = [
    ("sampler", "it is called 'scheduler' here"),
    ("cfg", "it is called 'guidance' here"),
    ("cfg_scale", "it is called 'guidance' here"),
    ("CFG scale", "it is called 'guidance' here"),
    ("guidance_scale", "it is called 'guidance' here"),
    ("num_inference_steps", "it is called 'steps' here"),
    ("width", "WIDTHxHEIGHT"),
    ("Height", "WIDTHxHEIGHT"),
    ("negative_prompt", "it is called 'negative' here"),
    ("batch_size", "seeds: {count: N}"),
    ("seeds", "a column `seed`"),
    ("clipskip", "1 is what other tools call 2"),
    ("restore_faces", "this farm has no such thing"),
    ("prompt", 'write `prompt: "{prompt}"`'),
]
BAD = [
    (dict(colour="red"), "colour", "unknown key 'colour'"),
    (dict(promt="x"), "promt", "did you mean 'prompt'"),
    (dict(settings={"guidence": 3}), "settings.guidence", "did you mean 'guidance'"),
    (dict(prompt="a {colour} mug"), "prompt", "did you mean 'color'"),
    (dict(prompt="a {product}"), "vary.color", "never used"),
    (dict(vary={"product": ["mug"], "color": []}), "vary.color", "empty"),
    (dict(vary={"product": ["mug", "mug"], "color": ["red"]}), "vary.product[1]", "twice"),
    (dict(vary={"product": ["1", 1], "color": ["red"]}), "vary.product[1]", "twice"),
    (dict(vary={"product": "mug", "color": ["red"]}), "vary.product", "brackets"),
    (dict(vary={"product": [True], "color": ["red"]}), "vary.product[0]", "quotes"),
    (dict(vary={"product": [None], "color": ["red"]}), "vary.product[0]", "text or a number"),
    (
        dict(vary={"product": [{"product": "mug"}, "box"], "color": ["red"]}),
        "vary.product[1]",
        "mappings",
    ),
    (
        dict(vary={"product": [{"product": "mug"}, {"prod": "box"}], "color": ["red"]}),
        "vary.product[1]",
        "same keys",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "x": [{"color": "blue"}]}),
        "vary.x",
        "already",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [9, 3, 1]}}),
        "vary.guidance",
        "empty",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [1, 3, 0]}}),
        "vary.guidance",
        "step",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [1, 10**12, 1]}}),
        "vary.guidance",
        "1,000,000,000,000",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": ["high"]}),
        "vary.guidance[0]",
        "high",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": [3, 3.0]}),
        "vary.guidance[1]",
        "the value 3.0 stands twice in the axis (first at 0 as 3)",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "steps": [0]}),
        "vary.steps[0]",
        "0 is too small: at least 1.",
    ),
    (dict(vary={"product": ["mug"], "color": ["red"], "a-b": ["x"]}), "vary.a-b", "letters"),
    (dict(seeds=[-1]), "seeds", "out of range"),
    (dict(seeds=[2**32]), "seeds", "out of range"),
    (dict(seeds=[1.5]), "seeds", "whole number"),
    (dict(seeds=["one"]), "seeds", "whole number"),
    (dict(seeds=[True]), "seeds", "whole number"),
    (dict(seeds=[1, 1]), "seeds", "twice"),
    (dict(seeds=[]), "seeds", "empty"),
    (dict(seeds=7), "seeds", "list"),
    (dict(seeds={"count": 0}), "seeds.count", "0 is too small: at least 1."),
    (dict(seeds={"count": 2, "base": -1}), "seeds.base", "-1 is too small: at least 0."),
    (dict(seeds={"cuont": 2}), "seeds.cuont", "did you mean 'count'"),
    (dict(seeds={"list": [1, 2]}), "seeds.list", "a key of its own: `seeds: [1, 2]`."),
    (dict(seeds={"count": 2, "per": ["colour"]}), "seeds.per[0]", "did you mean 'color'"),
    (dict(settings={"size": "100x128"}), "settings.size", "multiple of 8"),
    (dict(settings={"size": "0x128"}), "settings.size", "from 8"),
    (dict(settings={"size": "128x1000000"}), "settings.size", "4096"),
    (dict(settings={"size": "big"}), "settings.size", "WIDTHxHEIGHT"),
    (dict(settings={"size": "512×768"}), "settings.size", "like 512x768."),
    (dict(settings={"size": "64 × 64 px"}), "settings.size", "like 64x64."),
    (dict(settings={"size": "64*64"}), "settings.size", "like 64x64."),
    (dict(settings={"size": 512}), "settings.size", "like 512x512."),
    (dict(settings={"size": "1.5x"}), "settings.size", "like 128x128."),
    (dict(settings={"steps": 0}), "settings.steps", "at least 1"),
    (
        dict(settings={"steps": 2.5}),
        "settings.steps",
        "2.5 is not a whole number: write one without a point.",
    ),
    (dict(settings={"scheduler": "dimm"}), "settings.scheduler", "did you mean 'ddim'"),
    (dict(settings={"dtype": "int4"}), "settings.dtype", "float32"),
    (dict(settings={"batch": 0}), "settings.batch", "at least 1"),
    (dict(name="a/b"), "name", "cannot name a campaign"),
    (dict(name="a.b"), "name", "cannot name a campaign"),
    (dict(name="../x"), "name", "cannot name a campaign"),
    (dict(name="x" * 300), "name", "at most 80"),
    (dict(name=""), "name", "cannot name a campaign"),
    (dict(prompt="a {x.__class__}"), "prompt", "plain field"),
    (dict(prompt="a {color"), "prompt", "braces"),
    (dict(prompt=""), "prompt", "at least 1"),
    (dict(prompt=None), "", "'prompt' is missing"),
    (dict(negative="{mood}"), "negative", "no axis"),
    (dict(skip=[{"colour": "red"}]), "skip[0].colour", "did you mean 'color'"),
    (dict(skip=[{"color": "rad"}]), "skip[0].color", "did you mean 'red'"),
    (dict(skip=[{}]), "skip[0]", "empty"),
    (dict(priority=101), "priority", "100"),
    (dict(max_workers=10**30), "max_workers", "100000"),
    (dict(settings={"scheduler": ["ddim"]}), "settings.scheduler", "no scheduler"),
    (dict(skip=[{"color": True}]), "skip[0].color", "quotes"),
    (
        dict(vary={"look": [{"color": "red", "product": "mug", "guidence": 3.0}]}),
        "vary.look",
        "did you mean 'guidance'",
    ),
    (dict(prompt="\x1b[2J {color} {product}"), "prompt", "cannot be printed"),
    (
        dict(vary={"product": ["a\x1b]0;x"], "color": ["red"]}),
        "vary.product[0]",
        "cannot be printed",
    ),
    (
        dict(vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [101, 20000, 1]}}),
        "vary.guidance[0]",
        "101 is too large: at most 100.",
    ),
    (dict(max_workers=0), "max_workers", "at least 1"),
    (dict(budget=10), "budget", "10 is not a mapping: write one, like `budget: {gpu_hours: 10}`."),
    (dict(budget={}), "budget", "it needs gpu_hours, money or both"),
    (dict(budget={"gpu_hours": 0}), "budget.gpu_hours", "must be more than 0"),
    (dict(budget={"gpu_hours": -1.5}), "budget.gpu_hours", "must be more than 0"),
    (dict(budget={"gpu_hours": "10"}), "budget.gpu_hours", "number"),
    (dict(budget={"gpu_hours": 1e10}), "budget.gpu_hours", "1000000000"),
    (dict(budget={"gpu_hour": 10}), "budget.gpu_hour", "did you mean 'gpu_hours'"),
    (dict(previews={"every": 0}), "previews.every", "at least 1"),
    (dict(output={"formt": "png"}), "output.formt", "unknown key 'formt': did you mean 'format'"),
    (dict(output={"format": "web"}), "output.format", "no format 'web': did you mean 'webp'"),
    (dict(output={"format": 3}), "output.format", "known are jpg, jxl, png, webp"),
    (dict(output={"format": "webp", "quality": 101}), "output.quality", "100"),
    (dict(output={"format": "webp", "quality": 0}), "output.quality", "at least 1"),
    (
        dict(output={"format": "webp", "quality": "90"}),
        "output.quality",
        "'90' is a text: write the number without quotes.",
    ),
    (dict(output={"format": "png", "quality": 90}), "output", "has no quality"),
    (dict(output={"quality": 90}), "output", "choose webp"),
    (dict(output="webp"), "output", "like `output: {format: webp}`"),
    (
        dict(vary=["a"]),
        "vary",
        "a list is not a mapping: write one, like `vary: {color: [red, blue]}`.",
    ),
    (dict(reference="a.png"), "reference", "write one, like `reference: {image: photo.png}`."),
    (dict(reference={}), "reference", "'image' is missing"),
    (dict(reference={"image": ""}), "reference.image", "at least 1"),
    (dict(reference={"image": 3}), "reference.image", "3 is not a text: put it in quotes."),
    (dict(reference={"image": "none"}), "reference.image", "only an axis has `none`"),
    (dict(reference={"image": "a\x1b.png"}), "reference.image", "cannot be printed"),
    (
        dict(reference={"image": "a.png", "strenght": 0.5}),
        "reference.strenght",
        "did you mean 'strength'",
    ),
    (
        dict(reference={"image": "a.png", "strength": 0}),
        "reference.strength",
        "must be more than 0",
    ),
    (
        dict(reference={"image": "a.png", "strength": 1.5}),
        "reference.strength",
        "at most 1",
    ),
    (
        dict(reference={"image": "a.png", "strength": 0.04}),
        "reference.strength",
        "of 20 steps a strength of 0.04 leaves none",
    ),
    (
        dict(adapters={"lora": "a"}),
        "adapters",
        "a mapping is not a list: write one, like `adapters: [{lora:",
    ),
    (
        dict(adapters=["a"]),
        "adapters[0]",
        "'a' is not a mapping: write one, like `adapters: [{lora:",
    ),
    (dict(adapters=[{"scale": 1}]), "adapters[0]", "'lora' is missing"),
    (dict(adapters=[{"lora": "a", "scale": 5}]), "adapters[0].scale", "at most 4"),
    (dict(adapters=[{"lora": "a", "scale": "big"}]), "adapters[0].scale", "number"),
    (dict(adapters=[{"lora": "a", "weight": 1}]), "adapters[0].weight", "known are lora, scale"),
    (dict(adapters=[{"lora": f"{k}"} for k in range(8)]), "adapters", "at most 7"),
    (
        dict(settings={"reference": "a.png"}),
        "settings.reference",
        "it is written `reference: {image: …}`",
    ),
    (
        dict(settings={"lora_scale": 0.5}),
        "settings.lora_scale",
        "it is written `adapters: [{lora: …, scale: …}]`",
    ),
    (dict(vary={**VARY, "strength": [0.5]}), "vary.strength", "vary 'reference' too"),
    (
        dict(vary={**VARY, "lora_scale": [0.5]}, adapters=[{"lora": "a"}]),
        "vary.lora_scale",
        "vary 'lora' too",
    ),
    (dict(vary={**VARY, "reference": [3]}), "vary.reference[0]", "not a text"),
    (dict(vary={**VARY, "reference": ["a.png", "./a.png"]}), "vary.reference[1]", "twice"),
    (
        dict(vary={**VARY, "look": [{"lora": "a", "lora_scale": 9}]}),
        "vary.look[0]",
        "at most 4",
    ),
    (
        dict(vary={**VARY, "reference": ["a.png"], "strength": [0.5, 2]}),
        "vary.strength[1]",
        "at most 1",
    ),
    (
        dict(vary={**VARY, "reference": ["a.png"], "strength": [0.5, 0.04]}),
        "vary.strength[1]",
        "of 20 steps a strength of 0.04",
    ),
    (
        dict(vary={**VARY, "steps": [1, 9]}, reference={"image": "a.png"}),
        "vary.steps[0]",
        "of 1 steps a strength of 0.6",
    ),
    (dict(prompt=None, promt="x"), "promt", "did you mean 'prompt'"),
    (dict(prompt=True), "prompt", "put it in quotes"),
    (dict(prompt={"color": None}), "prompt", "read as a mapping, not as text"),
    (dict(negative=["red"]), "negative", "read as a list, not as text"),
    (
        dict(vary={"product": ["mug", {"Poster": "a mug"}], "color": ["red"]}),
        "vary.product[1]",
        "'Poster: a mug' is a text, put it in quotes",
    ),
    (
        dict(vary={"product": [{"Poster": "a"}, {"Banner": "a"}], "color": ["red"]}),
        "vary.product[1]",
        "'Banner: a' is a text",
    ),
    (dict(cfg_scale=7), "cfg_scale", "'guidance' stands under `settings`"),
    (dict(steps=7), "steps", "'steps' stands under `settings`"),
    (dict(negative_prompt="x"), "negative_prompt", "it is called 'negative' here"),
    (dict(seed=7), "seed", "did you mean 'seeds'"),
    (dict(vae="x"), "vae", "this farm has no such thing"),
    (dict(settings={"sampler": "Euler a"}), "settings.sampler", "it is called 'scheduler' here"),
    (dict(settings={"width": 512}), "settings.width", "WIDTHxHEIGHT"),
    (
        dict(settings={"negative_prompt": "x"}),
        "settings.negative_prompt",
        "'negative' is a key of its own",
    ),
    (
        dict(settings={"scheduler": "Euler a"}),
        "settings.scheduler",
        "did you mean 'euler-ancestral'",
    ),
    (
        dict(settings={"scheduler": "DPM++ 2M Karras"}),
        "settings.scheduler",
        "did you mean 'dpm++-2m-karras'",
    ),
    (dict(settings={"scheduler": "dpmpp_2m"}), "settings.scheduler", "did you mean 'dpm++-2m'"),
    (
        dict(settings={"scheduler": "EulerAncestralDiscreteScheduler"}),
        "settings.scheduler",
        "did you mean 'euler-ancestral'",
    ),
    (dict(vary={**VARY, "cfg": [3, 5]}), "vary.cfg", "it is called 'guidance' here"),
    *(
        (dict(vary={"product": ["mug"], "look": [{"color": "red", word: 1}]}), "vary.look", words)
        for word, words in FOREIGN
    ),
    (dict(notes=["colour"]), "notes[0]", "did you mean 'color'"),
    (dict(notes=["color"]), "notes[0]", "decides what is painted"),
    (dict(notes="comment"), "notes", "not a list: write one, like `notes: [comment]`."),
]


@pytest.mark.parametrize(
    ("changes", "place", "words"), BAD, ids=[f"{place}-{words}" for _, place, words in BAD]
)
def test_a_mistake_is_named_with_its_line_and_place(tmp_path, changes, place, words):
    path = tmp_path / "campaign.yaml"
    path.write_text("# a comment\n" + yaml.safe_dump(data(**changes), sort_keys=False))
    with pytest.raises(DocumentError) as error:
        load_campaign(path)
    assert any(
        problem.place == place and words in problem.message for problem in error.value.problems
    ), str(error.value)
    assert str(error.value).startswith(f"{path}:")


def test_all_mistakes_are_told_at_once():
    with pytest.raises(DocumentError) as error:
        parse_campaign(data(settings={"steps": 0, "scheduler": "x"}, priority=-1))
    assert len(error.value.problems) == 3


def test_of_very_many_mistakes_the_first_are_told():
    with pytest.raises(DocumentError, match="and 80 more") as error:
        parse_campaign(data(skip=[{"color": "x"}] * 100))
    assert str(error.value).count("\n") == 20


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_without_end_are_refused(number):
    for vary in (
        {"product": ["mug", number], "color": ["red"]},
        {"product": {"range": [1, number, 1]}, "color": ["red"]},
    ):
        with pytest.raises(DocumentError, match="finite"):
            parse_campaign(data(vary=vary))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_budget_without_end_is_refused(number):
    with pytest.raises(DocumentError, match="finite"):
        parse_campaign(data(budget={"gpu_hours": number}))


def test_a_character_that_cannot_be_printed_is_named_with_its_place():
    with pytest.raises(
        DocumentError,
        match=r"control character \(U\+001B\), at character 3, which cannot be printed",
    ):
        campaign(prompt="a \x1b[2J {color} {product}")
