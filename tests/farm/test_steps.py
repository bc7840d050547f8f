"""Filmstrips and calibration of campaigns whose workers rest instead of painting."""

import io

import pytest
from PIL import Image

from farm.results.steps import Strips
from farm.service.steps import StepReading
from storage.errors import RequestError
from storage.layouts import Layouts
from storage.profiles import Profiles
from storage.reviews import Reviews


@pytest.fixture
def steps(engine, campaigns, outputs):
    return StepReading(
        campaigns=campaigns,
        reviews=Reviews(engine),
        layouts=Layouts(engine),
        profiles=Profiles(engine),
        outputs=outputs,
    )


def test_a_filmstrip_shows_the_steps_of_what_was_finished_and_of_what_was_stopped(
    resting, steps, reading
):
    row = resting(drift={"limit": 0.05, "action": "stop"}, previews={"at": [0.2, 0.7]})
    assert row.held
    image = Image.open(io.BytesIO(steps.filmstrip("p", row.name)))
    few = Image.open(io.BytesIO(steps.filmstrip("p", row.name, ["n=3"])))
    assert (few.width, few.height < image.height) == (image.width, True)
    lines = [reading.render("p", row.name, n) for n in range(48)]
    kinds = {(line["reason"], len(line["previews"]), bool(line["key"])) for line in lines}
    assert kinds <= {("painted", 3, True), ("drift", 3, True), ("drift_stopped", 2, False)}
    assert len(kinds) > 1
    assert ("drift_stopped", 2, False) in kinds


def test_what_was_stopped_has_previews_that_the_farm_knows(resting, reading, outputs):
    row = resting(drift={"limit": 0.05, "action": "stop"})
    named = {
        key
        for n in range(48)
        for line in [reading.render("p", row.name, n)]
        for key in [line["key"], *line["previews"]]
        if key
    }
    there = set(outputs.keys("p/spring/final"))
    assert named == there


def test_a_strip_is_measured_from_its_anchor(resting, reading, outputs, engine):
    row = resting(drift={"limit": 0.9, "action": "flag"}, previews={"at": [0.5]})
    medians = Layouts(engine).anchors(row.id, [7])
    strips = Strips(outputs, "p", medians, {})
    for n in (0, 40):
        line = reading.render("p", row.name, n)
        strip = strips.read(line)
        assert [look.step for look in strip.looks] == [5, None]
        assert strip.final.drift == pytest.approx(line["drift"])
    outputs.delete(line["previews"][0])
    assert strips.read(line).looks[0].pixels is None
    assert Strips(outputs, "p", {}, {}).read(line).final.drift is None


def test_a_calibration_is_remembered(resting, steps):
    row = resting(drift={"limit": 0.5, "action": "flag"}, previews={"at": [0.4, 0.8]})
    answer = steps.calibrate("p", row.name, None)
    assert answer["limit"] == 0.5
    assert list(answer["steps"]) == ["0.4", "0.8"]
    found = answer["steps"]["0.4"]
    assert found["pictures"] == 48
    assert found["correlation"] > 0.7  # a resting engine looks at its pictures, in lossy files
    assert found["false_stops"] <= 0.01
    assert steps.profile(row.model_digest)["stops"]["0.4"] == found
    assert steps.savings("p", row.name)["stopped"] == 0


def test_what_cannot_be_calibrated_says_why(resting, steps):
    with pytest.raises(RequestError, match="no limit of drift: give one with --limit"):
        steps.calibrate("p", resting(name="bare", vary={"n": [1, 2, 3]}).name, None)
    with pytest.raises(RequestError, match="nothing to calibrate by"):
        steps.calibrate("p", "bare", 0.3)
    with pytest.raises(RequestError, match="no steps to show"):
        steps.filmstrip("p", "bare")


def test_savings_are_counted(resting, steps):
    row = resting(drift={"limit": 0.05, "action": "stop"})
    steps._profiles.learn(
        row.model_digest, {"stops": {"0.4": {"limit": 0.05, "false_stops": 0.01}}}
    )
    savings = steps.savings("p", row.name)
    assert 0 < savings["stopped"] <= row.held
    assert savings["wrongly_stopped"] == pytest.approx(row.done / 99)


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ((0.3, None), lambda drift: drift > 0.3),
        ((None, 0.3), lambda drift: drift < 0.3),
        ((0.1, 0.6), lambda drift: 0.1 < drift < 0.6),
    ],
)
def test_a_manifest_is_filtered_by_drift(resting, reading, bounds, inside):
    row = resting(drift={"limit": 0.9, "action": "flag"})
    drifts = [reading.render("p", row.name, n)["drift"] for n in range(48)]
    assert len(list(reading.manifest("p", row.name, drift=bounds))) == sum(map(inside, drifts))
    assert len(list(reading.manifest("p", row.name))) == 48
