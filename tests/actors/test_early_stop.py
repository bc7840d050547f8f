"""Pictures that drift: held when they are finished, or stopped at a step, with those that go on
packed anew.
"""

from dataclasses import replace

import numpy as np
import pytest

from actors.models.models import SEEDLING
from actors.painting.engine import Engine, Painted
from actors.painting.painter import Painter
from actors.pictures.drift import drift, layout_of
from actors.pictures.files import pixels_digest
from actors.recipes.drift import DriftAction, DriftRule
from actors.recipes.jobs import ChunkJob, Look, PictureJob
from actors.recipes.previews import Previews
from storage.keys import preview_key
from storage.states import Reason, RenderState
from tests.actors.test_engine import group
from tests.actors.test_painter import GROUP, FakeEngine, job

NEAR, FAR = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
NEAR[2:6, 1:4], FAR[1:3, 5:8] = (200, 40, 40), (40, 200, 220)
AWAY = drift(layout_of(FAR), layout_of(NEAR))


class TwoScenes(FakeEngine):
    """Even seeds paint what is near their anchor, odd ones what is far from it."""

    def paint(self, recipes, folder, previews=None, *, until=None, parked=(), **more):
        painted = super().paint(recipes, folder, previews, **more)
        self.given.append(("until", until, "from", [one.seed for one in parked]))
        return Painted(
            pixels=[] if until else painted.pixels,
            parked=list(recipes) if until else [],
            load_s=0.0,
            paint_s=2.0 if until else 3.0,
        )

    @staticmethod
    def picture(seed):
        return FAR if seed % 2 else NEAR


def drifting(count, action=DriftAction.STOP, **changes):
    rule = DriftRule(limit=AWAY / 2, action=action, stop_step=2)
    if action is not DriftAction.STOP:
        rule = replace(rule, stop_step=None)
    plain = job(count, previews=Previews(every=2), drift=rule, group=GROUP)
    anchor = layout_of(NEAR).text
    pictures = tuple(replace(picture, anchor=anchor) for picture in plain.pictures)
    return replace(plain, **{"pictures": pictures, **changes})


def test_what_a_person_let_through_is_neither_stopped_nor_held(outputs):
    wanted = drifting(4)
    passed = tuple(replace(picture, passed=True) for picture in wanted.pictures)
    result = Painter("w", TwoScenes(), outputs).paint(replace(wanted, pictures=passed))
    assert {outcome.state for outcome in result.outcomes} == {RenderState.DONE}
    assert sorted(outcome.drift for outcome in result.outcomes) == [0.0, 0.0, AWAY, AWAY]


def test_pictures_that_drift_are_stopped_and_the_others_packed_anew(outputs):
    engine = TwoScenes()
    result = Painter("w", engine, outputs).paint(drifting(12))
    batches = [given for given in engine.given if given[0] == "until"]
    assert batches == [
        *(("until", 2, "from", []),) * 3,
        ("until", None, "from", [0, 2, 4, 6]),
        ("until", None, "from", [8, 10]),
    ]
    by_number = {outcome.number: outcome for outcome in result.outcomes}
    assert sorted(by_number) == list(range(12))
    for number, outcome in by_number.items():
        if number % 2:
            assert (outcome.state, outcome.reason) == (
                RenderState.HELD,
                Reason.DRIFT_STOPPED,
            )
            assert (outcome.key, outcome.drift) == (None, AWAY)
            assert f"{AWAY:.2f} away from its anchor" in outcome.detail
        else:
            assert (outcome.state, outcome.drift) == (RenderState.DONE, 0.0)
    kept = set(outputs.keys("p/c/final"))
    looks = {preview_key(picture.key, 2) for picture in drifting(12).pictures}
    assert kept == looks | {outcome.key for outcome in by_number.values() if outcome.key}


def test_the_facts_say_what_was_saved(outputs):
    facts = Painter("w", TwoScenes(), outputs).paint(drifting(12)).facts
    assert facts.batch_s == (2.0, 2.0, 2.0, 3.0, 3.0)
    assert (facts.stopped, facts.pictures, facts.slots) == (6, 6, 12)
    assert facts.saved_s == 3.0  # one batch of three did not go on
    assert (facts.kept_s, facts.stopped_s, facts.padding_s) == (7.5, 3.0, 1.5)
    assert facts.kept_s + facts.stopped_s + facts.padding_s == sum(facts.batch_s)
    steps = 3 * 2 + 2 * (GROUP.steps - 2)
    assert facts.megapixel_steps == pytest.approx(
        steps / GROUP.steps * GROUP.batch * GROUP.megapixel_steps
    )


def test_a_chunk_none_of_which_goes_on_saves_the_rest_of_all_steps(outputs):
    odd = tuple(p for p in drifting(16).pictures if p.seed % 2)
    result = Painter("w", TwoScenes(), outputs).paint(drifting(16, pictures=odd))
    assert {outcome.reason for outcome in result.outcomes} == {Reason.DRIFT_STOPPED}
    assert result.facts.saved_s == pytest.approx(2 * 2.0 / 2 * (GROUP.steps - 2))


