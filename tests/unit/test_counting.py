"""Counts in sentences."""

import pytest

from farm.documents.counting import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("render",), "0 renders"),
        (1, ("render",), "1 render"),
        (2_000, ("render",), "2,000 renders"),
        (1, ("canary", "canaries"), "1 canary"),
        (3, ("canary", "canaries"), "3 canaries"),
        (1, ("render is", "renders are"), "1 render is"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(number, words, text):
    assert counted(number, *words) == text
