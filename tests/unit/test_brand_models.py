"""Brands, alternatives, proofs and previews beside slow and obvious ways of saying the same, over
campaigns of many shapes.
"""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from actors.recipes import rules as values
from actors.recipes.drift import DriftAction
from actors.recipes.previews import Decode, Previews, preview_steps, step_at
from farm.campaign.alternatives import with_alternatives
from farm.campaign.banned import Banned, empty_phrases, folded
from farm.campaign.brand import (
    Brand,
    Pack,
    load_pack,
    parse_pack,
    rules_of,
    version_named,
    with_brand,
)
from farm.campaign.brand_checks import MAX_COMBINED, banned_in, violations
from farm.campaign.checks import parse_campaign
from farm.campaign.expansion import Expansion
from farm.campaign.stages import proof_campaign, proof_problems, proof_warnings
from farm.documents.document import Document, DocumentError
from farm.results.rule_counts import rule_counts
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from tests.campaigns import MODEL, campaign, data, expansion

WORDS = ["cheap", "red", "best", "ever", "mug", "a", "Cheap", "best ever"]
PLAIN = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
FEW = effort(max_examples=60)


# --- banned words ---


@given(PLAIN, st.lists(st.sampled_from(["cheap", "best ever", "red mug"]), unique=True))
def test_of_plain_words_a_phrase_is_banned_if_its_words_follow_each_other(text, phrases):
    words = text.lower().split()

    def has(phrase):
        parts = phrase.split()
        return any(words[k : k + len(parts)] == parts for k in range(len(words)))

    assert Banned(tuple(phrases)).find(text) == [phrase for phrase in phrases if has(phrase)]


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once_and_leaves_words_apart_by_one_space(text):
    once = folded(text)
    assert folded(once) == once
    assert once == once.strip()
    assert "  " not in once


@given(st.text(max_size=30), st.sampled_from(["\u200b", "\u00ad", "\ufe0f", "\u2060"]))
def test_what_cannot_be_seen_hides_no_word(text, unseen):
    banned = Banned(("cheap",))
    hidden = f"{text} {unseen.join('cheap')}"
    assert banned.find(hidden) == banned.find(f"{text} cheap") == ["cheap"]


def test_phrases_without_letters_are_named_by_their_places():
    assert empty_phrases(["a", "!!", "\u200b", "7", "\u0301", "-"]) == [1, 2, 4, 5]
    assert Banned(("!!", "cheap")).find("a cheap mug!!") == ["cheap"]


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True))
@FEW
def test_a_campaign_is_refused_if_any_of_its_prompts_has_a_banned_phrase(colours):
    pack = parse_pack({"name": "acme", "banned": ["cheap", "best ever", "red mug"]})
    written = parse_campaign(
        data(
            prompt="a {color} {thing}",
            vary={"color": colours, "thing": ["mug", "ever"]},
            seeds={"count": 1},
        ),
        pack=pack,
    )
    plan = Expansion(with_brand(written, pack), MODEL)
    prompts = [render.shot.prompt for _, render in plan.all_renders()]
    found = any(pack.banned_words.find(prompt) for prompt in prompts)
    assert bool(violations(plan, pack, written)) == found


def test_more_combinations_than_can_be_looked_at_are_refused_with_advice():
    pack = parse_pack({"name": "acme", "banned": ["abcdefghijklmnopqrstuvwxyz 0123456789"]})
    parts = sorted({"abcdefghijklmnopqrstuvwxyz"[k : k + n] for k in range(26) for n in (1, 2, 3)})
    written = parse_campaign(
        data(prompt="{a}{b}{c}", vary={"a": parts, "b": parts, "c": parts}, seeds={"count": 1}),
        pack=pack,
    )
    (problem,) = violations(Expansion(written, MODEL), pack, written)
    assert f"more than {MAX_COMBINED:,} prompts" in problem.message


def test_the_prompt_of_a_redo_is_held_against_the_brand():
    pack = parse_pack({"name": "acme", "banned": ["cheap"]})
    brand = Brand(name="acme", version=2, digest=pack.digest, pack=pack.document)
    plan = Expansion(campaign(), MODEL, brand=brand)
    assert "the brand bans 'cheap'" in (banned_in(plan, "a CHEAP mug") or "")
    assert banned_in(plan, "a dear mug") is None
    assert banned_in(expansion(), "a cheap mug") is None


