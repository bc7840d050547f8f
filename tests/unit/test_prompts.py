"""Prompts that a model would cut off are found at submission, each at the value that makes it too
long.
"""

import pytest

from actors.models.models import find_model
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.prompt_texts import PromptTexts
from farm.documents.document import DocumentError
from farm.service import prompts
from farm.service.prompts import check_prompts
from tests.campaigns import data

LONG = "mug " * 60
"""Sixty tokens and more; seedling reads 48."""


@pytest.fixture(scope="module")
def seedling():
    return find_model("seedling")


@pytest.fixture
def problems(seedling):
    def problems(**changes):
        try:
            check_prompts(Expansion(parse_campaign(data(**changes)), seedling))
        except DocumentError as error:
            return {problem.place: problem.message for problem in error.problems}
        return {}

    return problems


def test_the_row_is_named_whose_tokens_are_too_many_not_that_with_the_most_characters(problems):
    rows = [{"prompt": "advertising " * 20, "neg": "x"}, {"prompt": "a b " * 30, "neg": "y"}]
    found = problems(prompt="{prompt}", negative="{neg}", vary={"row": rows})
    assert list(found) == ["vary.row[1].prompt"]
    assert (
        "too long in the prompt: it grows to 62 tokens and the model reads 48"
        in found["vary.row[1].prompt"]
    )


def test_every_row_is_measured_in_prompts_and_negatives(problems):
    rows = [
        {"prompt": LONG, "neg": "x"},
        {"prompt": "a mug", "neg": LONG},
        {"prompt": "a mug", "neg": "y"},
        {"prompt": LONG + "red", "neg": "y"},
    ]
    found = problems(prompt="{prompt}", negative="{neg}", vary={"row": rows})
    assert list(found) == ["vary.row[0].prompt", "vary.row[3].prompt", "vary.row[1].neg"]


def test_a_long_note_hides_no_long_prompt(problems):
    rows = [{"prompt": "a mug", "note": LONG * 3}, {"prompt": LONG, "note": ""}]
    assert list(problems(prompt="{prompt}", vary={"row": rows})) == ["vary.row[1].prompt"]
    assert problems(prompt="{prompt}", vary={"row": rows[:1]}) == {}


def test_texts_of_skipped_shots_alone_are_not_refused(problems):
    vary = {"product": ["mug", LONG], "color": ["red", "blue"]}
    both = [{"product": LONG, "color": "red"}, {"product": LONG, "color": "blue"}]
    assert problems(vary=vary, skip=[{"product": LONG}]) == {}
    assert problems(vary=vary, skip=both) == {}
    assert list(problems(vary=vary, skip=both[:1])) == ["vary.product[1]"]


def test_a_row_is_named_that_is_painted(problems):
    rows = [{"prompt": LONG, "note": "a"}, {"prompt": LONG, "note": "b"}]
    found = problems(prompt="{prompt}", vary={"row": rows}, skip=[{"prompt": LONG, "note": "a"}])
    assert list(found) == ["vary.row[1].prompt"]


def test_values_that_are_too_long_only_together_are_named_together(problems):
    vary = {"product": ["mug", "mug " * 20], "color": ["red", "red " * 30]}
    found = problems(vary=vary)
    assert list(found) == ["vary.color[1]"]
    assert "Beside it stands 'mug mug" in found["vary.color[1]"]


def test_a_template_that_is_too_long_with_any_value_is_named_once(problems):
    assert list(problems(prompt="a {color} mug " * 20, vary={"color": ["red", "blue"]})) == [
        "prompt"
    ]
    found = problems(prompt=LONG + "{color} {product}")
    assert list(found) == ["prompt"]
    assert problems(negative="grain, " * 40)["negative"].startswith("it grows to")


def test_of_very_many_texts_the_heaviest_are_measured(problems, monkeypatch):
    monkeypatch.setattr(prompts, "MAX_MEASURED", 10)
    vary = {
        "product": [f"mug {k}" for k in range(40)],
        "color": [*(f"red {k}" for k in range(40)), LONG],
    }
    found = problems(vary={"product": vary["product"], "color": vary["color"]})
    assert list(found) == ["vary.color[40]"]


def test_all_cells_come_once_the_heaviest_first(seedling):
    texts = PromptTexts(
        Expansion(parse_campaign(data(prompt="{product} {color}")), seedling), "prompt"
    )
    weights = [[3, 9, 1], [2, 5]]
    cells = list(texts.heaviest(weights))
    sums = [weights[0][a] + weights[1][b] for a, b in cells]
    assert sorted(cells) == sorted(texts.cells())
    assert sums == sorted(sums, reverse=True)


def test_an_empty_prompt_is_refused_at_its_row_if_it_is_painted(problems):
    rows = [{"prompt": "a mug"}, {"prompt": "none"}, {"prompt": "a box"}]
    assert list(problems(prompt="{prompt}", vary={"row": rows})) == ["vary.row[1]"]
    assert list(problems(prompt="{prompt}", vary={"row": rows}, skip=[{"prompt": "a box"}])) == [
        "vary.row[1].prompt"
    ]
    assert problems(prompt="{prompt}", vary={"row": rows}, skip=[{"prompt": "none"}]) == {}
    assert problems(prompt="a {prompt}", vary={"row": rows}) == {}
    pairs = {"product": ["mug", "none"], "color": ["red", "none"]}
    assert (
        problems(
            prompt="{color} {product}", vary=pairs, skip=[{"product": "none", "color": "none"}]
        )
        == {}
    )
    assert len(problems(prompt="{color} {product}", vary=pairs)) == 1
