"""Banned words, however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.campaign.banned import Banned, folded

BANNED = Banned(("cheap", "best ever", "Straße", "便宜", "ถูก", "crème brûlée"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cheap mug", ["cheap"]),
        ("a CHEAP mug", ["cheap"]),
        ("cheap-looking", ["cheap"]),
        ("(cheap:1.3)", ["cheap"]),
        ("ｃｈｅａｐ", ["cheap"]),
        ("che\u200bap", ["cheap"]),
        ("che\u00adap", ["cheap"]),
        ("c\u0301heap", ["cheap"]),
        ("chéap", ["cheap"]),
        ("𝒸𝒽𝑒𝒶𝓅", ["cheap"]),
        ("c\ufe0fheap", ["cheap"]),
        ("c\u3164heap", ["cheap"]),
        ("the best-ever mug", ["best ever"]),
        ("the best\u00a0\n ever mug", ["best ever"]),
        ("the best, ever", ["best ever"]),
        ("STRASSE", ["Straße"]),
        ("Creme brulee", ["crème brûlée"]),
        ("非常便宜的杯子", ["便宜"]),
        ("ราคาถูกมาก", ["ถูก"]),
        ("cheap, best ever", ["cheap", "best ever"]),
        ("cheaper", []),
        ("not_cheap_at_all", ["cheap"]),
        ("ch-eap", []),
        ("best of ever", []),
        ("сheap", []),  # a Cyrillic letter: said plainly in the documents
        ("", []),
    ],
)
def test_words_are_found_however_they_are_written(text, found):
    assert BANNED.find(text) == found


def test_accents_of_scripts_that_need_them_stay():
    assert folded("हिन्दी") != folded("हन्द")
    assert Banned(("हन्द",)).find("हिन्दी") == []


WORDS = st.lists(
    st.sampled_from(
        [
            "cheap",
            "che",
            "ap",
            "best",
            "ever",
            "Ever",
            "mug",
            "red",
            " ",
            "-",
            ", ",
            "\u200b",
            "\u0301",
        ]
    ),
    max_size=6,
).map("".join)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["", " ", " and "])), min_size=1, max_size=4))
def test_the_essence_of_values_says_what_the_values_say_wherever_they_stand(parts):
    banned = Banned(("cheap", "best ever"))
    whole = "".join(value + after for value, after in parts)
    short = "".join(banned.essence(value) + after for value, after in parts)
    assert banned.find(short) == banned.find(whole)


def test_the_essences_of_many_values_are_few():
    banned = Banned(("cheap", "best ever"))
    values = [f"a {colour} mug number {k}" for k in range(1000) for colour in ("red", "blue")]
    assert len({banned.essence(value) for value in values}) == 1


def test_nothing_is_banned_by_an_empty_list():
    assert Banned(()).find("cheap") == []
