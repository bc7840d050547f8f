"""Text of any script: every letter has a shape, stands where its readers look for it, and no line
is too wide.
"""

import shutil
import sys
from pathlib import Path

import manimgx_fonts
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from farm.results import fonts
from farm.results.lettering import Lettering, _levels, _shape, plain

SAMPLES = {
    "Latin": "Größe Łódź œuvre ẞ ½ €",
    "marks of their own": "e\u0301 n\u0303 a\u0308",
    "Cyrillic": "красный чайник їжак",
    "Greek": "Ελληνικά πράσινο",
    "Japanese": "赤いマグカップ。「こんにちは」",
    "Chinese": "红色的花 繁體中文",
    "Korean": "빨간 컵",
    "Hebrew": "עברית: כוס (12)",
    "Arabic": "العربية: كوب أحمر ١٢",
    "Persian": "می‌خواهم",
    "Thai": "ไทยแลนด์ แก้วสีแดง น้ำ",
    "Devanagari": "हिन्दी लाल कप क्षत्रिय",
    "of India": "বাংলা தமிழ் ಕನ್ನಡ മലയാളം తెలుగు ગુજરાતી ਪੰਜਾਬੀ",
    "others": "ქართული հայերեն አማርኛ ខ្មែរ ລາວ မြန်မာ සිංහල",
    "emoji": "😀☕🎉❤️👩‍👩‍👧🇩🇪👍🏽",
    "signs": "★ → ✓ ∑ ♫ № ™ • … – “”",
}


@pytest.mark.parametrize("script", SAMPLES)
def test_every_letter_has_a_shape(script):
    glyphs = _shape(SAMPLES[script]).glyphs
    assert len(glyphs) > 0
    assert all(glyph.number != 0 for glyph in glyphs)


def test_what_people_combine_is_one_sign():
    for cluster in ("👩‍👩‍👧", "🇩🇪", "❤️"):
        assert _shape(cluster).width <= 1.2 * _shape("😀").width


def test_what_the_fonts_lack_is_looked_for_on_the_machine(monkeypatch, tmp_path):
    latin, hebrew = (
        Path(manimgx_fonts.__file__).parent / f"NotoSans{name}[wght].ttf"
        for name in ("", "Hebrew")
    )
    (tmp_path / "a.ttf").write_bytes(b"no font")
    (tmp_path / "b.otf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "more").mkdir()
    shutil.copy(hebrew, tmp_path / "more" / "c.TTF")
    monkeypatch.setattr(fonts, "_faces", lambda: (fonts.Face(latin),))
    monkeypatch.setattr(
        fonts, "_FOLDERS", {sys.platform: (str(tmp_path), str(tmp_path / "nowhere"))}
    )
    monkeypatch.setattr(fonts, "_faces_of_the_machine", fonts._faces_of_the_machine.__wrapped__)
    find = fonts._face_of.__wrapped__
    assert find("\u05e9").has("\u05e9")
    assert not find("ก").has("ก")  # what nobody has is a box of the first font, not an error


def places(text):
    """Where each letter of a text without marks stands, in the order of the text."""
    return [glyph.x for glyph in _shape(text).glyphs]


def test_right_to_left_is_read_from_the_right():
    assert places("abc") == sorted(places("abc"))
    hebrew, alone = _shape("שלום"), [_shape(letter).glyphs[0].number for letter in "שלום"]
    assert [glyph.number for glyph in hebrew.glyphs] == alone[::-1]
    digits = [_shape(digit).glyphs[0].number for digit in "12"]
    assert [glyph.number for glyph in _shape("שלום 12").glyphs][:2] == digits
    # In the midst of text from the left, it alone is turned round.
    mixed = [glyph.number for glyph in _shape("a שלום b").glyphs]
    assert [number for number in mixed if number in alone] == alone[::-1]
    assert mixed[0] == _shape("a").glyphs[0].number


def test_letters_join_and_marks_stand_on_them():
    alone = {_shape(letter).glyphs[0].number for letter in "كوب"}
    assert {glyph.number for glyph in _shape("كوب").glyphs} != alone
    # The vowel sign I is written before its consonant.
    assert len(_shape("कि").glyphs) == 2
    assert _shape("कि").glyphs[1].number == _shape("क").glyphs[0].number
    assert _shape("e\u0301").width == _shape("é").width


def test_brackets_are_mirrored_from_the_right():
    assert _shape("א(").glyphs[0].number == _shape(")").glyphs[0].number


def test_zero_width_signs_keep_their_place_among_levels():
    text = "a \u05d0\u200d\u05d1 b"
    assert _levels(text) == [0, 0, 1, 1, 1, 0, 0]


def test_orders_to_turn_text_round_are_left_out():
    assert plain("\u202egnp.exe\u2066 a\n\tb  c ") == "gnp.exe a b c"


@pytest.mark.parametrize("script", SAMPLES)
def test_lines_are_no_wider_than_asked_and_lose_nothing(script):
    lettering, text = Lettering(13), plain(" ".join([SAMPLES[script]] * 3))
    lines = lettering.wrap(text, 90)
    assert len(lines) > 1
    assert all(lettering.width(line) <= 91 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    short = lettering.wrap(text, 90, 1)
    assert len(short) == 1
    assert short[0].endswith("…")
    assert all(lettering.width(line) <= 91 for line in short)


def test_lines_break_between_words_and_after_hyphens():
    lettering = Lettering(13)
    assert lettering.wrap("a red enamel mug", lettering.width("a red enam")) == [
        "a red",
        "enamel",
        "mug",
    ]
    assert lettering.wrap("file_name/with-parts", lettering.width("file_name/w")) == [
        "file_name/",
        "with-parts",
    ]
    assert lettering.wrap("4294967295", lettering.width("42949")) == ["42949", "67295"]
    assert lettering.wrap("", 100) == []


@given(st.text(max_size=30), st.integers(1, 200))
def test_any_text_can_be_wrapped_and_drawn(text, width):
    lettering, image = Lettering(11), Image.new("RGB", (40, 20))
    for line in lettering.wrap(text, width, 3):
        lettering.draw(image, -5, -5, line, (255, 255, 255))


def test_text_is_drawn_upright_at_its_corner():
    image = Image.new("L", (60, 40)).convert("RGB")
    Lettering(20).draw(image, 10, 5, "L", (255, 255, 255))
    drawn = np.asarray(image)[..., 0]
    rows, columns = np.nonzero(drawn > 128)
    assert 5 <= rows.min() < rows.max() < 5 + Lettering(20).line
    assert 10 <= columns.min() < 16
    # The stroke of an L lies at its foot.
    assert (drawn[rows.max()] > 128).sum() > 2 * (drawn[rows.min()] > 128).sum()
