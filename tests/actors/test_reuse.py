"""The painter with renders that are done elsewhere, and with canaries that are known."""

from dataclasses import replace

import pytest

from actors.painting.painter import Painter
from actors.recipes.errors import WeightsChanged
from actors.recipes.jobs import Canary, FailureKind, Look
from actors.recipes.previews import Previews
from actors.recipes.rules import Rules
from storage.keys import preview_key
from storage.states import Reason, RenderState
from tests.actors.test_painter import FakeEngine, job


@pytest.fixture
def painted(outputs):
    """Another campaign of the same recipes, done."""
    other = job(4, previews=Previews(every=2))
    elsewhere = replace(
        other,
        pictures=tuple(replace(p, key=f"p/other/final/s/{p.number}.png") for p in other.pictures),
    )
    return Painter("w", FakeEngine(), outputs).paint(elsewhere).outcomes


def with_reuse(reuse, **changes):
    plain = job(len(reuse), **changes)
    return replace(
        plain,
        pictures=tuple(
            replace(p, reuse=known) for p, known in zip(plain.pictures, reuse, strict=True)
        ),
    )


def read(outputs, key):
    with outputs.open(key) as file:
        return file.read()


def test_a_known_picture_is_copied_with_its_previews_and_not_painted(outputs, painted):
    engine = FakeEngine()
    result = Painter("x", engine, outputs).paint(with_reuse(painted, previews=Previews(every=2)))
    assert (engine.shapes, result.failure) == ([], None)
    assert (result.facts.copied, result.facts.adopted, result.facts.pictures) == (4, 0, 0)
    for outcome, known in zip(result.outcomes, painted, strict=True):
        assert outcome.reason is Reason.COPIED
        assert (outcome.pixels, outcome.bytes, outcome.sha256, outcome.digest) == (
            known.pixels,
            known.bytes,
            known.sha256,
            known.digest,
        )
        assert outcome.numerics_class == known.numerics_class
        assert read(outputs, outcome.key) == read(outputs, known.key)
        assert read(outputs, preview_key(outcome.key, 2)) == read(
            outputs, preview_key(known.key, 2)
        )


@pytest.mark.parametrize("holds", [False, True])
def test_a_copied_picture_is_judged_by_the_rules_of_its_new_brand(outputs, painted, holds):
    rules = Rules(clipped_at_most=1.0, sharpness_at_least=0.99, holds=holds)
    engine = FakeEngine()
    result = Painter("x", engine, outputs).paint(
        with_reuse(painted, previews=Previews(every=2), rules=rules)
    )
    assert engine.shapes == []
    expected = (RenderState.HELD, Reason.BRAND) if holds else (RenderState.DONE, Reason.COPIED)
    for outcome, known in zip(result.outcomes, painted, strict=True):
        assert (outcome.state, outcome.reason) == expected
        assert (outcome.rules_tested, outcome.rules_failed) == (2, ("sharpness@1",))
        assert (outcome.pixels, outcome.sha256) == (known.pixels, known.sha256)


def test_a_known_picture_whose_file_is_gone_or_another_by_now_is_painted(outputs, painted):
    outputs.delete(painted[0].key)
    outputs.put(painted[1].key, read(outputs, painted[2].key))
    outputs.put(painted[3].key, b"half a file")
    engine = FakeEngine()
    result = Painter("x", engine, outputs).paint(with_reuse(painted, previews=Previews(every=2)))
    assert engine.shapes == [3]
    assert {o.number: o.reason for o in result.outcomes} == {
        0: "painted",
        1: "painted",
        2: "copied",
        3: "painted",
    }
    assert {o.number: o.pixels for o in result.outcomes} == {o.number: o.pixels for o in painted}


def test_a_known_picture_without_the_previews_that_are_wanted_is_painted(outputs, painted):
    outputs.delete(preview_key(painted[0].key, 2))
    result = Painter("x", FakeEngine(), outputs).paint(
        with_reuse(painted, previews=Previews(every=2))
    )
    assert sorted(o.reason for o in result.outcomes) == ["copied"] * 3 + ["painted"]


def test_a_known_picture_of_another_class_is_painted(outputs, painted):
    engine = FakeEngine()
    Painter("x", engine, outputs).paint(
        with_reuse([replace(known, numerics_class="another") for known in painted])
    )
    assert engine.shapes == [4]


def test_a_known_picture_at_the_very_same_place_is_looked_at_and_not_copied(outputs, monkeypatch):
    done = Painter("w", FakeEngine(), outputs).paint(job(4)).outcomes
    monkeypatch.setattr(outputs, "copy", None)
    result = Painter("x", FakeEngine(), outputs).paint(with_reuse(done))
    assert [o.reason for o in result.outcomes] == ["copied"] * 4


# --- canaries ---


class Proving(FakeEngine):
    """Has painted canaries with this hash."""

    def __init__(self, digest):
        super().__init__()
        self.canary = Canary(subject="s", numerics_class="fake", digest=digest)

    def paint(self, *args, **kwargs):
        return replace(super().paint(*args, **kwargs), canary=self.canary)


def test_a_worker_tells_its_canaries(outputs):
    assert Painter("w", Proving("good"), outputs).paint(job()).canary.digest == "good"
    assert (
        Painter("w", Proving("good"), outputs)
        .paint(job(canaries={"fake": "good", "other": "x"}))
        .failure
        is None
    )


def test_a_worker_whose_canaries_are_not_those_of_its_class_writes_nothing(outputs):
    result = Painter("w", Proving("bad"), outputs).paint(job(canaries={"fake": "good"}))
    assert (result.failure.kind, result.outcomes, result.canary) == (
        FailureKind.NUMERICS,
        (),
        None,
    )
    assert "fake" in result.failure.detail
    assert "farm db forget-canaries" in result.failure.detail
    assert list(outputs.keys("p")) == []


def test_nothing_is_adopted_of_a_worker_that_was_wrong(outputs):
    Painter("w", Proving("bad"), outputs).paint(job(4))
    engine = Proving("good")
    result = Painter("x", engine, outputs).paint(job(4, look=Look.ALL, canaries={"fake": "good"}))
    assert (engine.shapes, result.facts.adopted) == ([4], 0)
    again = Painter("y", engine, outputs).paint(job(4, look=Look.ALL, canaries={"fake": "good"}))
    assert again.facts.adopted == 4


def test_weights_that_changed_are_a_failure_of_their_own(outputs):
    result = Painter("w", FakeEngine(WeightsChanged("in /m")), outputs).paint(job())
    assert (result.failure.kind, result.failure.detail) == (FailureKind.MODEL, "in /m")
