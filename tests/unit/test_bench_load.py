"""The load of `farm bench api`: when each request is due, and what its times say."""

import subprocess
import sys
import time
from itertools import islice

import pytest

from farm.bench.api import _times
from farm.bench.load import METRICS, Due, Load, percentile, schedule
from storage.errors import WorkError


def test_requests_are_due_at_a_steady_rate_in_turn_with_scrapes_between():
    dues = list(islice(schedule(["/a", "/b"], 4.0, 0.5, 100.0), 7))
    assert dues == [
        Due("/a", 100.0),
        Due("/b", 100.25),
        Due(METRICS, 100.5),
        Due("/a", 100.5),
        Due("/b", 100.75),
        Due(METRICS, 101.0),
        Due("/a", 101.0),
    ]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1), (0.0, 1)]
)
def test_a_percentile_is_a_time_that_was_measured(share, expected):
    assert percentile([float(k) for k in range(100, 0, -1)], share) == expected
    assert percentile([7.0], share) == 7.0


def test_a_time_counts_from_when_its_request_was_due(tmp_path):
    """A server that nobody can reach is wrong, and no request is left out."""
    start = time.perf_counter() - 5.0
    load = Load("http://127.0.0.1:9")
    left = iter([False] * 6 + [True])
    load.run(schedule(["/x"], 100.0, 1e9, start), lambda seconds: next(left))
    assert len(load.times["/x"]) == len(load.wrong) == 6
    assert min(load.times["/x"]) > 4_900
    assert "/x did not answer" in load.wrong[0]


def test_figures_are_made_of_all_requests_and_scrapes_are_told_apart():
    times = {"/a": [1.0, 3.0], "/b": [5.0, 100.0], METRICS: [20.0]}
    told = _times({"times": times, "wrong": []})
    assert told == {
        "p50_ms": 3.0,
        "p99_ms": 100.0,
        "slowest_path_p50_ms": 5.0,
        "scrape_p50_ms": 20.0,
        "scrape_p99_ms": 20.0,
        "requests": 4,
    }


def test_a_request_that_went_wrong_leaves_no_figures():
    with pytest.raises(WorkError, match="2 requests went wrong, the first: /a answered 500"):
        _times({"times": {"/a": [1.0]}, "wrong": ["/a answered 500", "/b answered 500"]})


def test_the_process_ends_with_its_input_and_says_what_it_saw():
    order = '{"url": "http://127.0.0.1:9", "per_s": 50, "paths": ["/a"], "scrape_s": 9}\n'
    ended = subprocess.run(
        [sys.executable, "-m", "farm.bench.load"], input=order, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert '"times"' in ended.stdout
