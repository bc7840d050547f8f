"""The rules of brands, on pictures that are made to pass or to fail them."""

import numpy as np
import pytest
from coloraide import Color
from PIL import Image, ImageDraw, ImageFilter

from actors.pictures.rules import (
    RULES,
    Looked,
    busy_share,
    clipped_share,
    has_border,
    judge,
    palette_share,
    share_outside,
    sharpness,
)
from actors.recipes.rules import CopySpace, Palette, Rules, SafeArea, Verdict

SIZES = [(64, 64), (128, 128), (512, 384), (300, 700)]
TOP = CopySpace(side="top", share=0.25, busy=0.02)
MARGIN = SafeArea(margin=0.05, outside=0.08)
RED = Palette(colors=((214, 40, 40),), within=12, share=0.05)


def scene(size=(128, 128), at=(0.5, 0.65), across=0.3, noise=2, subject=(214, 40, 40)):
    """A subject before a backdrop that gets darker downwards, with a floor, its middle `at`."""
    width, height = size
    ramp = np.linspace(210, 150, height)[:, None, None] + np.zeros((height, width, 3))
    ramp[int(0.8 * height) :] -= 50
    grain = np.random.default_rng(1).normal(0, noise, ramp.shape)
    image = Image.fromarray(np.clip(ramp + grain, 0, 255).astype(np.uint8))
    x, y, r = at[0] * width, at[1] * height, across * min(size) / 2
    ImageDraw.Draw(image).ellipse([x - r, y - r, x + r, y + r], fill=subject)
    return image


def looked(image):
    return Looked(np.asarray(image))


def framed(image, width, colour=(240, 240, 240), sides="lrtb"):
    image, (w, h) = image.copy(), image.size
    pen = ImageDraw.Draw(image)
    boxes = {
        "l": [0, 0, width - 1, h],
        "r": [w - width, 0, w, h],
        "t": [0, 0, w, width - 1],
        "b": [0, h - width, w, h],
    }
    for side in sides:
        pen.rectangle(boxes[side], fill=colour)
    return image


