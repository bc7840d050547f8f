"""The model's card says what the probe saw, and the probe saw what was asked for."""

import json

import pytest

from actors.models.models import SEEDLING
from actors.seedling.scenes import FLAWS

CARD = (SEEDLING / "README.md").read_text()
PROBE = json.loads((SEEDLING / "probe.json").read_text())


def percent(share):
    return f"{100 * share:.1f} %"


@pytest.mark.parametrize(
    ("question", "least"), [("product", 0.85), ("color", 0.95), ("backdrop", 0.95)]
)
def test_the_model_paints_what_is_asked_for(question, least):
    assert PROBE["painted"] >= 240
    assert PROBE["right"][question] >= least
    assert percent(PROBE["right"][question]) in CARD


def test_locked_seeds_repeat_the_light():
    assert PROBE["light_agrees"] >= 0.80
    assert percent(PROBE["light_agrees"]) in CARD


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_negative_prompt_halves_the_flaw_it_names(flaw):
    rates = PROBE["flaws_by_negative"]
    assert rates["nothing"][flaw] > 0
    assert rates[flaw][flaw] <= rates["nothing"][flaw] / 2
    assert all(percent(rate) in CARD for rate in (rates["nothing"][flaw], rates[flaw][flaw]))
