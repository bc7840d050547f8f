"""Settings that only some models take: as a campaign writes them, in a recipe, and in the words
of people and of other tools.
"""

from dataclasses import replace

import pytest

from actors.painting.infotext import infotext
from actors.recipes.guidance import GuidanceKind
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.documents.document import DocumentError
from farm.documents.foreign_words import foreign_hint, scheduler_hint
from farm.results.recipe_changes import changes, named
from farm.results.reproduce import campaign_of_recipe
from tests.campaigns import MODEL, campaign, data, expansion
from tests.unit.test_recipe import GROUP, RECIPE

OPTIONS = {
    "eta": 0.5, "clip_skip": 2, "guidance_rescale": 0.7, "spacing": "trailing", "vae_tile": 512,
}  # fmt: skip
VELOCITY = replace(
    MODEL, scheduler_config={**MODEL.scheduler_config, "prediction_type": "v_prediction"}
)


def recipe_of(model=MODEL, **settings):
    plan = Expansion(campaign(settings=settings), model)
    return plan.recipe(*plan.render(0))


def test_a_campaign_that_an_earlier_version_stored_is_the_same_still():
    spec = make_spec(campaign(), MODEL, Sources())
    old = {**spec["campaign"]["settings"]}
    for name in ("spacing", "terminal_snr", "eta", "clip_skip", "guidance_rescale", "vae_tile"):
        del old[name]
    before = {**spec, "campaign": {**spec["campaign"], "settings": old}}
    assert fingerprint(before) == fingerprint(spec)
    assert expansion_of(before).recipe(*expansion_of(before).render(0)).digest == (
        recipe_of().digest
    )
    named_one = make_spec(campaign(settings={"clip_skip": 1}), MODEL, Sources())
    assert fingerprint(named_one) != fingerprint(spec)


@pytest.mark.parametrize("name", ["eta", "clip_skip", "guidance_rescale"])
def test_a_zero_is_the_same_recipe_as_nothing(name):
    assert recipe_of(**{name: 0}).digest == recipe_of().digest
    assert recipe_of(**{name: 1}).digest != recipe_of().digest


@pytest.mark.parametrize("name", ["spacing", "terminal_snr"])
def test_on_an_axis_none_is_the_models_own(name):
    value = {"spacing": "trailing", "terminal_snr": "zero"}[name]
    plan = Expansion(campaign(vary={name: ["none", value]}, prompt="a mug"), VELOCITY)
    own, other = (plan.group(k) for k in (0, 1))
    assert own.scheduler_config == recipe_of(VELOCITY).group.scheduler_config
    assert own.scheduler_config != other.scheduler_config
    assert own.scheduler_config.items() <= other.scheduler_config.items()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"eta": 1.5}, "settings.eta"),
        ({"clip_skip": 12}, "settings.clip_skip"),
        ({"vae_tile": 100}, "settings.vae_tile"),
        ({"vae_tile": 8192}, "settings.vae_tile"),
        ({"guidance_rescale": -0.1}, "settings.guidance_rescale"),
        ({"spacing": "tailing"}, "settings.spacing"),
        ({"terminal_snr": "one"}, "settings.terminal_snr"),
    ],
)
def test_values_out_of_range_are_refused_at_their_place(settings, words):
    with pytest.raises(DocumentError) as error:
        campaign(settings=settings)
    assert [problem.place for problem in error.value.problems] == [words]


def test_a_table_may_vary_them(tmp_path):
    (tmp_path / "looks.csv").write_text(
        "clip_skip,eta,guidance_rescale,spacing,vae_tile\n1,0.5,,trailing,256\n"
    )
    file = tmp_path / "c.yaml"
    file.write_text(
        "name: c\nmodel: seedling\nprompt: a mug\nvary: {look: {csv: looks.csv}}\n", "utf-8"
    )
    group = Expansion(load_campaign(file).campaign, MODEL).group(0)
    assert (group.clip_skip, group.eta, group.guidance_rescale) == (1, 0.5, None)
    assert group.vae_tile == 256
    assert group.scheduler_config["timestep_spacing"] == "trailing"


def test_a_recipe_with_options_becomes_a_campaign_with_that_recipe():
    wanted = recipe_of(VELOCITY, terminal_snr="zero", **OPTIONS)
    asked = campaign_of_recipe(wanted, name="again", model="seedling", encoding="png", sources={})
    assert {**OPTIONS, "terminal_snr": "zero"}.items() <= asked["settings"].items()
    plan = Expansion(parse_campaign(asked), VELOCITY)
    assert plan.recipe(*plan.render(0)).digest == wanted.digest


def test_of_a_scheduler_without_a_spacing_none_is_asked_for():
    own = {"_class_name": "LCMScheduler", "timestep_spacing": "leading"}
    wanted = replace(RECIPE, group=replace(GROUP, scheduler="lcm", scheduler_config=own))
    asked = campaign_of_recipe(wanted, name="again", model="seedling", encoding="png", sources={})
    assert not {"spacing", "terminal_snr"} & asked["settings"].keys()


def test_other_tools_are_told_of_them_in_their_words():
    group = replace(GROUP, eta=0.3, clip_skip=1, guidance_rescale=0.7, vae_tile=512)
    text = infotext(replace(RECIPE, group=group), "seedling")
    for words in ("Clip skip: 2", "CFG Rescale phi: 0.7", "Eta: 0.3", "Tiled VAE: 512"):
        assert words in text
        assert words.partition(":")[0] not in infotext(RECIPE, "seedling")
    tcd = replace(GROUP, scheduler_config={"_class_name": "TCDScheduler"})
    assert "Sampler: TCD" in infotext(replace(RECIPE, group=tcd), "seedling")


@pytest.mark.parametrize(
    ("word", "own"),
    [
        ("Clip skip", "clip_skip"),
        ("Tiled VAE", "vae_tile"),
        ("cfg_rescale", "guidance_rescale"),
        ("timestep_spacing", "spacing"),
        ("rescale_betas_zero_snr", "terminal_snr"),
    ],
)
def test_the_words_of_other_tools_lead_to_them(word, own):
    assert own in foreign_hint(word)
    assert foreign_hint(own) is None
    assert scheduler_hint("TCDScheduler", ("ddim", "tcd")) == "did you mean 'tcd'?"


def test_a_changed_option_is_told_between_two_versions():
    old, new = (
        named(expansion(settings=settings), 0)
        for settings in ({"clip_skip": 1}, {"clip_skip": 2, "guidance_rescale": 0.5})
    )
    assert [change.words for change in changes(old, new)] == [
        "guidance_rescale none -> 0.5",
        "clip_skip 1 -> 2",
    ]


def test_a_campaign_of_an_earlier_version_has_the_kind_of_its_family():
    assert MODEL.guidance_kind is None
    assert expansion().guidance_kind is GuidanceKind.STANDARD
    flux = replace(MODEL, pipeline="FluxPipeline")
    assert Expansion(campaign(), flux).guidance_kind is GuidanceKind.EMBEDDED
    fed = replace(MODEL, guidance_kind="embedded")
    assert Expansion(parse_campaign(data()), fed).guidance_kind is GuidanceKind.EMBEDDED