# --- packs ---


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("acme@3", ("acme", 3)),
        ("a-1@12", ("a-1", 12)),
        ("acme", None),
        ("acme@", None),
        ("acme@0", None),
        ("acme@-1", None),
        ("acme@1.0", None),
        ("Acme@1", None),
        ("@1", None),
        ("acme.yaml", None),
        ("acme@1\n", None),
    ],
)
def test_a_version_is_named_by_its_brand_and_a_number(text, named):
    assert version_named(text) == named


def test_a_brand_says_who_it_is_and_not_what_it_says():
    pack = parse_pack({"name": "acme", "negative": "grain", "rules": {"border": "none"}})
    brand = Brand(name="acme", version=3, digest=pack.digest, pack=pack.document)
    assert brand.label == "acme@3"
    assert brand.identity == {"name": "acme", "version": 3, "digest": pack.digest}
    assert (brand.negative, brand.rules) == ("grain", values.Rules(no_border=True))
    assert "grain" not in repr(brand)


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        ({}, None),
        ({"on_violation": "hold"}, None),
        ({"rules": {"border": "none"}}, values.Rules(no_border=True)),
        ({"rules": {"clipped": {"at_most": 0}}}, values.Rules(clipped_at_most=0)),
        (
            {"rules": {"sharpness": {"at_least": 0.5}}, "on_violation": "hold"},
            values.Rules(sharpness_at_least=0.5, holds=True),
        ),
        (
            {"rules": {"copy_space": {"side": "left", "width": 0.25}}},
            values.Rules(copy_space=values.CopySpace(side="left", share=0.25, busy=0.02)),
        ),
        (
            {"rules": {"safe_area": {"margin": 0.1}}},
            values.Rules(safe_area=values.SafeArea(margin=0.1, outside=0.08)),
        ),
        (
            {"palette": {"colors": ["#D62828", "#000000"]}},
            values.Rules(
                palette=values.Palette(colors=((214, 40, 40), (0, 0, 0)), within=12, share=0.05)
            ),
        ),
    ],
)
def test_the_rules_of_a_pack_are_what_it_says_and_its_defaults(written, rules):
    assert rules_of(parse_pack({"name": "acme", **written})) == rules


@pytest.mark.parametrize(
    ("pack", "told"),
    [
        ({}, "the key 'name' is missing"),
        ({"name": "acme", "banned": ["x" * 201]}, "banned[0]"),
        ({"name": "acme", "rules": {"safe_area": {"margin": 0.5}}}, "rules.safe_area.margin"),
        ({"name": "acme", "palette": {"colors": ["#fff"]}}, "is not a colour"),
        ({"name": "acme", "texts": {"style": ""}}, "texts.style"),
        ({"name": "acme", "texts": {"style": "a \x07 mug"}}, "the text has"),
        ({"name": "acme", "settings": {"steps": 0}}, "settings.steps"),
        ({"name": "acme", "seeds": {}}, "seeds"),
        ({"name": "acme", "models": []}, "models"),
    ],
)
def test_a_pack_that_has_no_file_is_told_by_its_places_alone(pack, told):
    with pytest.raises(DocumentError) as error:
        parse_pack(pack)
    assert told in str(error.value)
    assert not str(error.value).startswith(":")


def test_every_problem_of_a_pack_is_told_at_once(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(
        "name: acme\nbanned: [cheap, '--']\ntexts:\n  style: cheap paper\n  steps: nine\n"
        "locked: [steps]\nsizes: [64x64]\nsettings:\n  size: 128x128\n"
    )
    with pytest.raises(DocumentError) as error:
        load_pack(file)
    places = [problem.place for problem in error.value.problems]
    assert sorted(places) == [
        "banned[1]", "locked[0]", "settings.size", "texts.steps", "texts.style",
    ]  # fmt: skip
    assert f"{file}:9: settings.size: " in str(error.value)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "steps": st.integers(1, 20),
            "guidance": st.sampled_from([1.0, 5.0]),
            "size": st.just("64x64"),
        },
    ),
    st.fixed_dictionaries(
        {}, optional={"steps": st.integers(1, 20), "guidance": st.sampled_from([2.0, 7.5])}
    ),
)
@FEW
def test_a_campaigns_own_settings_count_before_those_of_its_pack(of_pack, own):
    pack = parse_pack({"name": "acme", "settings": of_pack})
    written = parse_campaign(data(settings=own), pack=pack)
    merged = with_brand(written, pack)
    plain = parse_campaign(data(settings={**of_pack, **own}))
    assert merged.settings == plain.settings
    assert with_brand(merged, Pack(name="none")).settings == merged.settings


