"""Every mistake that a campaign file can hold is found, named and placed before anything is
written.
"""

import json

import pytest
import yaml

from actors.recipes.encoding import Encoding, Format
from actors.recipes.recipe import Recipe
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.schema import LATER, Campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import DocumentError
from storage.errors import RequestError
from tests.campaigns import MODEL, campaign, data, expansion

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
    ("clip_skip", "this farm has no such thing"),
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
    (dict(budget={}), "budget", "'gpu_hours' is missing"),
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
    (dict(clip_skip=2), "clip_skip", "this farm has no such thing"),
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


@pytest.mark.parametrize("key", LATER)
def test_what_this_version_cannot_do_is_refused_by_name(key):
    with pytest.raises(DocumentError, match=f"{key!r} is not supported yet"):
        parse_campaign(data(**{key: {}}))


def test_all_mistakes_are_told_at_once():
    with pytest.raises(DocumentError) as error:
        parse_campaign(data(settings={"steps": 0, "scheduler": "x"}, priority=-1))
    assert len(error.value.problems) == 3


def test_of_very_many_mistakes_the_first_are_told():
    with pytest.raises(DocumentError, match="and 80 more") as error:
        parse_campaign(data(skip=[{"color": "x"}] * 100))
    assert str(error.value).count("\n") == 20


def test_columns_that_nothing_uses_are_named_in_one_warning_unless_they_are_notes():
    rows = [
        {"color": "red", "shelf": "A", "comment": "new"},
        {"color": "blue", "shelf": "B", "comment": "old"},
    ]
    vary = {"product": ["mug"], "row": rows}
    (warning,) = campaign_warnings(campaign(vary=vary))
    assert warning.place == "vary.row"
    assert "'shelf', 'comment' are used by no template" in warning.message
    assert "notes: [shelf, comment]" in warning.message
    (warning,) = campaign_warnings(campaign(vary=vary, notes=["comment"]))
    assert warning.message.startswith("'shelf' is used by no template")
    assert (
        campaign_warnings(campaign(vary=vary, notes=["comment", "shelf"]))
        == campaign_warnings(campaign())
        == []
    )


def test_a_note_may_be_nearly_the_name_of_a_setting():
    vary = {"product": ["mug"], "row": [{"color": "red", "step": "1st"}]}
    with pytest.raises(DocumentError, match="did you mean 'steps'"):
        campaign(vary=vary)
    assert campaign(vary=vary, notes=["step"]).notes == ("step",)


def test_a_spec_from_before_notes_is_the_same_campaign():
    spec = make_spec(campaign(), MODEL, Sources())
    older = {
        **spec,
        "campaign": {name: value for name, value in spec["campaign"].items() if name != "notes"},
    }
    assert fingerprint(older) == fingerprint(spec)
    assert expansion_of(older).campaign == campaign()


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


def test_a_budget_is_told_in_seconds():
    assert campaign(budget={"gpu_hours": 10}).budget_s == 36_000
    assert campaign().budget_s is None