@pytest.mark.parametrize("size", SIZES)
def test_an_even_area_has_room_for_text_and_one_with_a_subject_has_not(size):
    assert busy_share(looked(scene(size)), TOP) == 0
    assert busy_share(looked(scene(size, at=(0.5, 0.15))), TOP) > TOP.busy
    striped = np.asarray(scene(size)).copy()
    for y in range(0, size[1] // 4, size[1] // 16):
        striped[y : y + size[1] // 64] = 0
    assert busy_share(Looked(striped), TOP) > TOP.busy


def test_the_area_for_text_lies_along_any_side():
    for side, at in (
        ("top", (0.5, 0.1)),
        ("bottom", (0.5, 0.9)),
        ("left", (0.1, 0.5)),
        ("right", (0.9, 0.5)),
    ):
        picture = looked(scene(at=at, across=0.2))
        busy = {s: busy_share(picture, CopySpace(side=s, share=0.2, busy=0)) for s in SIDES}
        assert max(busy, key=busy.__getitem__) == side


SIDES = ("top", "bottom", "left", "right")


@pytest.mark.parametrize("size", SIZES)
def test_a_subject_is_safe_inside_and_not_where_it_is_cut_off(size):
    assert share_outside(looked(scene(size)), MARGIN) == 0
    for at in ((0.02, 0.5), (0.98, 0.5), (0.5, 0.01), (0.5, 0.99)):
        assert share_outside(looked(scene(size, at=at)), MARGIN) > MARGIN.outside


def test_a_picture_without_a_subject_is_safe():
    assert share_outside(looked(scene(across=0)), MARGIN) == 0
    assert share_outside(looked(Image.new("RGB", (64, 64), "teal")), MARGIN) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_frames_and_bars_are_found(size, share):
    picture = scene(size)
    width = max(1, int(share * min(size)))
    assert not has_border(looked(picture))
    for sides in ("lrtb", "lr", "tb"):
        assert has_border(looked(framed(picture, width, sides=sides, colour=(20, 20, 20))))
    soft = framed(picture, max(3, width), colour=(20, 20, 20)).filter(ImageFilter.BoxBlur(1))
    assert has_border(looked(soft))
    assert not has_border(looked(framed(picture, width, sides="t")))


def test_a_plain_backdrop_is_no_frame():
    assert not has_border(looked(Image.new("RGB", (64, 64), "white")))
    assert not has_border(looked(scene(noise=0)))
    assert not has_border(looked(Image.new("RGB", (8, 8), "white")))


def test_pure_white_and_pure_black_are_clipped():
    picture = np.full((10, 20, 3), 128, np.uint8)
    picture[:2], picture[2:3] = 255, 0
    picture[3:4] = (255, 255, 253)  # nearly white, and so not clipped
    assert clipped_share(Looked(picture)) == pytest.approx(0.3)


def test_blur_makes_a_picture_less_sharp():
    picture = scene((256, 256), noise=6)
    measured = [
        sharpness(looked(picture.filter(ImageFilter.GaussianBlur(radius))))
        for radius in (0, 1, 2, 4)
    ]
    assert measured == sorted(measured, reverse=True)
    assert measured[0] > 0.5
    assert 0 <= measured[-1] < 0.3
    assert sharpness(looked(Image.new("RGB", (9, 9)))) == 0


def test_sharpness_is_what_the_steps_of_the_paper_give():
    picture = np.asarray(scene((90, 70), noise=8).filter(ImageFilter.GaussianBlur(1)))
    grey = picture @ np.array([0.299, 0.587, 0.114])
    expected = 1 - max(blur_as_published(grey), blur_as_published(grey.T))
    assert sharpness(Looked(picture)) == pytest.approx(expected, abs=1e-5)


def blur_as_published(grey):
    """The paper's own steps, one pixel at a time."""
    height, width = grey.shape
    at = lambda y: grey[min(max(y, 0), height - 1)]  # noqa: E731
    softened = np.array([sum(at(y + k) for k in range(-4, 5)) / 9 for y in range(height)])
    before = after = 0.0
    for y in range(1, height):
        for x in range(width):
            own, soft = abs(grey[y, x] - grey[y - 1, x]), abs(softened[y, x] - softened[y - 1, x])
            before, after = before + own, after + max(0.0, own - soft)
    return (before - after) / before


def test_the_palette_counts_what_an_independent_library_counts():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    picture[:4] = rng.integers(-14, 15, (4, 20, 3)) + np.array([214, 40, 40])
    palette = Palette(colors=((214, 40, 40), (0, 48, 73)), within=12, share=0.05)
    near = [min(difference(pixel, color) for color in palette.colors) for pixel in flat(picture)]
    sure, possible = ([d <= palette.within + slack for d in near] for slack in (-2, 2))
    found = palette_share(Looked(picture), palette)
    assert np.mean(sure) <= found <= np.mean(possible)
    assert np.mean(sure) > 0.1
    assert np.mean(possible) - np.mean(sure) < 0.08


def difference(one, other):
    colours = [Color("srgb", [value / 255 for value in rgb]) for rgb in (one, other)]
    return colours[0].delta_e(colours[1], method="2000")


def flat(picture):
    return picture.reshape(-1, 3).tolist()


def test_a_verdict_counts_what_was_tested_and_names_what_failed():
    rules = Rules(
        copy_space=TOP,
        safe_area=MARGIN,
        no_border=True,
        clipped_at_most=0.02,
        sharpness_at_least=0.1,
        palette=RED,
    )
    assert judge(np.asarray(scene()), rules) == Verdict(tested=6)
    assert judge(np.asarray(scene(subject=(40, 120, 40))), rules).failed == ("palette@1",)
    white = judge(np.full((64, 64, 3), 255, np.uint8), rules)
    assert white.failed == ("clipped@1", "sharpness@1", "palette@1")
    assert (white.passed, white.tested) == (3, 6)
    assert judge(np.asarray(scene()), Rules()) == Verdict(tested=0)
    assert len(RULES) == 6


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (8, 8), (9, 33)])
def test_pictures_of_any_size_are_judged(size):
    rules = Rules(
        copy_space=TOP,
        safe_area=MARGIN,
        no_border=True,
        clipped_at_most=0.5,
        sharpness_at_least=0.0,
        palette=RED,
    )
    assert judge(np.full((*size, 3), 200, np.uint8), rules).tested == 6
