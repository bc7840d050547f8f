import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.pictures.files import pixels_digest, write
from actors.recipes.encoding import Encoding
from farm.results.verify import file_problem, repaint_problem, sampled

GREY = np.full((8, 8, 3), 100, np.uint8)
FILE = write(GREY, {"a": 1}, "", Encoding())


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_a_sample_is_spread_evenly_and_never_names_a_place_twice(total, count):
    places = list(sampled(total, count))
    assert len(places) == min(total, count)
    assert places == sorted(set(places))
    assert all(0 <= place < total for place in places)
    gaps = {after - before for before, after in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert places == list(sampled(total, count))


@pytest.mark.parametrize(
    ("data", "with_bytes", "without"),
    [
        (FILE, None, None),
        (
            write(GREY, {"a": 2}, "", Encoding()),
            "its pixels are the same, its bytes are not",
            None,
        ),
        (
            write(GREY + np.uint8(1), {"a": 1}, "", Encoding()),
            "changed since it was painted",
            "changed since it was painted",
        ),
        (FILE[:-50], "not a picture any more", "not a picture any more"),
        (b"", "not a picture any more", "not a picture any more"),
    ],
)
def test_a_file_is_held_against_what_was_recorded_of_it(data, with_bytes, without):
    line = {"pixels": pixels_digest(GREY)}
    for problem, words in (
        (file_problem({**line, "sha256": hashlib.sha256(FILE).hexdigest()}, data), with_bytes),
        (file_problem({**line, "sha256": None}, data), without),
        (file_problem(line, data), without),
    ):
        assert problem is None if words is None else words in problem


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({}, None),
        ({"pixels": "b"}, "in the same numerics class"),
        ({"pixels": "b", "numerics_class": "gpu"}, "another numerics class: cpu there, gpu here"),
        ({"digest": "e"}, "another one now"),
        ({"pixels": None, "detail": "boom"}, "could not be painted again: boom"),
        (None, "nothing came of it"),
    ],
)
def test_a_repaint_is_held_against_the_render(now, words):
    was = {"digest": "d", "pixels": "a", "numerics_class": "cpu", "detail": None}
    problem = repaint_problem(was, None if now is None else {**was, **now})
    assert problem is None if words is None else words in problem
