"""What a submission makes of a campaign's texts, and where it finds other tools' syntax in
them.
"""

import csv

import pytest
import yaml

from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.schema import Campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.campaign.texts import overruled
from farm.campaign.warnings import campaign_warnings
from farm.documents.document import DocumentError
from tests.campaigns import MODEL, campaign, data, expansion

VARY = {"product": ["mug"], "color": ["red", "blue"]}


def texts(plan, key="prompt"):
    return [getattr(render.shot, key) for _, render in plan.all_renders()][:: plan.seeds_per_shot]


def problems(**changes):
    with pytest.raises(DocumentError) as error:
        parse_campaign(data(**changes))
    return {problem.place: problem.message for problem in error.value.problems}


# --- syntax of other tools ---


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        (dict(prompt="a ({color}:1.4) {product}"), "prompt", "(red:1.4) is an emphasis"),
        (dict(prompt="a (({color})) {product}"), "prompt", "((red)) is an emphasis"),
        (dict(prompt="a {color} {product} --ar 16:9"), "prompt", "--ar 16:9 is a flag"),
        (dict(prompt="a __{color}__ {product}"), "prompt", "__red__ is a wildcard"),
        (
            dict(prompt="a {color} {product}, {{color}}"),
            "prompt",
            "{{color}} is painted with its braces: write {color}",
        ),
        (dict(prompt="a ${color} {product}"), "prompt", "${color} is a field in other tools"),
        (dict(prompt="a {red|blue} {color} {product}"), "prompt", "has a name: {color: red|blue}"),
        (dict(negative="(worst quality:1.4)"), "negative", "is an emphasis"),
        (
            dict(vary={**VARY, "color": ["red", "[blue]"]}),
            "vary.color[1]",
            "[blue] is a weaker emphasis",
        ),
        (
            dict(vary={**VARY, "color": ["red", "{blue|green}"]}),
            "vary.color[1]",
            "a choice between words",
        ),
        (
            dict(vary={**VARY, "color": ["a cinematic {prompt}"]}),
            "vary.color[0]",
            "{prompt} is a field",
        ),
        (dict(vary={**VARY, "color": ["red BREAK"]}), "vary.color[0]", "BREAK is a break"),
        (dict(vary={**VARY, "color": ["red", "BREAK"]}), "vary.color[1]", "BREAK is a break"),
        (
            dict(vary={**VARY, "row": [{"negative": "grain"}, {"negative": "(bad:2)"}]}),
            "vary.row[1].negative",
            "(bad:2)",
        ),
        (
            dict(prompt="({color}:{w}) {product}", vary={**VARY, "w": ["strong", 1.4]}),
            "prompt",
            "(red:1.4) is an emphasis",
        ),
        (dict(vary={**VARY, "color": ["x" * 20_001]}), "vary.color[0]", "20,001 characters"),
        (dict(prompt=" \n ", vary={}), "prompt", "empty"),
        (dict(syntax="litteral"), "syntax", "did you mean 'literal'?"),
    ],
)
def test_syntax_is_refused_at_the_template_or_the_value_that_has_it(changes, place, words):
    found = problems(**changes)
    assert set(found) == {place}
    assert words in found[place]


def test_the_row_of_a_table_is_named_with_its_column(tmp_path):
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["color", "style"], ["red", "plain"], ["blue", "in the style of [somebody]"]]
        )
    path = tmp_path / "c.yaml"
    path.write_text(
        yaml.safe_dump(
            data(
                prompt="a {color} {product}, {style}",
                vary={"product": ["mug"], "row": {"csv": "rows.csv"}},
            )
        )
    )
    with pytest.raises(
        DocumentError,
        match=r"vary\.row\[1\]\.style \(rows\.csv:3\): \[somebody\] is a weaker emphasis",
    ) as error:
        load_campaign(path)
    assert len(error.value.problems) == 1


def test_what_no_prompt_has_may_look_as_it_likes():
    rows = [{"color": "red", "note": "(see:1.4) [x] <lora:a:1>"}]
    assert texts(expansion(vary={"product": ["mug"], "look": rows})) == ["a red mug"]


