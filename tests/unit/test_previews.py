"""Which steps of a picture are kept to be looked at, and how a campaign file says it."""

import json

import pytest

from actors.recipes.previews import Decode, Previews
from farm.campaign.checks import parse_campaign
from farm.campaign.schema import Campaign
from farm.campaign.specs import fingerprint, make_spec
from farm.documents.document import DocumentError
from tests.campaigns import data, expansion


@pytest.mark.parametrize(
    ("previews", "made", "steps"),
    [
        (Previews(every=5), 20, (5, 10, 15)),
        (Previews(every=5), 5, ()),
        (Previews(at=(0.2, 0.5)), 20, (4, 10)),
        (Previews(at=(0.01, 0.2, 0.999)), 4, (1, 3)),
        (Previews(at=(0.5,)), 2, (1,)),
        (Previews(at=(0.5,)), 1, ()),
    ],
)
def test_steps_are_kept_but_never_the_last(previews, made, steps):
    assert previews.steps(made) == steps


@pytest.mark.parametrize(
    ("written", "kept", "files"),
    [
        ({"every": 5}, Previews(every=5), "png+previews-5"),
        ({"every": 5, "decode": "full"}, Previews(every=5), "png+previews-5"),
        ({"at": [0.5, 0.2]}, Previews(at=(0.2, 0.5)), "png+previews-at-0.2-0.5"),
        (
            {"at": [0.125], "decode": "fast"},
            Previews(at=(0.125,), decode=Decode.FAST),
            "png+previews-at-0.125-fast",
        ),
        ({"every": 2, "decode": "fast"}, Previews(every=2, decode=Decode.FAST), None),
    ],
)
def test_a_campaign_says_which_steps_are_kept_and_how(written, kept, files):
    campaign = parse_campaign(data(previews=written))
    assert campaign.kept_previews == kept
    assert files in (None, campaign.files)
    stored = Campaign.model_validate(json.loads(json.dumps(campaign.model_dump(mode="json"))))
    assert (stored, stored.files) == (campaign, campaign.files)


def test_a_campaign_of_before_is_the_same_one():
    plan = expansion(previews={"every": 5})
    spec = make_spec(plan.campaign, plan.model, plan.sources)
    assert spec["campaign"]["previews"] == {"every": 5}
    assert fingerprint(spec) == fingerprint(json.loads(json.dumps(spec)))


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ({}, "previews", "write one of the two"),
        ({"every": 2, "at": [0.5]}, "previews", "write one of the two"),
        ({"at": []}, "previews.at", "at least one"),
        ({"at": [0.0]}, "previews.at", "more than 0"),
        ({"at": [1.0]}, "previews.at", "less than 1"),
        ({"at": [0.12345]}, "previews.at", "three decimals"),
        ({"at": [0.1] * 9}, "previews.at", "8"),
        ({"every": 2, "decode": "quick"}, "previews.decode", "full"),
    ],
)
def test_a_mistake_in_it_is_named_with_its_place(written, place, words):
    with pytest.raises(DocumentError) as error:
        parse_campaign(data(previews=written))
    (problem,) = error.value.problems
    assert problem.place.startswith(place)
    assert words in problem.message