def test_a_range_includes_both_ends_and_steps_exactly():
    axes = campaign(
        vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [3.0, 9.0, 2.0]}}
    ).axes
    assert axes[2].values == (3.0, 5.0, 7.0, 9.0)
    axes = campaign(
        vary={"product": ["mug"], "color": ["red"], "guidance": {"range": [0.1, 0.4, 0.1]}}
    ).axes
    assert axes[2].values == (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "places.csv: there is no such file"),
        (b"", "empty"),
        (b"place\n", "empty"),
        (b"place,mood\non a beach\n", ":2: the row has 1 cells"),
        (b"place\n\xff\n", "UTF-8"),
        (b"place\nok\ncaf\xe9\n", "line 3, byte 12: 0xE9"),
        (b"place\n\xff\n", "csv: {file: places.csv, encoding: cp1252}"),
        (
            b"place,place\na,b\n",
            ":1: two columns are called 'place': every column needs a heading of its own",
        ),
        (b'place\n"open\n', "no CSV table"),
        (
            b'place\nok\n"open\n\nx\n',
            ":3: the file is no CSV table: a quote that opens in this row is never closed",
        ),
        (
            b'place,mood\n"on" a beach,x\n',
            ":2: the file is no CSV table: a cell is over with its closing quote",
        ),
        (
            b"place,mood\n\n\non a beach, calm, wide\n",
            ":4: the row has 3 cells where the heading has 2: put a text that holds a comma in",
        ),
        (b"place,mood,\na,b,\nc,d,e\n", ":3: the row has 3 cells"),
        (b"place,,mood\na,b,c\n", ":1: column 2 has no heading"),
        (b"place,mood;tone\na,b;c\n", "holds a semicolon"),
        (b"place,mood;tone\na,b;c\n", 'csv: {file: places.csv, delimiter: ";"}'),
        (b"PK\x03\x04", "save it as CSV"),
    ],
)
def test_a_bad_csv_file_is_named_with_its_line(tmp_path, content, words):
    if content is not None:
        (tmp_path / "places.csv").write_bytes(content)
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(
            data(
                prompt="a {color} {product} {place}",
                vary={**data()["vary"], "place": {"csv": "places.csv"}},
            )
        )
    )
    with pytest.raises(RequestError) as error:
        load_campaign(path)
    assert words in str(error.value)
    assert "vary.place.csv" in str(error.value)


def test_a_table_gives_each_row_its_seeds_size_and_settings(tmp_path):
    heading = "place,mood,seed,scheduler,steps,size\n"
    (tmp_path / "rows.csv").write_text(
        f'{heading}on a beach,calm,11,ddim,4,128x64\nat sunset,wild,"12, 13",euler,5,64x128\n'
    )
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(data(prompt="{place} {mood}", vary={"row": {"csv": "rows.csv"}}))
    )
    plan = Expansion(load_campaign(path).campaign, MODEL)
    found = [
        (render.shot.prompt, render.seed, plan.group(group))
        for group, render in plan.all_renders()
    ]
    assert [
        (prompt, seed, group.scheduler, group.steps, group.width, group.height)
        for prompt, seed, group in found
    ] == [
        ("on a beach calm", 11, "ddim", 4, 128, 64),
        ("at sunset wild", 12, "euler", 5, 64, 128),
        ("at sunset wild", 13, "euler", 5, 64, 128),
    ]


def test_an_empty_cell_is_nothing(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "place,mood,steps,seed,lora\non a beach,,,,\nat"
        " sunset,wild,4,12,a.safetensors\n,calm,5,13,none\n"
    )
    path = tmp_path / "c.yaml"
    changes = dict(prompt="{place}", negative="{mood}", seeds=[7], settings={"steps": 9})
    path.write_text(yaml.safe_dump(data(**changes, vary={"row": {"csv": "rows.csv"}})))
    with pytest.raises(
        DocumentError, match=r"vary\.row\[2\] \(rows\.csv:4\): the prompt is empty here"
    ):
        load_campaign(path)
    path.write_text(
        yaml.safe_dump(
            data(**{**changes, "prompt": "a mug {place}"}, vary={"row": {"csv": "rows.csv"}})
        )
    )
    loaded = load_campaign(path).campaign
    plan = Expansion(loaded, MODEL, Sources(adapters={str(tmp_path / "a.safetensors"): "d"}))
    found = [
        (
            r.shot.prompt.strip(),
            r.shot.negative,
            plan.group(g).steps,
            r.seed,
            len(plan.group(g).adapters),
        )
        for g, r in plan.all_renders()
    ]
    assert found == [
        ("a mug on a beach", "", 9, 7, 0),
        ("a mug at sunset", "wild", 4, 12, 1),
        ("a mug", "calm", 5, 13, 0),
    ]


ROWS = ({"place": "on a beach, wide", "mood": "calm"}, {"place": "größer", "mood": "wild"})