def test_doubled_braces_are_braces_if_they_name_no_variable():
    assert (
        texts(expansion(prompt="a {color} {product} {{of the}} {{day}}", vary=VARY))[0]
        == "a red mug {of the} {day}"
    )


def test_read_literally_every_character_is_painted_as_it_stands():
    changes = dict(
        prompt=" ({color}:1.4) {product} BREAK ",
        vary={"product": ["none", "{a|b}"], "color": [" [red]"]},
        syntax="literal",
    )
    assert texts(expansion(**changes)) == ["( [red]:1.4) none BREAK", "( [red]:1.4) {a|b} BREAK"]
    fields = dict(
        prompt="{color}{product}",
        vary={"product": ["none "], "color": [" [red]"]},
        syntax="literal",
    )
    assert texts(expansion(**fields)) == [" [red]none "]


def test_very_many_values_are_looked_at_and_the_first_mistakes_told():
    values = [f"({k} ml) [x]" for k in range(20_000)]
    with pytest.raises(DocumentError, match="and 980 more"):
        parse_campaign(data(vary={**VARY, "product": values}))


# --- the ends of prompts ---


def test_a_line_end_makes_no_other_picture():
    plans = [
        expansion(prompt=text, negative=other, vary=VARY)
        for text, other in (
            ("a {color} {product}", "grain"),
            ("\n a {color} {product}\n", "grain \n"),
        )
    ]
    recipes = [
        [plan.recipe(g, render).digest for g, render in plan.all_renders()] for plan in plans
    ]
    assert recipes[0] == recipes[1]
    specs = [make_spec(plan.campaign, MODEL, Sources()) for plan in plans]
    assert specs[0] == specs[1]
    assert specs[0]["campaign"]["syntax"] == "plain"


def test_what_is_left_of_a_prompt_begins_and_ends_with_its_words():
    plan = expansion(
        prompt="{color} {product}",
        vary={"product": ["mug\n", "none"], "color": [" red", ""]},
        skip=[{"product": "none", "color": ""}],
    )
    assert texts(plan) == ["red mug", "mug", "red"]


def test_a_campaign_of_before_is_read_as_it_was():
    stored = make_spec(campaign(), MODEL, Sources())
    old = {
        key: value for key, value in stored["campaign"].items() if key not in ("syntax", "notes")
    }
    rows = [{"color": " red", "negative": "unused then"}, {"color": "none", "negative": "none"}]
    old |= {
        "prompt": "{color} (big:1.4) {product}\n",
        "vary": {"product": ["[mug]"], "look": rows},
    }
    plan = expansion_of({**stored, "campaign": old})
    assert texts(plan) == [" red (big:1.4) [mug]\n", "none (big:1.4) [mug]\n"]
    assert texts(plan, "negative") == ["", ""]
    assert plan.campaign.syntax is None


def test_a_file_that_was_submitted_before_is_the_same_campaign_still():
    now = make_spec(
        campaign(prompt="a {color} {product}\n", vary={**VARY, "color": ["none", "red"]}),
        MODEL,
        Sources(),
    )
    old = {key: value for key, value in now["campaign"].items() if key not in ("syntax", "notes")}
    assert fingerprint(
        {**now, "campaign": {**old, "prompt": "a {color} {product}\n"}}
    ) == fingerprint(now)


def test_to_submit_what_a_submission_made_changes_nothing():
    once = campaign(
        prompt=" {color} {product} ",
        vary={**VARY, "negative": [{"negative": "grain"}, {"negative": "none"}]},
    )
    assert parse_campaign(once.model_dump(mode="json")) == once
    assert Campaign.model_validate(once.model_dump(mode="json")) == once


# --- nothing ---


@pytest.mark.parametrize("nothing", ["", "none"])
def test_a_value_may_be_nothing(nothing):
    plan = expansion(
        prompt="a {color} {product}{style}",
        vary={"product": ["mug"], "color": ["red"], "style": [nothing, ", in oil"]},
    )
    assert texts(plan) == ["a red mug", "a red mug, in oil"]
    keys = [render.shot.key for _, render in plan.all_renders()][:: plan.seeds_per_shot]
    assert keys[0].startswith("red_mug_none_")
    assert plan.axes[2].label(0) == "none"


