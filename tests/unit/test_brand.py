"""Brand packs: what they add to a campaign, and what they do not let through."""

from pathlib import Path

import pytest

from actors.recipes.rules import Rules
from farm.campaign.brand import Brand, load_pack, parse_pack, rules_of, with_brand
from farm.campaign.brand_checks import violations
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.loading import load_campaign
from farm.campaign.sources import Sources
from farm.campaign.specs import expansion_of, fingerprint, make_spec
from farm.documents.document import DocumentError
from tests.campaigns import MODEL

ROOT = Path(__file__).parents[2]
ACME = {
    "name": "acme",
    "texts": {"style": "soft daylight", "tagline": "made to last"},
    "negative": "grain",
    "banned": ["cheap", "best ever"],
    "settings": {"guidance": 5.0, "steps": 8},
    "locked": ["guidance"],
    "seeds": {"base": 7},
}


EVERY = f"""\
vary.row: 'tagline' is a text of the brand acme: give the axis or column another name.
model: the brand acme does not allow the model seedling ({MODEL.digest[:12]}): allowed are other.
settings.steps: the brand acme locks steps at 8, and this is 4: remove it.
vary.steps[1].steps: the brand acme locks steps at 8, and this is 9: remove it.
vary.row[1].size: the brand acme does not allow the size 96x96: allowed are 64x64.
vary.scheduler[1].scheduler: the brand acme does not allow the scheduler euler: allowed are ddim.
vary.color[0]: the brand bans 'cheap', which stands here: write something else.
prompt: the brand bans 'cheap', which stands here: write something else. It is put together by \
color=che, word=red, end=ap.
""".splitlines()


def pack(**changes):
    return parse_pack({**ACME, **changes})


def asked(**changes):
    base = {
        "name": "spring",
        "model": "seedling",
        "prompt": "a {color} mug, {style}",
        "vary": {"color": ["red", "blue"]},
        "seeds": {"count": 2},
    }
    return {**base, **changes}


def branded(pack, **changes):
    """The expansion of a campaign under a pack, as the farm stores it, and what it violates."""
    written = parse_campaign(asked(**changes), pack=pack)
    brand = brand_of(pack)
    merged = with_brand(written, pack).model_copy(update={"brand": brand.label})
    spec = make_spec(merged, MODEL, Sources(), brand=brand)
    return expansion_of(spec), violations(Expansion(merged, MODEL, brand=brand), pack, written)


def brand_of(pack):
    return Brand(name=pack.name, version=1, digest=pack.digest, pack=pack.document)


def said(problems):
    return [f"{problem.place}: {problem.message}" for problem in problems]


def digests(expansion):
    return [
        (render.shot.key, render.seed, expansion.recipe(group_no, render).digest)
        for group_no, render in expansion.all_renders()
    ]


def test_a_branded_campaign_paints_what_one_that_writes_it_out_does():
    under, wrong = branded(pack())
    assert not wrong
    alone = Expansion(
        parse_campaign(
            asked(
                prompt="a {color} mug, soft daylight",
                negative="grain",
                settings={"guidance": 5.0, "steps": 8},
                seeds={"count": 2, "base": 7},
            )
        ),
        MODEL,
    )
    assert digests(under) == digests(alone)
    assert next(under.all_renders())[1].shot.prompt == "a red mug, soft daylight"


def test_what_a_campaign_says_itself_counts_before_the_defaults_of_its_brand():
    own = {"settings": {"steps": 20}, "seeds": {"count": 2, "base": 0}}
    under, _ = branded(pack(), **own)
    assert under.campaign.settings.steps == 20
    assert under.campaign.settings.guidance == 5.0
    assert under.campaign.seeds.base == 0
    assert branded(pack(), seeds=[1, 2])[0].campaign.seeds == (1, 2)


@pytest.mark.parametrize(
    ("changes", "negatives"),
    [
        ({}, {"grain"}),
        ({"negative": "blur"}, {"blur, grain"}),
        ({"negative": "no {color}"}, {"no red, grain", "no blue, grain"}),
        (
            {"vary": {"color": ["red"], "negative": ["none", "blur", "dark"]}},
            {"grain", "blur, grain", "dark, grain"},
        ),
    ],
)
def test_the_negative_of_a_brand_is_always_added(changes, negatives):
    expansion, wrong = branded(pack(), **changes)
    assert not wrong
    assert {render.shot.negative for _, render in expansion.all_renders()} == negatives


def test_every_violation_is_named_at_its_place():
    strict = pack(models=["other"], sizes=["64x64"], schedulers=["ddim"], locked=["steps"])
    _, wrong = branded(
        strict,
        prompt="the best {word} {color}{end} mug {tagline}",
        vary={
            "color": ["Cheap", "blue", "che"],
            "word": ["red", "mug"],
            "end": ["", "ap"],
            "steps": [8, 9],
            "scheduler": ["ddim", "euler"],
            "row": [{"tagline": "a", "size": "64x64"}, {"tagline": "b", "size": "96x96"}],
        },
        settings={"steps": 4},
    )
    assert said(wrong) == EVERY


def test_a_model_and_its_own_size_may_be_forbidden_too():
    _, wrong = branded(pack(sizes=["8x8"], schedulers=["euler"]))
    assert [problem.path for problem in wrong] == [("settings", "size"), ("settings", "scheduler")]