@given(st.text("ab{}| ", min_size=1, max_size=12).filter(str.strip))
@FEW
def test_braces_in_the_texts_of_a_pack_are_text(style):
    pack = Pack(name="acme", texts={"style": style})
    colours = {"color": ["red", "blue"]}
    asked = data(prompt="a {color} mug, {style}", syntax="literal", vary=colours)
    written = parse_campaign(asked, pack=pack)
    plan = Expansion(with_brand(written, pack), MODEL)
    prompts = {render.shot.prompt for _, render in plan.all_renders()}
    assert prompts == {f"a {color} mug, {style.strip()}" for color in ("red", "blue")}


# --- alternatives ---

OPTIONS = st.lists(
    st.text("abc xyz", min_size=1, max_size=6).map(str.strip).filter(bool),
    min_size=2,
    max_size=4,
    unique=True,
)


@given(OPTIONS, OPTIONS)
@FEW
def test_alternatives_become_the_axes_that_they_are(colours, things):
    said = f"a {{color: {' | '.join(colours)}}} {{thing: {'|'.join(things)}}}"
    changed = with_alternatives({"prompt": said, "vary": {"place": ["desk"]}})
    assert changed["prompt"] == "a {color} {thing}"
    assert changed["vary"] == {"place": ["desk"], "color": colours, "thing": things}
    assert list(changed["vary"]) == ["place", "color", "thing"]
    assert with_alternatives(changed) == changed


@pytest.mark.parametrize(
    "prompt",
    ["a mug", "a {color} mug", "a | b", "{{a|b}}", "{0: a|b}", "{a!r: b|c}", "{open", "a } b | c"],
)
def test_what_has_no_alternatives_stays_as_it_is(prompt):
    given_data = {"prompt": prompt, "vary": {"color": ["red"]}}
    assert with_alternatives(given_data)["vary"] == {"color": ["red"]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompt": "a {color: red|}"}, "one of them is empty: write `none` for nothing."),
        ({"prompt": "{c: a|b} {c: b|a}"}, "they were others before: write {c}"),
        ({"prompt": "{c: a|b}", "negative": "{c: a|d}"}, "they were others before"),
        ({"prompt": "{c: a|b}", "vary": {"c": ["a"]}}, "an axis of that name stands in `vary`"),
    ],
)
def test_alternatives_that_cannot_be_an_axis_are_told(changes, told):
    with pytest.raises(DocumentError, match=re.escape(told)):
        with_alternatives(changes)


def test_the_values_of_alternatives_stand_on_the_line_of_their_template():
    document = Document("c.yaml", {}, {("prompt",): 3, ("negative",): 7})
    with_alternatives({"prompt": "{a: x|y}", "negative": "{b: u|v}"}, document)
    assert document.line_of(("vary", "a", 1)) == 3
    assert document.line_of(("vary", "b", 0)) == 7


# --- proofs ---


def test_a_proof_is_its_campaign_with_the_settings_that_it_changes():
    whole = campaign(
        settings={"steps": 20, "guidance": 5.0},
        proof={"steps": 4, "size": "64x64"},
        drift={"limit": 0.3, "action": "stop"},
    )
    proofs = proof_campaign(whole)
    assert (proofs.settings.steps, proofs.settings.size) == (4, (64, 64))
    assert (proofs.settings.guidance, proofs.proof) == (5.0, None)
    assert (proofs.drift.action, proofs.drift.limit) == (DriftAction.FLAG, 0.3)
    assert whole.drift.action is DriftAction.STOP
    same = proof_campaign(campaign(proof={}))
    assert same == campaign()


