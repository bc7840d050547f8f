"""Verdicts on finished pictures: which anchor a picture is measured from, and what is held."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from actors.painting.judging import Judging
from actors.painting.references import References
from actors.pictures.drift import drift, layout_of
from actors.pictures.files import write
from actors.recipes.drift import DriftAction, DriftRule
from actors.recipes.encoding import Encoding
from actors.recipes.errors import BadRequest
from actors.recipes.rules import Rules
from storage.rows import RenderOutcome
from storage.states import Reason, RenderState
from tests.actors.test_painter import GROUP as SMALL
from tests.actors.test_painter import job

GROUP = replace(SMALL, width=32, height=32)
SIDE = (GROUP.height, GROUP.width)


def scene(x):
    pixels = np.full((*SIDE, 3), 90, np.uint8)
    height, width = SIDE
    left = int(x * width)
    pixels[height // 4 : height // 2, left : left + max(1, width // 4)] = (220, 60, 40)
    return pixels


HOME, MOVED, FAR = scene(0.1), scene(0.4), scene(0.7)
HOLD = DriftRule(limit=0.1, action=DriftAction.HOLD)
PAINTED = RenderOutcome(
    number=0, digest="d", state=RenderState.DONE, reason=Reason.PAINTED, key="k"
)
WHITE = np.full((*SIDE, 3), 255, np.uint8)
UNCLIPPED = Rules(clipped_at_most=0.5)


def apart(one, other):
    return drift(layout_of(one), layout_of(other))


def file_of(pixels):
    return write(pixels, {}, "", Encoding())


@pytest.fixture
def judging(outputs):
    """Judges one picture; returns how, the picture and its outcome."""
    references = References(outputs)

    def run(pixels, *, picture=None, outcome=PAINTED, **changes):
        wanted = replace(job(1, group=GROUP), **changes)
        one = replace(wanted.pictures[0], **(picture or {}))
        wanted = replace(wanted, pictures=(one,))
        judge = Judging(wanted, references, outputs)
        judge.know(wanted.pictures)
        return judge.judged(one, outcome, pixels)

    return run


def reference(outputs, pixels):
    data = file_of(pixels)
    digest = hashlib.sha256(data).hexdigest()
    outputs.put(f"p/references/{digest}", data)
    return {
        "picture": {"reference": digest},
        "references": {digest: f"p/references/{digest}"},
        "addresses": {digest: "mug.png"},
    }


def test_without_rules_and_limits_nothing_is_measured(judging):
    assert judging(WHITE) == PAINTED


def test_a_picture_is_measured_from_the_median_of_its_set(judging):
    median = {"anchor": layout_of(HOME).text}
    outcome = judging(MOVED, picture=median, drift=HOLD)
    assert outcome.drift == pytest.approx(apart(MOVED, HOME))
    assert (outcome.state, outcome.reason) == (RenderState.HELD, Reason.DRIFT)
    assert f"{outcome.drift:.2f} away from its anchor" in outcome.detail
    assert judging(HOME, picture=median, drift=HOLD).state is RenderState.DONE


def test_a_flag_is_measured_and_never_held(judging):
    flag = replace(HOLD, action=DriftAction.FLAG)
    outcome = judging(FAR, picture={"anchor": layout_of(HOME).text}, drift=flag)
    assert (outcome.state, outcome.reason) == (RenderState.DONE, Reason.PAINTED)
    assert outcome.drift > HOLD.limit


def test_an_approved_proof_counts_before_the_median(judging, outputs):
    outputs.put("p/proof.png", file_of(MOVED))
    given = {"anchor_key": "p/proof.png", "anchor": layout_of(FAR).text}
    outcome = judging(MOVED, picture=given, drift=HOLD)
    assert outcome.drift == pytest.approx(0, abs=1e-6)
    missing = {**given, "anchor_key": "p/nothing.png"}
    outcome = judging(MOVED, picture=missing, drift=HOLD)
    assert outcome.drift == pytest.approx(apart(MOVED, FAR))


def test_a_reference_counts_before_all_else(judging, outputs):
    outputs.put("p/proof.png", file_of(FAR))
    given = reference(outputs, HOME)
    given["picture"] |= {"anchor_key": "p/proof.png", "anchor": layout_of(FAR).text}
    outcome = judging(HOME, drift=HOLD, **given)
    assert outcome.drift == pytest.approx(0, abs=0.02)


def test_a_reference_that_was_changed_is_a_bad_request(judging, outputs):
    given = reference(outputs, HOME)
    (key,) = given["references"].values()
    outputs.delete(key)
    outputs.put(key, file_of(FAR))
    with pytest.raises(BadRequest, match=r"The reference mug.png was changed"):
        judging(HOME, drift=HOLD, **given)


@pytest.mark.parametrize("uses_sets", [True, False])
def test_a_picture_without_an_anchor_is_kept_for_its_set_alone(judging, uses_sets):
    outcome = judging(MOVED, drift=replace(HOLD, uses_sets=uses_sets))
    own = (job(1).pictures[0].seed, layout_of(MOVED).text)
    assert outcome.set_layout == (own if uses_sets else None)
    assert (outcome.drift, outcome.state) == (None, RenderState.DONE)


@pytest.mark.parametrize(
    ("pixels", "holds", "state", "failed"),
    [
        (WHITE, False, RenderState.DONE, ("clipped@1",)),
        (WHITE, True, RenderState.HELD, ("clipped@1",)),
        (HOME, True, RenderState.DONE, ()),
    ],
)
def test_the_rules_of_a_brand_hold_if_the_brand_says_so(judging, pixels, holds, state, failed):
    outcome = judging(pixels, rules=replace(UNCLIPPED, holds=holds))
    assert (outcome.state, outcome.rules_tested, outcome.rules_failed) == (state, 1, failed)
    if state is RenderState.HELD:
        assert outcome.reason is Reason.BRAND
        assert outcome.detail == "It fails clipped@1 of 1 rules of its brand."


def test_of_two_reasons_to_hold_the_brands_is_told_and_drift_is_measured_all_the_same(judging):
    outcome = judging(
        WHITE,
        picture={"anchor": layout_of(HOME).text},
        rules=replace(UNCLIPPED, holds=True),
        drift=HOLD,
    )
    assert (outcome.state, outcome.reason) == (RenderState.HELD, Reason.BRAND)
    assert outcome.drift == pytest.approx(apart(WHITE, HOME))


def test_what_a_person_let_through_is_measured_and_not_held(judging):
    outcome = judging(
        WHITE,
        picture={"anchor": layout_of(HOME).text, "passed": True},
        rules=replace(UNCLIPPED, holds=True),
        drift=HOLD,
    )
    assert (outcome.state, outcome.reason) == (RenderState.DONE, Reason.PAINTED)
    assert outcome.rules_failed == ("clipped@1",)
    assert outcome.drift > HOLD.limit


def test_anchors_are_found_once_and_only_if_there_is_a_limit(outputs):
    wanted = replace(job(2, group=GROUP), drift=HOLD)
    pictures = (replace(wanted.pictures[0], anchor=layout_of(HOME).text), wanted.pictures[1])
    judge = Judging(wanted, References(outputs), outputs)
    assert not judge.has_anchor(pictures)
    judge.know(pictures)
    assert judge.has_anchor(pictures)
    assert not judge.has_anchor(pictures[1:])
    moved = replace(pictures[0], anchor=layout_of(FAR).text)
    judge.know([moved])
    assert judge.drift(moved, HOME) == pytest.approx(0, abs=1e-6)
    assert judge.drift(pictures[1], HOME) is None
    free = Judging(replace(wanted, drift=None), References(outputs), outputs)
    free.know(pictures)
    assert not free.has_anchor(pictures)