def test_without_anchors_batches_are_painted_whole_and_layouts_returned(outputs):
    engine = TwoScenes()
    plain = drifting(4)
    bare = tuple(replace(picture, anchor=None) for picture in plain.pictures)
    rule = replace(plain.drift, uses_sets=True)
    result = Painter("w", engine, outputs).paint(replace(plain, pictures=bare, drift=rule))
    assert ("until", None, "from", []) in engine.given
    assert [outcome.state for outcome in result.outcomes] == [RenderState.DONE] * 4
    assert [outcome.set_layout for outcome in result.outcomes] == [
        (seed, layout_of(FAR if seed % 2 else NEAR).text) for seed in range(4)
    ]


@pytest.mark.parametrize(
    ("action", "state", "reason"),
    [
        (DriftAction.FLAG, RenderState.DONE, Reason.PAINTED),
        (DriftAction.HOLD, RenderState.HELD, Reason.DRIFT),
    ],
)
def test_finished_pictures_are_marked_or_held_with_their_files(outputs, action, state, reason):
    result = Painter("w", TwoScenes(), outputs).paint(drifting(2, action))
    near, far = result.outcomes
    assert (near.state, near.drift) == (RenderState.DONE, 0.0)
    assert (far.state, far.reason, far.drift) == (state, reason, AWAY)
    assert {near.key, far.key} <= set(outputs.keys("p"))
    again = Painter("x", FakeEngine(), outputs).paint(
        replace(drifting(2, action), lease=4, look=Look.ALL)
    )
    assert [(o.state, o.reason, o.drift) for o in again.outcomes] == [
        (o.state, o.reason, o.drift) for o in result.outcomes
    ]


def test_an_approved_proof_is_the_anchor(outputs):
    first = Painter("w", TwoScenes(), outputs).paint(job(2))
    proofs = {outcome.number: outcome.key for outcome in first.outcomes}
    pictures = tuple(
        replace(p, anchor=None, anchor_key=proofs[0], key=f"p/c/final/t/{p.number}.png")
        for p in drifting(2, DriftAction.FLAG).pictures
    )
    wanted = drifting(2, DriftAction.FLAG, pictures=pictures)
    result = Painter("w", TwoScenes(), outputs).paint(wanted)
    assert [outcome.drift for outcome in result.outcomes] == [0.0, AWAY]
    median = layout_of(FAR).text
    without = tuple(replace(p, anchor=median, anchor_key="p/c/proof/t/9.png") for p in pictures)
    result = Painter("w", TwoScenes(), outputs).paint(replace(wanted, pictures=without))
    assert [outcome.drift for outcome in result.outcomes] == [AWAY, 0.0]


def test_survivors_of_a_real_model_are_the_pictures_that_it_always_paints(outputs):
    """Half of a chunk is stopped at 40 % of the steps: a quarter of the device's steps and more is
    saved, and no bit of the others changes.
    """
    engine = Engine(device="cpu", threads=1)
    in_group = group(steps=5, batch=2)
    words = ["mug", "lamp", "chair", "vase"] * 2
    pictures = tuple(
        PictureJob(
            number=n, prompt=f"a red {word}", negative="", seed=n, key=f"p/c/final/s/{n}.png"
        )
        for n, word in enumerate(words)
    )
    whole = ChunkJob(
        chunk_id=1, campaign_id=2, lease=3, model_name="seedling", model_folder=str(SEEDLING),
        group=in_group, pictures=pictures, previews=Previews(at=(0.4,)),
    )  # fmt: skip
    looks = {}
    painted = {
        picture.number: engine.paint([whole.recipe(picture)], str(SEEDLING), whole.previews,
            on_preview=lambda _step, seen, n=picture.number: looks.update({n: seen[0]}))
        for picture in pictures
    }  # fmt: skip
    # Even pictures are their own anchors, odd ones have one that is nowhere near.
    anchored = tuple(
        replace(
            p, anchor=layout_of(255 - looks[p.number] if p.number % 2 else looks[p.number]).text
        )
        for p in pictures
    )
    rule = DriftRule(limit=0.2, action=DriftAction.STOP, stop_step=2)
    result = Painter("w", engine, outputs).paint(replace(whole, pictures=anchored, drift=rule))
    assert result.failure is None
    finished = {o.number: o.pixels for o in result.outcomes if o.key is not None}
    assert finished == {n: pixels_digest(painted[n].pixels[0]) for n in range(0, len(pictures), 2)}
    assert result.facts.stopped == 4
    unsaved = sum(engine_steps * in_group.batch for engine_steps in [2] * 4 + [3] * 2)
    assert unsaved <= 0.75 * 4 * 5 * in_group.batch
    assert result.facts.megapixel_steps == pytest.approx(unsaved / 5 * in_group.megapixel_steps)
