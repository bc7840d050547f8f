"""Alternatives in a template: an axis that is written where it is used."""

import pytest

from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.documents.document import DocumentError
from tests.campaigns import MODEL, data


def asked(prompt, **changes):
    return parse_campaign(data(prompt=prompt, **{"vary": None, **changes}))


def by_prompt(campaign):
    return {
        (render.shot.prompt, render.seed): (render.shot.key, expansion.recipe(g, render).digest)
        for expansion in [Expansion(campaign, MODEL)]
        for g, render in expansion.all_renders()
    }


def test_alternatives_are_the_axis_that_they_could_be_written_as():
    written = asked("a {color: red | dark blue} {product}", vary={"product": ["mug", "lamp"]})
    axis = asked(
        "a {color} {product}", vary={"product": ["mug", "lamp"], "color": ["red", "dark blue"]}
    )
    assert by_prompt(written) == by_prompt(axis)
    assert written.vary == axis.vary


def test_more_alternatives_or_others_in_another_order_change_no_seed():
    seeds = {"count": 2, "base": 3, "per": ["color"]}
    first = by_prompt(asked("a {color: red|blue} {product: mug|lamp}", seeds=seeds))
    for prompt in (
        "a {color: red|green|blue} {product: mug|lamp}",
        "a {color: blue|red} {product: lamp|mug}",
    ):
        assert first.items() <= by_prompt(asked(prompt, seeds=seeds)).items()


def test_the_same_name_means_the_same_alternatives():
    campaign = asked("a {color: red|blue} mug", negative="{color}, {mood: dark|none}")
    shots = {(r.shot.prompt, r.shot.negative) for _, r in Expansion(campaign, MODEL).all_renders()}
    assert shots == {
        ("a red mug", "red, dark"),
        ("a red mug", "red,"),
        ("a blue mug", "blue, dark"),
        ("a blue mug", "blue,"),
    }


def test_braces_that_are_text_stay_text():
    campaign = asked("a {color: red|blue} mug, {{as | text}} {ratio: 16:9|4:3}", syntax="literal")
    prompts = {r.shot.prompt for _, r in Expansion(campaign, MODEL).all_renders()}
    assert "a red mug, {as | text} 4:3" in prompts


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("a {color: red|} mug", "prompt: the alternatives {color: …}: one of them is empty"),
        ("a {color: red|blue} {color: red|green} mug", "they were others before"),
        ("a {product: mug|lamp}", "an axis of that name stands in `vary`"),
        ("a {red|blue} mug", "A choice between words has a name: {color: red|blue}"),
        ("a {color: red} mug", "is not a plain field"),
        ("a {tone: red|red} mug", "stands twice in the axis"),
        ("a {co lor: red|blue} mug", "is not a plain field"),
        ("a {guidance: low|high} mug", "guidance"),
    ],
)
def test_what_cannot_be_an_axis_is_said(prompt, told):
    with pytest.raises(DocumentError) as refused:
        parse_campaign(data(prompt=prompt))
    assert told in str(refused.value)


def test_a_mistake_in_them_is_told_on_the_line_of_the_template(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text('name: c\nmodel: seedling\nprompt: "a {color: (red:1.3)|blue} mug"\n')
    with pytest.raises(DocumentError, match=r"c.yaml:3: vary.color\[0\]: .*an emphasis"):
        load_campaign(file)


EMPHASES = ["(red:1.3)", "((red))", "[red]", "red++", "(red)1.3", "red::2"]


@pytest.mark.parametrize("word", EMPHASES)
def test_emphasis_is_refused_at_its_place_or_kept_as_it_stands(word):
    vary = {"color": ["blue", word]}
    with pytest.raises(DocumentError) as refused:
        asked("a {color} mug", vary=vary)
    assert str(refused.value).startswith("vary.color[1]: ")
    assert "`emphasis: literal`" in str(refused.value)
    kept = asked("a {color} mug", vary=vary, emphasis="literal")
    prompts = {render.shot.prompt for _, render in Expansion(kept, MODEL).all_renders()}
    assert prompts == {"a blue mug", f"a {word} mug"}


@pytest.mark.parametrize("prompt", ["a (<lora:gold:1>:1.3) mug", "[a|b] mug", "a mug --ar 16:9"])
def test_literal_emphasis_lets_no_other_syntax_through(prompt):
    with pytest.raises(DocumentError, match=r"(of|in) other tools"):
        asked(prompt, vary={}, emphasis="literal")


def test_how_emphasis_is_read_changes_no_campaign_without_any():
    assert by_prompt(asked("a {color: red|blue} mug")) == by_prompt(
        asked("a {color: red|blue} mug", emphasis="literal")
    )