@pytest.mark.parametrize(
    ("content", "csv"),
    [
        ('place,mood\n"on a beach, wide",calm\ngrößer,wild\n', "rows.csv"),
        (
            'place, mood\n"on a beach, wide", calm\ngrößer, "wild"\n',
            "rows.csv",
        ),  # a space before a quote
        ("place;mood\non a beach, wide;calm\ngrößer;wild\n", "rows.csv"),
        ("place\tmood\non a beach, wide\tcalm\ngrößer\twild\n", "rows.csv"),
        ("sep=;\nplace;mood\non a beach, wide;calm\ngrößer;wild\n", "rows.csv"),
        (
            "place;mood\non a beach, wide;calm\ngrößer;wild\n",
            {"file": "rows.csv", "delimiter": ";"},
        ),
        (
            "place\tmood\non a beach, wide\tcalm\ngrößer\twild\n",
            {"file": "rows.csv", "delimiter": "tab"},
        ),
        (
            "place^mood\non a beach, wide^calm\ngrößer^wild\n",
            {"file": "rows.csv", "delimiter": "^"},
        ),
        (
            '\nplace,mood,\n\n"on a beach, wide",calm,\n,,\ngrößer,wild,,\n,,\n,,,,\n',
            "rows.csv",
        ),  # as a spreadsheet leaves it
        ('place,mood\r\n"on a beach, wide",calm\r\ngrößer,wild\r\n', "rows.csv"),
    ],
)
def test_a_csv_file_is_read_as_spreadsheets_and_people_write_it(tmp_path, content, csv):
    (tmp_path / "rows.csv").write_text(content, encoding="utf-8", newline="")
    assert rows_of(tmp_path, csv) == ROWS


@pytest.mark.parametrize(
    ("encoding", "csv"),
    [
        ("utf-8-sig", "rows.csv"),
        ("utf-16", "rows.csv"),
        ("utf-16-le", "rows.csv"),
        ("cp1252", {"file": "rows.csv", "encoding": "cp1252"}),
        ("latin-1", {"file": "rows.csv", "encoding": "latin-1"}),
    ],
)
def test_a_csv_file_may_have_another_encoding(tmp_path, encoding, csv):
    (tmp_path / "rows.csv").write_bytes(
        'place,mood\n"on a beach, wide",calm\ngrößer,wild\n'.encode(encoding)
    )
    assert rows_of(tmp_path, csv) == ROWS


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ({"file": "rows.csv", "delimeter": ";"}, "did you mean 'delimiter'"),
        ({"delimiter": ";"}, "`file` is needed"),
        ({"file": "rows.csv", "delimiter": "::"}, "one character"),
        ({"file": "rows.csv", "delimiter": '"'}, "one character"),
        ({"file": "rows.csv", "encoding": "klingon"}, "no encoding 'klingon'"),
    ],
)
def test_how_a_csv_file_is_read_is_checked(tmp_path, csv, words):
    (tmp_path / "rows.csv").write_text("place,mood\na,b\n")
    with pytest.raises(DocumentError, match=words):
        rows_of(tmp_path, csv)


def rows_of(folder, csv, **changes):
    path = folder / "c.yaml"
    path.write_text(
        yaml.safe_dump(data(prompt="{place} {mood}", vary={"row": {"csv": csv}}, **changes))
    )
    return load_campaign(path).campaign.axes[0].values


def test_a_mistake_in_a_row_is_told_with_the_line_of_its_file(tmp_path):
    (tmp_path / "rows.csv").write_text('place,mood,steps\n"a\nb",calm,20\n\nc,wild,many\n')
    with pytest.raises(
        DocumentError, match=r"c\.yaml:\d+: vary\.row\[1\] \(rows\.csv:5\): 'many'"
    ):
        rows_of(tmp_path, "rows.csv")