@given(st.integers(1, 4), st.integers(1, 20))
@FEW
def test_a_proof_has_the_seed_and_the_prompt_of_its_final(count, steps):
    whole = campaign(seeds={"count": count}, proof={"steps": steps})
    finals, proofs = Expansion(whole, MODEL), Expansion(proof_campaign(whole), MODEL)
    for number in range(finals.total):
        one, other = finals.render(number)[1], proofs.render(number)[1]
        assert (one.seed, one.shot.prompt) == (other.seed, other.shot.prompt)
        assert one.shot.coordinates == other.shot.coordinates
    assert proofs.group(0).steps_made == steps


@pytest.mark.parametrize(
    ("proof", "places"),
    [
        ({"auto_approve": {"drift": 0.2}}, ["drift"]),
        ({"auto_approve": {"rules": "all"}}, ["rules"]),
        ({"auto_approve": {"rules": "all", "drift": 0.2}}, ["drift", "rules"]),
    ],
)
def test_what_does_not_fit_a_proof_is_told_at_its_place(proof, places):
    with pytest.raises(DocumentError) as error:
        campaign(proof=proof)
    told = [problem.place for problem in error.value.problems]
    assert told == [f"proof.auto_approve.{place}" for place in places]


def test_what_fits_a_proof_has_no_problem():
    fine = {"proof": {"steps": 4, "auto_approve": {"drift": 0.2}}, "drift": {"limit": 0.3}}
    assert list(proof_problems(campaign(**fine))) == []
    assert list(proof_problems(campaign())) == []


@pytest.mark.parametrize(("size", "warned"), [(None, False), ("128x128", False), ("64x64", True)])
def test_proofs_of_another_size_are_warned_of(size, warned):
    whole = campaign(proof={"size": size} if size else {"steps": 4})
    told = list(proof_warnings(whole, (128, 128)))
    assert bool(told) == warned
    if warned:
        assert "proofs are 64x64 and finals 128x128" in told[0].message
    assert list(proof_warnings(campaign(), (128, 128))) == []


# --- previews ---

fractions = st.lists(st.integers(1, 999).map(lambda k: k / 1000), max_size=4, unique=True)


@given(st.none() | st.integers(1, 12), fractions, st.integers(1, 60))
def test_the_steps_that_are_kept_are_found_one_by_one(every, at, made):
    kept = Previews(every=every, at=tuple(sorted(at))).steps(made)
    near = {
        min(range(1, made), key=lambda step, f=f: (abs(step - f * made), step % 2))
        for f in at
        if made > 1
    }
    expected = {step for step in range(1, made) if every and step % every == 0} | near
    assert kept == tuple(sorted(expected))
    assert preview_steps(Previews(every=every, at=tuple(at)), made) == kept
    assert preview_steps(None, made) == ()


@given(st.floats(0.001, 0.999), st.integers(2, 100))
def test_a_step_is_never_before_the_first_nor_the_last(fraction, made):
    assert 1 <= step_at(fraction, made) < made


@given(st.none() | st.integers(1, 9), fractions, st.sampled_from(Decode))
def test_equal_names_keep_equal_files(every, at, decode):
    previews = Previews(every=every, at=tuple(sorted(at)), decode=decode)
    other = replace(previews, decode=next(one for one in Decode if one is not decode))
    assert previews.name != other.name
    assert replace(previews, every=(every or 0) + 1).name != previews.name
    assert "/" not in previews.name


# --- rules in counts ---


@given(
    st.lists(
        st.none() | st.sets(st.sampled_from(["border@1", "clipped@1"])), min_size=18, max_size=18
    )
)
@FEW
def test_failed_rules_are_counted_one_by_one(failed):
    plan = expansion()
    outcomes = [
        RenderOutcome(
            number=number,
            digest="d",
            state=RenderState.DONE,
            reason=Reason.PAINTED,
            rules_tested=None if rules is None else 2,
            rules_failed=tuple(sorted(rules or ())),
        )
        for number, rules in enumerate(failed)
    ]
    told = rule_counts(plan, outcomes)
    judged = [rules for rules in failed if rules is not None]
    assert (told["judged"], told["passed"]) == (len(judged), judged.count(set()))
    for rule, counts in told["rules"].items():
        numbers = [n for n, rules in enumerate(failed) if rules and rule in rules]
        assert counts["failed"] == len(numbers)
        for axis in ("product", "color"):
            labels = [plan.render(n)[1].shot.coordinates[axis] for n in numbers]
            assert counts["axes"][axis] == {label: labels.count(label) for label in labels}
