"""Times as commands print them."""

import pytest

from farm.commands.times import age_text, is_time, iso, read_age, with_iso_times
from farm.results.line import Line
from farm.service import operation_views, review_views, step_views, views
from farm.service.views import View
from storage.errors import RequestError

MEANT = {
    "at", "created_at", "started_at", "finished_at", "decided_at", "added_at", "frozen_at",
    "replaced_at", "looked_at", "deadline", "quarantined_until", "over_before", "eta", "eta_low",
    "eta_high", "last_used_at", "expires_at",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(MEANT))
def test_a_time_is_told_by_its_name(name):
    assert is_time(name)


@pytest.mark.parametrize(
    "name",
    ["device_s", "rate", "state", "beta", "seat", "limit", "money", "renders_per_s", "flat"],
)
def test_other_numbers_are_not_taken_for_times(name):
    assert not is_time(name)


def test_every_number_of_a_view_that_is_named_like_a_time_is_one():
    """A new view whose field looks like a time, and is none, would be printed as one."""
    modules = (views, review_views, step_views, operation_views)
    kinds = [kind for module in modules for kind in vars(module).values() if _is_view(kind)]
    found = {
        name
        for kind in {*kinds, Line}
        for name in getattr(kind, "model_fields", None) or kind.__annotations__
        if is_time(name)
    }
    assert found
    assert found <= MEANT, found - MEANT


def _is_view(kind):
    return isinstance(kind, type) and issubclass(kind, View)


def test_times_are_utc_to_the_millisecond():
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(1_795_741_323.25) == "2026-11-27T01:02:03.250Z"


def test_times_are_converted_at_any_depth_and_nothing_else():
    answer = {
        "created_at": 1.0,
        "finished_at": None,
        "is_at": True,
        "rows": [{"eta": 2, "n": 2}, 3],
        "at": [0.0, "as it is"],
        "pack": {"deadline": 5},
        "device_s": 9.0,
    }
    assert with_iso_times(answer) == {
        "created_at": "1970-01-01T00:00:01.000Z",
        "finished_at": None,
        "is_at": True,
        "rows": [{"eta": "1970-01-01T00:00:02.000Z", "n": 2}, 3],
        "at": ["1970-01-01T00:00:00.000Z", "as it is"],
        "pack": {"deadline": 5},
        "device_s": 9.0,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("12h", 43_200), ("2d", 172_800), ("1w", 604_800)],
)
def test_a_length_of_time_has_a_number_and_a_unit(text, seconds):
    assert read_age(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "d", "-1d", "1.5h", "2 d", "1y", "9999999999d", "２d"])
def test_what_is_no_length_of_time_says_how_it_is_written(text):
    with pytest.raises(RequestError, match="like 30d"):
        read_age(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (89, "89 s"), (90, "2 min"), (5_399, "90 min"), (5_400, "2 h"),
     (129_600, "2 d"), (864_000, "10 d")],
)  # fmt: skip
def test_an_age_is_in_the_largest_unit_that_fits(seconds, text):
    assert age_text(seconds) == text