@pytest.mark.parametrize("kind", ["yaml", "json", "csv"])
def test_numbers_keep_their_digits_in_prompts_and_settings_stay_numbers(tmp_path, kind):
    words = ["1.10", "2.5e+3", "7", "-45", "0.50"] + (
        ["5.", "+45", ".5"] if kind != "json" else []
    )
    prompts = [f"{word} mug" for word in words]
    path = tmp_path / ("c.json" if kind == "json" else "c.yaml")
    head = {
        "name": "x",
        "model": "seedling",
        "prompt": "{angle} mug",
        "settings": {"guidance": 3.5},
    }
    if kind == "csv":
        (tmp_path / "rows.csv").write_text("\n".join(["angle", *words]) + "\n")
        path.write_text(yaml.safe_dump(head) + "vary: {row: {csv: rows.csv}}\n")
    elif kind == "json":
        path.write_text(
            json.dumps(head)[:-1] + f', "vary": {{"angle": [{", ".join(words)}], "steps": [20]}}}}'
        )
    else:
        path.write_text(
            yaml.safe_dump(head) + f"vary: {{angle: [{', '.join(words)}], steps: [20]}}\n"
        )
    parsed = load_campaign(path).campaign
    sent = parse_campaign(
        json.loads(json.dumps(parsed.model_dump(mode="json")))
    )  # as the API reads it
    assert [render.shot.prompt for _, render in Expansion(sent, MODEL).all_renders()] == prompts
    assert Expansion(sent, MODEL).group(0).guidance == 3.5
    if kind == "yaml":
        assert [value for value in parsed.vary["angle"] if not isinstance(value, str)] == [7, -45]


def test_the_digits_of_a_range_are_kept(tmp_path):
    path = tmp_path / "c.yaml"
    vary = (
        "vary: {w: {range: [0.50, 1.00, 0.25]}, n: {range: [1, 3, 1]}, guidance: {range: [3.50,"
        " 4.50, 0.50]}}\n"
    )
    path.write_text("name: x\nmodel: seedling\nprompt: '{w} {n}'\n" + vary)
    w, n, guidance = load_campaign(path).campaign.axes
    assert (w.values, n.values, guidance.values) == (
        ("0.50", "0.75", "1.00"),
        (1, 2, 3),
        (3.5, 4.0, 4.5),
    )


def test_a_number_is_a_text_if_a_text_is_expected(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("name: 2024\nmodel: seedling\nprompt: 1.10\nnegative: 3\n")
    parsed = load_campaign(path).campaign
    assert (parsed.name, parsed.prompt, parsed.negative) == ("2024", "1.10", "3")


def test_a_text_that_a_comment_cuts_is_told(tmp_path):
    path = tmp_path / "c.yaml"
    head = (
        "name: x # the name\nmodel: seedling # ours\nprompt: a {color} mug, #1"
        " bestseller\nsettings: {steps: 20} # few\n"
    )
    path.write_text(head + "vary:\n  color:\n  - red # or so\n  - blue\n  steps:\n  - 3 # few\n")
    warnings = [(w.place, w.message) for w in load_campaign(path).warnings]
    assert [place for place, _ in warnings] == ["prompt", "vary.color[0]"]
    assert warnings[0][1].startswith(
        "'#1 bestseller' is read as a comment, and the text is 'a {color} mug,'"
    )
    path.write_text(head + "vary:\n  color:\n  - #ff0000\n")
    with pytest.raises(
        DocumentError,
        match=r"c\.yaml:7: vary\.color\[0\]: '#ff0000' is read as a comment, and nothing is left",
    ):
        load_campaign(path)


def test_line_ends_of_other_systems_are_line_ends():
    assert campaign(prompt="a {color}\r\n{product}").prompt == "a {color}\n{product}"
    assert campaign(vary={"product": ["a\r\nb", "c\rd"], "color": ["red"]}).axes[0].values == (
        "a\nb",
        "c\nd",
    )


def test_a_character_that_cannot_be_printed_is_named_with_its_place():
    with pytest.raises(
        DocumentError,
        match=r"control character \(U\+001B\), at character 3, which cannot be printed",
    ):
        campaign(prompt="a \x1b[2J {color} {product}")


def test_a_setting_in_a_prompt_that_loses_digits_is_told(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "name: x\nmodel: seedling\nprompt: 'at {guidance}'\nvary: {guidance: [3.50, 4.5]}\n"
    )
    (warning,) = load_campaign(path).warnings
    assert (warning.place, "becomes 3.5 in the prompt, not 3.50" in warning.message) == (
        "vary.guidance[0]",
        True,
    )


def test_a_csv_file_is_read_relative_to_the_campaign_and_numbers_in_it_are_settings(tmp_path):
    (tmp_path / "rows.csv").write_text(
        "\ufeffplace,guidance\non a beach, 3\nat sunset,5.5\n", encoding="utf-8"
    )
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(
            data(
                prompt="{color} {product} {place}",
                vary={**data()["vary"], "row": {"csv": "rows.csv"}},
            )
        )
    )
    rows = load_campaign(path).campaign.axes[2].values
    assert rows == (
        {"place": "on a beach", "guidance": 3.0},
        {"place": "at sunset", "guidance": 5.5},
    )