@pytest.mark.parametrize("nothing", ["", "none"])
def test_an_axis_may_set_the_negative_prompt(nothing):
    plan = expansion(
        negative="watermark", vary={**VARY, "color": ["red"], "negative": [nothing, "film grain"]}
    )
    assert texts(plan, "negative") == ["", "film grain"]
    assert texts(plan) == ["a red mug", "a red mug"]


def test_a_row_may_have_its_negative_prompt(tmp_path):
    (tmp_path / "rows.csv").write_text("color,negative\nred,film grain\nblue,none\n")
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(data(vary={"product": ["mug"], "row": {"csv": "rows.csv"}})))
    assert texts(Expansion(load_campaign(path).campaign, MODEL), "negative") == ["film grain", ""]


def test_an_axis_called_negative_fills_the_field_of_its_name():
    plan = expansion(
        negative="blurry, {negative}", vary={**VARY, "color": ["red"], "negative": ["grain"]}
    )
    assert texts(plan, "negative") == ["blurry, grain"]
    plan = expansion(
        prompt="a {negative} of a {color} {product}",
        negative="grain",
        vary={**VARY, "color": ["red"], "negative": ["photo negative"]},
    )
    assert (texts(plan), texts(plan, "negative")) == (["a photo negative of a red mug"], ["grain"])


def test_a_note_called_negative_is_a_note():
    rows = [{"color": "red", "negative": "none so far"}]
    plan = expansion(negative="grain", vary={"product": ["mug"], "row": rows}, notes=["negative"])
    assert texts(plan, "negative") == ["grain"]


def test_nothing_and_a_word_have_folders_of_their_own():
    plan = expansion(vary={"product": ["mug"], "color": ["", "none"]}, syntax="literal")
    keys = {render.shot.key for _, render in plan.all_renders()}
    assert len(keys) == 2
    assert all(key.startswith("none_mug_") for key in keys)


def test_nothing_written_in_two_ways_is_refused():
    found = problems(vary={**VARY, "color": ["", "red", "none"]})
    assert "both nothing (first at 0)" in found["vary.color[2]"]


def test_a_rule_may_skip_what_is_nothing():
    plan = expansion(vary={**VARY, "color": ["red", "none"]}, skip=[{"color": "none"}])
    assert texts(plan) == ["a red mug"]


def test_a_missing_value_is_told_how_nothing_is_written():
    assert (
        "write none for nothing"
        in problems(vary={**VARY, "color": [None, "red"]})["vary.color[0]"]
    )


# --- warnings ---


def warnings(**changes):
    return {problem.place: problem.message for problem in campaign_warnings(campaign(**changes))}


def test_words_in_parentheses_that_stand_alone_are_told():
    found = warnings(
        prompt="a {color} {product}, (masterpiece), (8k)",
        negative="(blurry)",
        vary={**VARY, "product": ["mug (a red one)"]},
    )
    assert found["prompt"].startswith("(masterpiece) is an emphasis")
    assert set(found) == {"prompt", "negative"}
    assert list(
        warnings(
            prompt="a mug, {color}{product}",
            vary={"product": [", box"], "color": ["red", "(red)"]},
        )
    ) == ["vary.color[1]"]
    assert warnings(prompt="{color} {product}, (8k)", vary=VARY, syntax="literal") == {}


def test_a_negative_prompt_that_an_axis_overrules_is_told_once(tmp_path):
    path = tmp_path / "c.yaml"
    changes = data(negative="watermark", vary={**VARY, "negative": ["none", "grain"]})
    path.write_text(yaml.safe_dump(changes))
    loaded = load_campaign(path)
    assert [problem.place for problem in loaded.warnings] == ["negative"]
    assert "the axis 'negative' sets the negative prompt" in loaded.warnings[0].message
    assert list(overruled(changes, loaded.campaign)) == list(loaded.warnings)
    assert list(overruled(loaded.campaign.model_dump(mode="json"), loaded.campaign)) == []


def test_a_campaign_of_before_is_told_that_none_is_a_word_in_it():
    found = campaign_warnings(campaign(vary={**VARY, "color": ["red", "none"]}), derivation=1)
    assert [(problem.place, "stays a word" in problem.message) for problem in found] == [
        ("vary.color[1]", True)
    ]