def test_a_model_is_allowed_by_its_digest():
    assert not branded(pack(models=[MODEL.digest[:16]]))[1]
    assert branded(pack(models=[MODEL.digest[:8]]))[1]


def test_a_field_that_nothing_sets_is_told_once_the_pack_is_known():
    with pytest.raises(DocumentError, match="no axis in `vary` sets it"):
        parse_campaign(asked(prompt="a {color} mug, {stile}"), pack=pack())
    parse_campaign(asked(prompt="a {color} mug, {stile}", brand="acme@1"))
    parse_campaign(asked(brand=ACME))


def test_a_spec_names_its_brand_and_reads_it_again():
    expansion, _ = branded(pack(rules={"border": "none"}, on_violation="hold"))
    assert expansion.brand.label == "acme@1"
    assert expansion.brand.rules == Rules(no_border=True, holds=True)
    specs = [
        make_spec(expansion.campaign.model_copy(update={"brand": label}), MODEL, Sources())
        for label in ("acme@1", "acme@2", None)
    ]
    assert len({fingerprint(spec) for spec in specs}) == 3


def test_a_pack_without_rules_judges_nothing():
    assert rules_of(pack()) is None
    assert rules_of(pack(on_violation="hold")) is None


def test_the_layout_of_a_file_does_not_change_its_digest(tmp_path):
    for name, text in (
        ("a.yaml", "name: acme\nbanned: [cheap]\nsettings: {guidance: 5}\n"),
        (
            "b.yaml",
            "settings:\n  guidance: 5.0\nname: acme  # ours\nrules: {}\nbanned:\n- cheap\n",
        ),
    ):
        (tmp_path / name).write_text(text)
    assert load_pack(tmp_path / "a.yaml").digest == load_pack(tmp_path / "b.yaml").digest
    assert load_pack(tmp_path / "a.yaml").digest != pack().digest


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Acme!"}, "name"),
        ({"texts": {"guidance": "x"}}, "has a meaning of its own"),
        ({"texts": {"style": "a (red:1.3) mug"}}, "is an emphasis"),
        ({"texts": {"style": "cheap paper"}}, "the pack bans it"),
        ({"banned": ["!!"]}, "no letter and no digit"),
        ({"banned": [True]}, "put it in quotes"),
        ({"locked": ["scheduler"]}, "the pack does not set it"),
        ({"locked": ["guidence"]}, "did you mean 'guidance'"),
        ({"sizes": ["64x64"], "settings": {"size": "128x128"}, "locked": []}, "`sizes`"),
        ({"palette": {"colors": ["red"]}}, "is not a colour"),
        ({"palette": {"colors": []}}, "at least 1 entry"),
        ({"rules": {"copy_space": {"side": "left", "height": 0.2}}}, "has a width"),
        ({"rules": {"copy_space": {"side": "top"}}}, "has a height"),
        ({"rules": {"boarder": "none"}}, "did you mean 'border'"),
        ({"rules": {"clipped": {"at_most": 2}}}, "too large"),
        ({"on_violation": "burn"}, "known are flag, hold"),
        ({"bans": ["x"]}, "unknown key 'bans'"),
    ],
)
def test_what_is_wrong_with_a_pack_is_said(changes, told):
    with pytest.raises(DocumentError, match=told):
        pack(**changes)


def test_the_file_of_a_campaign_brings_the_pack_beside_it(tmp_path):
    (tmp_path / "acme.yaml").write_text("name: acme\ntexts: {style: matte}\n")
    file = tmp_path / "c.yaml"
    file.write_text('name: c\nmodel: seedling\nprompt: "a mug, {style}"\nbrand: acme.yaml\n')
    assert load_campaign(file).campaign.brand == {"name": "acme", "texts": {"style": "matte"}}
    (tmp_path / "acme.yaml").write_text("name: acme\nbaned: [x]\n")
    with pytest.raises(DocumentError, match=r"acme.yaml:2: baned: unknown key"):
        load_campaign(file)
    file.write_text('name: c\nmodel: seedling\nprompt: "a mug"\nbrand: acme\n')
    with pytest.raises(DocumentError, match=r"c.yaml:4: brand: there is no file"):
        load_campaign(file)


def test_the_example_judges_by_six_rules():
    rules = rules_of(load_pack(ROOT / "examples/brands/acme.yaml"))
    assert None not in (rules.copy_space, rules.safe_area, rules.palette, rules.sharpness_at_least)
    assert (rules.no_border, rules.clipped_at_most, rules.holds) == (True, 0.02, False)


def test_the_examples_paint_at_a_small_size_what_they_say():
    plain = Expansion(load_campaign(ROOT / "examples/guidance-sweep.yaml").campaign, MODEL)
    assert (plain.total, plain.groups) == (8, 4)
    loaded = load_campaign(ROOT / "examples/catalogue.yaml").campaign
    acme = load_pack(ROOT / "examples/brands/acme.yaml")
    merged = with_brand(loaded, acme)
    expansion = Expansion(merged, MODEL, brand=brand_of(acme))
    assert not violations(expansion, acme, loaded)
    assert expansion.total == 9
    _, first = expansion.render(0)
    assert first.shot.prompt == "a red mug in a studio, studio quality photo"
    assert first.shot.negative == acme.negative