def test_the_paths_of_a_campaign_are_relative_to_its_file_wherever_they_stand(tmp_path):
    (tmp_path / "looks.csv").write_text(
        "reference,strength,lora,lora_scale\na.png,0.5,b.safetensors,2\n"
    )
    path = tmp_path / "c.yaml"
    changes = dict(
        reference={"image": "sub/../r.png"},
        adapters=[{"lora": "x"}, {"lora": "/whole/y"}],
        vary={
            **VARY,
            "reference": ["none", "s3://b/a.png", "a.png"],
            "look": [{"lora": "none"}, {"lora": "z"}],
        },
        skip=[{"reference": "a.png", "color": "red"}],
    )
    path.write_text(yaml.safe_dump(data(**changes)))
    loaded = load_campaign(path).campaign
    assert loaded.reference.image == str(tmp_path / "r.png")
    assert [adapter.lora for adapter in loaded.adapters] == [str(tmp_path / "x"), "/whole/y"]
    assert loaded.vary["reference"] == ["none", "s3://b/a.png", str(tmp_path / "a.png")]
    assert loaded.vary["look"] == [{"lora": "none"}, {"lora": str(tmp_path / "z")}]
    assert loaded.skip == ({"reference": str(tmp_path / "a.png"), "color": "red"},)
    path.write_text(yaml.safe_dump(data(vary={**VARY, "look": {"csv": "looks.csv"}})))
    row = {
        "reference": str(tmp_path / "a.png"),
        "strength": 0.5,
        "lora": str(tmp_path / "b.safetensors"),
        "lora_scale": 2.0,
    }
    assert load_campaign(path).campaign.vary["look"] == [row]


@pytest.mark.parametrize(
    ("changes", "encoding", "files"),
    [
        ({}, Encoding(), "png"),
        ({"output": {"format": "webp"}}, Encoding(format=Format.WEBP), "webp"),
        (
            {"output": {"format": "jxl", "quality": 80}},
            Encoding(format=Format.JXL, quality=80),
            "jxl-q80",
        ),
        (
            {"output": {"format": "jpg"}, "previews": {"every": 5}},
            Encoding(format=Format.JPEG, quality=90),
            "jpg-q90+previews-5",
        ),
    ],
)
def test_a_campaign_says_how_its_files_are_written(changes, encoding, files):
    parsed = parse_campaign(data(**changes))
    assert (parsed.encoding, parsed.files) == (encoding, files)
    stored = Campaign.model_validate(json.loads(json.dumps(parsed.model_dump(mode="json"))))
    assert (stored.encoding, stored.files) == (encoding, files)


def test_the_format_of_files_changes_no_recipe():
    def digests(**changes):
        plan = expansion(**changes)
        return [
            Recipe(group=plan.group(g), prompt=r.shot.prompt, negative="", seed=r.seed).digest
            for g, r in plan.all_renders()
        ]

    assert digests() == digests(output={"format": "jxl", "quality": 50})
