"""What a campaign file means: how its texts, numbers, paths and formats are read."""

import json

import pytest
import yaml

from actors.recipes.encoding import Encoding, Format
from actors.recipes.recipe import Recipe
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.schema import Campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import DocumentError
from tests.campaigns import MODEL, campaign, data, expansion

VARY = {"product": ["mug"], "color": ["red"]}


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


def test_the_paths_of_a_campaign_are_relative_to_its_file_wherever_they_stand(tmp_path):
    (tmp_path / "looks.csv").write_text(
        "reference,strength,lora,lora_scale\na.png,0.5,b.safetensors,2\n"
    )
    path = tmp_path / "c.yaml"
    changes = dict(
        reference={"image": "sub/../r.png"},
        adapters=[{"lora": "x.safetensors"}, {"lora": "/whole/y"}, {"lora": "registered"}],
        vary={
            **VARY,
            "reference": ["none", "s3://b/a.png", "a.png"],
            "look": [{"lora": "none"}, {"lora": "sub/z"}],
        },
        skip=[{"reference": "a.png", "color": "red"}],
    )
    path.write_text(yaml.safe_dump(data(**changes)))
    loaded = load_campaign(path).campaign
    assert loaded.reference.image == str(tmp_path / "r.png")
    assert [adapter.lora for adapter in loaded.adapters] == [
        str(tmp_path / "x.safetensors"), "/whole/y", "registered",
    ]  # fmt: skip
    assert loaded.vary["reference"] == ["none", "s3://b/a.png", str(tmp_path / "a.png")]
    assert loaded.vary["look"] == [{"lora": "none"}, {"lora": str(tmp_path / "sub" / "z")}]
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


def test_a_budget_is_time_or_money_or_both_and_a_stored_one_of_time_is_as_before():
    both = campaign(budget={"gpu_hours": 2, "money": 40})
    assert (both.budget_s, both.budget_money) == (7200, 40)
    assert campaign(budget={"money": 40}).budget_s is None
    time = campaign(budget={"gpu_hours": 2})
    assert time.model_dump(mode="json")["budget"] == {"gpu_hours": 2}
    for wrong in ({}, {"money": 0}, {"money": -1}, {"money": float("inf")}, {"coins": 1}):
        with pytest.raises(DocumentError, match="budget"):
            campaign(budget=wrong)
