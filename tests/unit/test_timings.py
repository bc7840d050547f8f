"""Times of operations are counted in classes, in any thread, and failures apart."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from storage.errors import NotFound, OutputsAway
from storage.figures import Devices, Figures, dump_figures, read_figures
from storage.outputs import FolderOutputs
from storage.timed_database import kind_of
from storage.timed_outputs import TimedOutputs
from storage.timings import BOUNDS_S, Timed, Timings, read_timed


@pytest.fixture
def timings():
    """Operations that take 0.2 s each."""
    times = iter(range(1000))
    return Timings(clock=lambda: next(times) * 0.2)


def test_a_time_is_counted_under_the_first_bound_that_it_does_not_exceed():
    timings = Timings()
    for seconds in (BOUNDS_S[0], 0.2, BOUNDS_S[-1] + 1):
        timings.note("write", seconds)
    counts = timings.all()["write"].counts
    assert (counts[0], counts[BOUNDS_S.index(0.5)], counts[-1], sum(counts)) == (1, 1, 1, 3)


def test_what_raises_has_failed_unless_that_is_an_answer(timings):
    for error in (OutputsAway("away"), NotFound("none")):
        with pytest.raises(type(error)), timings.timing("read", (NotFound,)):
            raise error
    with timings.timing("read"):
        pass
    timed = timings.all()["read"]
    assert (sum(timed.counts), timed.errors, timed.seconds) == (3, 1, pytest.approx(0.6))


def test_threads_lose_nothing():
    timings = Timings()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: timings.note("write", 1.0), range(400)))
    assert timings.all()["write"].seconds == 400


def test_what_is_taken_is_not_taken_again():
    timings = Timings()
    timings.note("write", 1.0)
    assert timings.take()["write"].seconds == 1
    assert timings.take() == timings.all() == {}


def test_timed_operations_come_back_from_json():
    timings = Timings()
    timings.note("write", 3.0, failed=True)
    timed = timings.all()["write"]
    assert read_timed(json.loads(json.dumps(asdict(timed)))) == timed


@pytest.mark.parametrize(
    "values", [{}, {"counts": [1, 2], "seconds": 1.0, "errors": 0}, {"counts": 4}]
)
def test_what_another_version_timed_otherwise_is_left_out(values):
    assert read_timed(values) is None


def test_figures_come_back_from_their_row():
    figures = Figures(
        steps={"look": Timed(seconds=2.0)},
        connections=3,
        wanted={"spot": 2},
        decisions={"spot": {"start": 4}},
        failed_starts=1,
        devices={
            "spot": Devices(count=2, utilisation=0.5, used_bytes=3, total_bytes=4, watts=300.0)
        },
    )
    assert read_figures(dump_figures(figures)) == figures
    assert read_figures(None) == Figures()


def test_figures_of_another_version_are_read_as_far_as_they_are_known():
    text = '{"later": 1, "wanted": {"a": 1}, "devices": {"a": {"count": 1}}, "steps": {"x": {}}}'
    assert read_figures(text) == Figures(wanted={"a": 1})


def test_outputs_note_what_was_done_and_what_the_disk_refused(tmp_path):
    timings = Timings()
    outputs = TimedOutputs(FolderOutputs(tmp_path / "out"), timings)
    outputs.put("a/b.png", b"x")
    outputs.copy("a/b.png", "a/c.png")
    with outputs.open("a/b.png") as file:
        assert outputs.read("a/c.png", 10) == file.read() == b"x"
    assert (outputs.part("a/b.png", 0, 9), outputs.size("a/b.png")) == (b"x", 1)
    assert list(outputs.pieces("a/b.png", 0, 9)) == [b"x"]
    assert not outputs.has("a/d.png")
    with pytest.raises(NotFound):
        outputs.open("a/d.png")
    outputs.delete("a/c.png")
    assert list(outputs.keys("a")) == ["a/b.png"]
    counts = {name: (sum(timed.counts), timed.errors) for name, timed in timings.all().items()}
    assert counts == {
        "write": (1, 0), "copy": (1, 0), "read": (4, 0), "look": (2, 0), "delete": (1, 0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT 1", "select"),
        ("\n  UPDATE x SET y = 1", "update"),
        ("BEGIN IMMEDIATE", "begin"),
        ("PRAGMA foreign_keys", "other"),
        ("WITH a AS (SELECT 1) SELECT 1", "other"),
        ("", "other"),
    ],
)
def test_a_statement_is_of_the_kind_of_its_first_word(statement, kind):
    assert kind_of(statement) == kind
