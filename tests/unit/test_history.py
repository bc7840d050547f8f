"""What is remembered of loading and painting, and that speeds are compared only where they can
be.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.scheduling.history import UNKNOWN_LOAD_S, History, learn


def remembered(attempts):
    history = History()
    for model, measured in attempts:
        history = learn(history, model, measured)
    return history


def facts(numerics_class="slow", pace=1.0, shape="4x512x512", **changes):
    return {
        "numerics_class": numerics_class,
        "shape": shape,
        "batch_s": (pace, pace),
        "megapixel_steps": 2.0,
        "loads": 0,
        **changes,
    }


def test_a_model_that_was_never_loaded_is_taken_for_one_of_the_others():
    history = History()
    assert history.load_s("m") == UNKNOWN_LOAD_S
    history = learn(
        learn(history, "a", {"loads": 1, "load_s": 10.0}), "b", {"loads": 2, "load_s": 40.0}
    )
    assert (history.load_s("a"), history.load_s("b"), history.load_s("m")) == (10.0, 20.0, 15.0)


def test_a_chunk_whose_model_was_warm_says_nothing_about_loading():
    assert learn(History(), "m", facts(load_s=0.001)).loads == {}


def test_what_is_newer_counts_more_and_one_odd_chunk_does_not_turn_it_over():
    history = History()
    for seconds in [10.0] * 20 + [100.0]:
        history = learn(history, "m", {"loads": 1, "load_s": seconds})
    assert history.load_s("m") == pytest.approx(37.0)


def test_classes_are_compared_on_the_same_model_and_shape_only():
    history = remembered(
        [("m", facts("fast", 1.0)), ("m", facts("slow", 9.0, shape="4x1024x1024"))]
    )
    assert history.speed("m", "fast") is history.speed("m", "slow") is None, (
        "a large picture says nothing of a worker"
    )
    history = learn(history, "m", facts("slow", 4.0))
    assert (history.speed("m", "fast"), history.speed("m", "slow")) == (1.0, 0.25)


def test_a_class_is_as_fast_at_what_it_never_painted_as_at_what_it_has():
    history = remembered([("m", facts("fast", 1.0)), ("m", facts("slow", 4.0))])
    assert history.speed("other", "slow") == 0.25
    assert history.speed("other", "unseen") is None
    assert history.speed("m", None) is None


def test_attempts_that_painted_nothing_and_those_of_older_versions_are_no_trouble():
    assert (
        remembered(
            [
                ("m", {}),
                ("m", facts(batch_s=(), megapixel_steps=0.0)),
                ("m", {"batch_s": [1.0], "megapixel_steps": 1.0}),
            ]
        )
        == History()
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from("xyz"),
            st.sampled_from("12"),
            st.floats(1e-3, 1e3),
        ),
        max_size=30,
    )
)
def test_the_fastest_is_1_and_nobody_more(attempts):
    history = remembered(
        [(model, facts(name, pace, shape=shape)) for model, name, shape, pace in attempts]
    )
    for model in "ab":
        speeds = [speed for name in "xyz" if (speed := history.speed(model, name)) is not None]
        assert all(0 < speed <= 1 for speed in speeds)
